"""The demo: the real BotMaker and a real engine, with SimCord as Discord in a browser page.

Not installed with the product. `world` builds the simulated place, also for the tests;
`__main__` serves it as a page.
"""

"""The demo: the real BotMaker and a real engine, with SimCord as Discord in a browser page.

It isn't installed with the product. `world` builds the simulated server, also for the tests;
`__main__` serves it as a page.
"""

"""BotMaker: a Discord bot that makes and runs other bots.

The layers, top to bottom: `__main__`, `cli`, `app`, `chat | api`, `manager`,
`store | vault | catalog | runtime`, `settings | log`, `domain`. A layer imports only what stands
below it; `make check` holds that.
"""

__version__ = "0.1.0"

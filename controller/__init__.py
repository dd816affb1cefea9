"""BotMaker: a Discord bot that makes and runs other bots.

The layers, top to bottom: `__main__`, `cli`, `app`, `chat | api`, `manager`,
`store | vault | catalog | runtime | services`, `settings | log`, `domain`. A layer imports only
from those below it; `make check` enforces that.
"""

__version__ = "0.1.0"

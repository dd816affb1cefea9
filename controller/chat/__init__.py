"""Discord: commands, buttons, forms, the public messages. The only package that imports discord.

A request's way: `gate` (may they?), then `commands/` or `router` (what they pressed or submitted),
then a use-case of `manager`, then `render` (the words). `publisher` keeps the public messages true.
"""

from controller.chat.cards.publisher import Publisher
from controller.chat.client import ControllerClient

__all__ = ["ControllerClient", "Publisher"]

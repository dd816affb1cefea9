"""Discord: commands, buttons, forms, cards. The only package that imports discord.

A request's way: `requests/admission` (who asks, from where), then `commands/` or, for what was
pressed or submitted, `requests/router` and `handlers`; then a use-case of `manager`, then `words/`.
`cards/publisher` keeps the cards true, `incidents/announcer` tells of what goes wrong. The rooms,
each using only those to its right: login > client > command_tree > handlers > commands > incidents
> batches, cards, forms, logs > requests > words.
"""

from controller.chat.batches.progress import Progress
from controller.chat.cards.publisher import Publisher
from controller.chat.client import ControllerClient
from controller.chat.incidents.announcer import Announcer
from controller.chat.login import redirect_discord, run_client
from controller.chat.requests.place import Place

__all__ = [
    "Announcer",
    "ControllerClient",
    "Place",
    "Progress",
    "Publisher",
    "redirect_discord",
    "run_client",
]

"""Choosing many bots, and confirming what is done to them.

The list that is confirmed is written down before it is shown, and its number is in the button: the
press acts on these bots and no others, whatever has changed since.
"""

from __future__ import annotations

from collections.abc import Sequence

import discord

from controller.chat.batches.batch_words import button_label, progress, question
from controller.chat.languages import plural, say, told
from controller.chat.requests.buttons import button, row
from controller.chat.requests.custom_ids import address
from controller.chat.requests.request import Request
from controller.chat.words.fleet_words import WORST_FIRST
from controller.chat.words.limits import OPTION_MAX, OPTIONS_MAX
from controller.chat.words.text import fitted
from controller.domain.batches import Chosen, Verb, no_bots
from controller.domain.bot import RESTORED
from controller.domain.errors import BadInput
from controller.fleet.views import View
from controller.manager import Manager

_RISKY = {Verb.STOP}
_MENU = {
    Verb.START: "Bots to start",
    Verb.STOP: "Bots to stop",
    Verb.RESTART: "Bots to restart",
    Verb.UPDATE: "Bots to update",
}


class Choosing:
    """Asks which bots, asks whether it's meant, and begins."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._batches = manager.batches

    async def begin(self, request: Request, verb: Verb, chosen: Chosen) -> None:
        """Ask for the bots that were described; without a description, which ones."""
        found = await self._batches.chosen(request.caller, verb, chosen)
        if not found:
            raise no_bots()
        if chosen or len(found) == 1:
            await self._ask(request, verb, found)
            return
        ordered = sorted(found, key=lambda view: WORST_FIRST.index(view.phase))
        offered = ordered[:OPTIONS_MAX]
        text = say("Which bots? {bots} can be chosen.", bots=plural(len(found), "bot"))
        if len(offered) < len(found):
            text += " " + say(
                "The menu shows {count}; for others use `phase`, `template` or `name` "
                "(such as `shop-*`).",
                count=len(offered),
            )
        await request.reply(text, view=_menu(verb, offered))

    async def restored(self, request: Request) -> None:
        """Ask for all bots that stay stopped because they were restored."""
        await request.acknowledge()
        await self.begin(request, Verb.START, Chosen(problem=RESTORED))

    async def pick(self, request: Request, verb: Verb) -> None:
        """Ask for the bots that were chosen in the menu."""
        await self._manager.access.require(request.caller, verb.act)
        await request.acknowledge_in_place()
        picked = dict(request.interaction.data or {}).get("values")
        ids = [str(one) for one in picked] if isinstance(picked, list) else []
        bots = self._manager.bots
        found = [await bots.known(request.caller, verb.of_one, bot_id) for bot_id in ids]
        await self._ask(request, verb, found)

    async def confirm(self, request: Request, verb: Verb) -> None:
        """It's meant: begin."""
        await self._manager.access.require(request.caller, verb.act)
        number = _number(request, verb)
        await request.acknowledge_in_place()
        batch = await self._batches.begin(request.caller, number)
        many = plural(len(batch.items), "bot")
        await request.reply(
            say("Begun with {many}. A message in the channel shows how it goes.", many=many)
        )

    async def cancel(self, request: Request, verb: Verb) -> None:
        """Begin with no further bot."""
        await self._manager.access.require(request.caller, verb.act)
        number = _number(request, verb)
        await request.acknowledge()
        batch = await self._batches.cancel(request.caller, number)
        await request.reply(
            say("Cancelled: no further bot is begun with; those under way come to their end.")
            + "\n"
            + progress(batch)
        )

    async def _ask(self, request: Request, verb: Verb, views: Sequence[View]) -> None:
        bots = [view.bot for view in views]
        batch = await self._batches.ask(request.caller, verb, bots)
        style = discord.ButtonStyle.danger if verb in _RISKY else discord.ButtonStyle.primary
        press = button(button_label(verb, len(bots)), f"many{verb}", str(batch.id), style=style)
        await request.reply(question(verb, views), view=row([press]))


def _menu(verb: Verb, views: Sequence[View]) -> discord.ui.View:
    view = discord.ui.View(timeout=None)
    menu: discord.ui.Select[discord.ui.View] = discord.ui.Select(
        custom_id=address(f"pick{verb}", "bots"),
        placeholder=say(_MENU[verb]),
        min_values=1,
        max_values=len(views),
        options=[
            discord.SelectOption(
                label=fitted(one.bot.name, OPTION_MAX),
                value=one.bot.id,
                description=fitted(f"{told(one.phase.value)} · {one.bot.template}", OPTION_MAX),
            )
            for one in views
        ],
    )
    view.add_item(menu)
    view.stop()
    return view


def _number(request: Request, verb: Verb) -> int:
    """The batch that a button means."""
    (number, *more) = request.arguments
    if more or not number.isdecimal() or len(number) > 12:
        raise BadInput("That button is damaged.", hint=f"Use /fleet {verb.value} again.")
    return int(number)

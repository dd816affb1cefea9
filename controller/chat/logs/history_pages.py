"""The history in answers, of one bot or of everything, and its buttons Older, Newer, Refusals.

The buttons' ids carry what was asked for, as `past:<bot>:<b|a><entry>:<r|->:<person>`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from controller.chat.languages import say
from controller.chat.requests.buttons import Button, button, row
from controller.chat.requests.request import Request
from controller.chat.words.history_words import history_words
from controller.domain.acts import FLEET_HISTORY
from controller.domain.bot import Bot
from controller.domain.errors import BadInput
from controller.manager import Manager
from controller.manager.history import Choice, Event

PAGE = 10  # events
_FLEET = "all"
_NEWEST = Choice()
_ENTRY = re.compile(r"[ab]\d{1,12}", re.ASCII)


class HistoryPages:
    """Answers with a page of the history."""

    def __init__(self, manager: Manager) -> None:
        self._history = manager.history
        self._access = manager.access

    async def show(self, request: Request, bot: Bot | None, choice: Choice = _NEWEST) -> None:
        """Answer with a page; no bot means all of them."""
        asked = replace(choice, limit=PAGE + 1)
        if bot is None:
            events = await self._history.of_everything(request.caller, asked)
        else:
            events = await self._history.of_bot(request.caller, bot, asked)
        more = len(events) > PAGE
        if more:
            # The one too many is the farthest from where the page begins.
            events = events[1:] if choice.after else events[:PAGE]
        await request.reply(
            history_words(events, bot.name if bot else ""),
            view=row(_buttons(bot, choice, events, more=more)),
        )

    async def turn(self, request: Request, bot: Bot) -> None:
        """Show another page of a bot's history, in the same message."""
        choice = choice_in(request.arguments)
        await request.acknowledge_in_place()
        await self.show(request, bot, choice)

    async def turn_everything(self, request: Request) -> None:
        """The same for all bots."""
        await self._access.require(request.caller, FLEET_HISTORY)
        choice = choice_in(request.arguments)
        await request.acknowledge_in_place()
        await self.show(request, None, choice)


def _buttons(
    bot: Bot | None, choice: Choice, events: Sequence[Event], *, more: bool
) -> list[Button]:
    """What leads on from a page."""

    def to(label: str, where: str, *, refusals: bool = choice.refusals) -> Button:
        action, subject = ("past", bot.id) if bot else ("fleetpast", _FLEET)
        return button(label, action, subject, where, "r" if refusals else "-", choice.by)

    found = []
    if events and (more or choice.after):
        found.append(to(say("Older"), f"b{events[-1].entry.seq}"))
    if events and (choice.before or (choice.after and more)):
        found.append(to(say("Newer"), f"a{events[0].entry.seq}"))
    if choice.before or choice.after:
        found.append(to(say("Newest"), "b0"))
    label = say("Hide refusals") if choice.refusals else say("Show refusals")
    found.append(to(label, "b0", refusals=not choice.refusals))
    return found


def choice_in(arguments: Sequence[str]) -> Choice:
    """What a history button's id asks for. BadInput for a forged id."""
    if len(arguments) != 4 or not _ENTRY.fullmatch(arguments[1]):
        raise BadInput("That button is damaged.", hint="Use the command again.")
    _, where, refusals, by = arguments
    number = int(where[1:])
    return Choice(
        before=number if where[0] == "b" else 0,
        after=number if where[0] == "a" else 0,
        refusals=refusals == "r",
        by=by,
    )

"""The list of bots in pages: filtered by phase, template and text; each bot opens by a pick.

Its buttons' ids carry what was asked for, as `list:<page>:<phase|->:<template|->:<text>`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import discord

from controller.chat.languages import say, told
from controller.chat.requests.buttons import Button, button, row
from controller.chat.requests.custom_ids import SEPARATOR, named_by, short
from controller.chat.requests.request import Request
from controller.chat.requests.selects import Option, Select, select
from controller.chat.words.bot_words import SIGNS
from controller.chat.words.fleet_words import WORST_FIRST, list_page, table, worst_first
from controller.chat.words.limits import CUSTOM_ID_MAX
from controller.chat.words.text import text_file
from controller.domain.errors import BadInput
from controller.domain.names import meant
from controller.domain.phase import Phase
from controller.fleet.views import View
from controller.manager import Manager

PAGE = 10  # bots
TEXT_MAX = 30  # characters to search for: they stand in every button's id
_ANY = "-"


@dataclass(frozen=True, slots=True)
class Filter:
    """Which bots, and from which page on."""

    page: int = 0
    phase: Phase | None = None
    template: str = ""  # an id
    text: str = ""  # part of a name, a provider, a model or a channel

    def takes(self, view: View) -> bool:
        """Whether this bot is wanted."""
        bot = view.bot
        if self.phase is not None and view.phase is not self.phase:
            return False
        if self.template and bot.template != self.template:
            return False
        words = f"{bot.name} {bot.provider}/{bot.model} {bot.channel}"
        return self.text.casefold() in words.casefold()

    @property
    def parts(self) -> tuple[str, ...]:
        """The filter as buttons carry it."""
        template = short(self.template) if self.template else _ANY
        return str(self.page), self.phase or _ANY, template, self.text


class BotList:
    """Answers with a page of the list."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    async def show(self, request: Request, wanted: Filter) -> None:
        """Answer with a page: from memory, without an engine call."""
        await self._answer(request, await self._manager.bots.listed(request.caller), wanted)

    async def _answer(self, request: Request, visible: Sequence[View], wanted: Filter) -> None:
        found = worst_first(filter(wanted.takes, visible))
        last = max(0, (len(found) - 1) // PAGE)
        wanted = replace(wanted, page=min(wanted.page, last))
        shown = found[wanted.page * PAGE :][:PAGE]
        text = list_page(
            found,
            shown,
            self._manager.bots.engine,
            page=(wanted.page + 1, last + 1),
            only=_only(wanted),
        )
        await request.reply(text, view=_controls(visible, shown, wanted, last))

    async def turn(self, request: Request) -> None:
        """Show what a button or a pick leads to, in the same message."""
        visible = await self._manager.bots.listed(request.caller)
        wanted = self._wanted(request.arguments)
        await request.acknowledge_in_place()
        await self._answer(request, visible, wanted)

    async def file(self, request: Request) -> None:
        """Answer with all of the list as a file that every phone opens."""
        visible = await self._manager.bots.listed(request.caller)
        wanted = self._wanted(request.arguments)
        await request.acknowledge()
        text = table(worst_first(filter(wanted.takes, visible)))
        await request.reply(
            say("The list as a file."), make_file=partial(text_file, text, "bots.csv")
        )

    def of_options(self, phase: str | None, template: str | None, text: str | None) -> Filter:
        """What a command's options ask for. BadInput for a phase that doesn't exist."""
        found = Phase.parse(phase) if phase is not None else None
        if phase is not None and found is None:
            raise BadInput(
                "There is no such phase.", hint="One of: " + ", ".join(p.value for p in Phase)
            )
        titles = {name: one.title for name, one in self._manager.bots.templates.items()}
        chosen = (meant(template, titles) or template.strip()) if template else ""
        return Filter(0, found, chosen, (text or "").strip()[:TEXT_MAX])

    def _wanted(self, arguments: Sequence[str]) -> Filter:
        """What a list button's id asks for. BadInput for a forged id."""
        try:
            page, phase, template, *text = arguments
            found = None if phase == _ANY else Phase(phase)
            known = {view.bot.template for view in self._manager.bots}
            chosen = "" if template == _ANY else named_by(template, known)
            return Filter(int(page[:6]), found, chosen, SEPARATOR.join(text)[:TEXT_MAX])
        except ValueError:
            raise BadInput("That button is damaged.", hint="Use /bot list.") from None


def _only(wanted: Filter) -> list[str]:
    """The filter in words."""
    found = [say("in the phase {phase}", phase=told(wanted.phase))] if wanted.phase else []
    found += (
        [say("of the template {template}", template=wanted.template)] if wanted.template else []
    )
    return [*found, *([say("called like “{text}”", text=wanted.text)] if wanted.text else [])]


def _controls(
    visible: Sequence[View], shown: Sequence[View], wanted: Filter, last: int
) -> discord.ui.View | None:
    if not visible:
        return None
    bots = [
        Option(view.bot.name, ("show", view.bot.id), _below(view), emoji=SIGNS[view.phase])
        for view in shown
    ]
    return row(
        [select(say("Open a bot"), "bots", bots), _filters(visible, wanted), *_turns(wanted, last)]
    )


def _below(view: View) -> str:
    bot = view.bot
    return " · ".join(filter(None, (told(view.phase.value), bot.template, bot.model, bot.channel)))


def _filters(visible: Sequence[View], wanted: Filter) -> Select | None:
    """What the list can be narrowed to, with how many bots each has."""
    phases = Counter(view.phase for view in visible)
    templates = Counter(view.bot.template for view in visible)
    options = [
        _narrowed(say("All bots"), replace(wanted, phase=None, template=""), len(visible), wanted)
    ]
    if len(phases) > 1 or wanted.phase:
        options += [
            _narrowed(
                _capitalized(told(phase.value)), replace(wanted, phase=phase), phases[phase], wanted
            )
            for phase in WORST_FIRST
            if phases[phase]
        ]
    if len(templates) > 1 or wanted.template:
        options += [
            _narrowed(
                say("Template {name}", name=name), replace(wanted, template=name), count, wanted
            )
            for name, count in templates.most_common()
        ]
    return select(say("Filter"), "filter", options) if len(options) > 1 else None


def _capitalized(words: str) -> str:
    return words[:1].upper() + words[1:]


def _narrowed(label: str, leads_to: Filter, count: int, now: Filter) -> Option:
    chosen = replace(leads_to, page=now.page) == now
    parts = ("list", *replace(leads_to, page=0).parts)
    return Option(label, parts, say("{count} of your bots", count=count), chosen=chosen)


def _turns(wanted: Filter, last: int) -> Iterable[Button]:
    pages = {"Previous": wanted.page - 1, "Next": wanted.page + 1}
    found = [
        button(say(label), "list", *replace(wanted, page=page).parts)
        for label, page in pages.items()
        if 0 <= page <= last
    ]
    refresh = button(say("Refresh"), "relist", *wanted.parts)
    file = button(say("File"), "listfile", *wanted.parts)
    every = [*found, refresh, file]
    return [one for one in every if len(one.custom_id or "") <= CUSTOM_ID_MAX]

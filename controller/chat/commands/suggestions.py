"""Suggestions while somebody types. They come from memory: they're asked for at every keystroke."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Set
from heapq import nsmallest

from discord import app_commands

from controller.chat.words.fleet_words import WORST_FIRST
from controller.chat.words.limits import CHOICE_MAX, CHOICES_MAX
from controller.chat.words.text import fitted
from controller.domain import acts
from controller.domain.acts import Act
from controller.domain.phase import Phase
from controller.fleet.views import View

Choices = list[app_commands.Choice[str]]
_URGENCY = {phase: number for number, phase in enumerate(WORST_FIRST)}
_OVER = frozenset({Phase.REMOVING})
_SENSELESS: Mapping[Act, frozenset[Phase]] = {
    acts.BOT_START: _OVER
    | {Phase.CREATED, Phase.STARTING, Phase.RUNNING, Phase.UNHEALTHY, Phase.CRASH_LOOPING},
    acts.BOT_STOP: _OVER | {Phase.CREATED, Phase.STOPPING, Phase.STOPPED},
    acts.BOT_RESTART: _OVER | {Phase.CREATED},
    acts.BOT_DO: _OVER | {Phase.CREATED, Phase.STOPPING, Phase.STOPPED, Phase.ERROR},
    acts.BOT_EDIT: _OVER,
    acts.BOT_SECRETS: _OVER,
    acts.BOT_UPDATE: _OVER,
    acts.BOT_ROLLBACK: _OVER | {Phase.CREATED},
    acts.BOT_DELETE: _OVER,
}


def suggest(typed: str, values: Iterable[str]) -> Choices:
    """The values that contain what was typed; those that begin with it come first."""
    return suggest_titled(typed, {value: value for value in values})


def suggest_bots(typed: str, act: Act, views: Iterable[View]) -> Choices:
    """The bots to which the act applies and whose name contains what was typed: first those that
    begin with it, of these the worst first."""
    needle = typed.strip().lower()
    ranked = (
        (not name.startswith(needle), _URGENCY[view.phase], name)
        for view in views
        if needle in (name := view.bot.name) and applies(act, view.phase)
    )
    found = nsmallest(CHOICES_MAX, ranked)
    return [app_commands.Choice(name=name, value=name) for _, _, name in found]


def applies(act: Act, phase: Phase) -> bool:
    """Whether the act makes sense for a bot in this phase; asked for by name it's tried anyway."""
    return phase not in _SENSELESS.get(act, frozenset())


def suggest_titled(typed: str, titles: Mapping[str, str]) -> Choices:
    """The same for values with titles, which people read: either may contain what was typed."""
    offered = _best(typed.strip().lower(), titles)
    shown = {value: fitted(title, CHOICE_MAX) for value, title in offered}
    count = _alike(set(shown.values()), titles.values())
    return [
        app_commands.Choice(name=_name(value, title, alone=count[shown[value]] == 1), value=value)
        for value, title in offered
    ]


def _best(needle: str, titles: Mapping[str, str]) -> list[tuple[str, str]]:
    """What is offered, in order. One pass: there may be a thousand, and a person types quickly."""
    first: list[tuple[str, int, str, str]] = []  # the number keeps the order of equal titles
    later: list[tuple[str, int, str, str]] = []
    for number, (value, title) in enumerate(titles.items()):
        read = title.lower()
        sent = read if value is title else value.lower()
        # A value that doesn't fit can't be offered: cut, it would mean something else.
        if (needle in read or needle in sent) and len(value) <= CHOICE_MAX:
            begins = read.startswith(needle) or sent.startswith(needle)
            (first if begins else later).append((read, number, value, title))
    found = nsmallest(CHOICES_MAX, first)
    found += nsmallest(CHOICES_MAX - len(found), later)
    return [(value, title) for _, _, value, title in found]


def _alike(shown: Set[str], titles: Collection[str]) -> Counter[str]:
    """How many of all titles look like each of those that are shown."""
    count = Counter(title for title in titles if title in shown)
    count.update(fitted(title, CHOICE_MAX) for title in titles if len(title) > CHOICE_MAX)
    return count


def _name(value: str, title: str, *, alone: bool) -> str:
    """A title, with its value if another one looks the same."""
    if alone:
        return fitted(title, CHOICE_MAX)
    tail = f" ({value})"
    return fitted(title, CHOICE_MAX - len(tail)) + tail if len(tail) < CHOICE_MAX // 2 else value

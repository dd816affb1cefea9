"""Suggestions while somebody types. They come from memory: they're asked for at every keystroke."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from heapq import nsmallest

from discord import app_commands

from controller.chat.words.limits import CHOICE_MAX, CHOICES_MAX
from controller.chat.words.text import fitted

Choices = list[app_commands.Choice[str]]


def suggest(typed: str, values: Iterable[str]) -> Choices:
    """The values that contain what was typed; those that begin with it come first."""
    return suggest_titled(typed, {value: value for value in values})


def suggest_titled(typed: str, titles: Mapping[str, str]) -> Choices:
    """The same for values with titles, which people read: either may contain what was typed."""
    needle = typed.strip().lower()

    def rank(item: tuple[str, str]) -> tuple[bool, str]:
        return not any(word.lower().startswith(needle) for word in item), item[1].lower()

    fitting = [item for item in titles.items() if any(needle in word.lower() for word in item)]
    # A value that doesn't fit can't be offered: cut, it would mean something else.
    usable = [item for item in fitting if len(item[0]) <= CHOICE_MAX]
    offered = nsmallest(CHOICES_MAX, usable, key=rank)
    count = Counter(fitted(title, CHOICE_MAX) for title in titles.values())
    return [
        app_commands.Choice(
            name=_name(value, title, alone=count[fitted(title, CHOICE_MAX)] == 1), value=value
        )
        for value, title in offered
    ]


def _name(value: str, title: str, *, alone: bool) -> str:
    """A title, with its value if another one looks the same."""
    if alone:
        return fitted(title, CHOICE_MAX)
    tail = f" ({value})"
    return fitted(title, CHOICE_MAX - len(tail)) + tail if len(tail) < CHOICE_MAX // 2 else value

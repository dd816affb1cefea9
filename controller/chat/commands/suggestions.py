"""Suggestions while somebody types. They come from memory: they're asked for at every keystroke."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from discord import app_commands

from controller.chat.words.limits import CHOICE_MAX, CHOICES_MAX

Choices = list[app_commands.Choice[str]]


def suggest(typed: str, values: Iterable[str]) -> Choices:
    """The values that contain what was typed; those that begin with it come first."""
    return suggest_titled(typed, {value: value for value in values})


def suggest_titled(typed: str, titles: Mapping[str, str]) -> Choices:
    """The same for values with titles, which people read: either may contain what was typed."""
    needle = typed.strip().lower()

    def rank(item: tuple[str, str]) -> tuple[bool, str]:
        return not any(word.lower().startswith(needle) for word in item), item[1].lower()

    short = [item for item in titles.items() if len(item[0]) <= CHOICE_MAX]  # whole, or not at all
    fitting = [item for item in short if any(needle in word.lower() for word in item)]
    count = Counter(titles.values())
    return [
        app_commands.Choice(
            name=(title if count[title] == 1 else f"{title} ({value})")[:CHOICE_MAX],
            value=value,
        )
        for value, title in sorted(fitting, key=rank)[:CHOICES_MAX]
    ]

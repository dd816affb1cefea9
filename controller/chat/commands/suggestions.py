"""What a command handler is given: who asks (put there by the gate), and choices to suggest."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

import discord
from discord import app_commands

from controller.manager.audit import Asker

CHOICES_MAX = 25  # Discord's limits: of choices, and of the characters of one
CHOICE_MAX = 100
Choices = list[app_commands.Choice[str]]


def asker_of(interaction: discord.Interaction) -> Asker:
    """Who asks, as the gate admitted them."""
    asker = interaction.extras["asker"]
    assert isinstance(asker, Asker)
    return asker


def suggest(typed: str, values: Iterable[str]) -> Choices:
    """Values that contain what was typed, those that begin with it first."""
    return suggest_titled(typed, {value: value for value in values})


def suggest_titled(typed: str, titles: Mapping[str, str]) -> Choices:
    """Values whose title, or they themselves, contain what was typed. The title is what is read."""
    needle = typed.strip().lower()

    def rank(item: tuple[str, str]) -> tuple[bool, str]:
        return not any(word.lower().startswith(needle) for word in item), item[1].lower()

    fitting = [item for item in titles.items() if any(needle in word.lower() for word in item)]
    count = Counter(titles.values())
    return [
        app_commands.Choice(
            name=(title if count[title] == 1 else f"{title} ({value})")[:CHOICE_MAX],
            value=value[:CHOICE_MAX],
        )
        for value, title in sorted(fitting, key=rank)[:CHOICES_MAX]
    ]


def partial(interaction: discord.Interaction, option: str) -> str:
    """Another option's value while the person still types; unvalidated."""
    value = getattr(interaction.namespace, option, None)
    return value if isinstance(value, str) else ""

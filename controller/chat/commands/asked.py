"""What a command handler is given: who asks (put there by the gate), and choices to suggest."""

from __future__ import annotations

from collections.abc import Iterable

import discord
from discord import app_commands

from controller.manager.audit import Asker

CHOICES_MAX = 25  # Discord's limit


def asker_of(interaction: discord.Interaction) -> Asker:
    """Who asks, as the gate admitted them."""
    asker = interaction.extras["asker"]
    assert isinstance(asker, Asker)
    return asker


def suggest(typed: str, values: Iterable[str]) -> list[app_commands.Choice[str]]:
    """Values that contain what was typed, those that begin with it first."""
    needle = typed.strip().lower()
    fitting = [value for value in values if needle in value.lower()]
    fitting.sort(key=lambda value: (not value.lower().startswith(needle), value.lower()))
    return [app_commands.Choice(name=v[:100], value=v[:100]) for v in fitting[:CHOICES_MAX]]

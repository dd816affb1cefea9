"""Custom ids: addresses such as `start:<bot>`, never rights. Every press is admitted anew.

They are the only state of a button or form, so those keep working after the controller restarts.
Ids in old messages must stay readable: don't change their formats.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import discord

from controller.domain.errors import BadInput

SEPARATOR = ":"
_PARTS_MAX = 5  # the last part of a log button, a search text, may hold the separator


def address(*parts: str) -> str:
    """The custom id with these parts."""
    return SEPARATOR.join(parts)


def parse(custom_id: str) -> tuple[str, list[str]]:
    """A custom id's action and its arguments, which may be rubbish: anybody can forge one."""
    action, _, rest = custom_id.partition(SEPARATOR)
    return action, rest.split(SEPARATOR, _PARTS_MAX - 1) if rest else []


def custom_id_of(interaction: discord.Interaction) -> str:
    """The custom id of what was pressed or submitted."""
    data: dict[str, Any] = dict(interaction.data or {})
    return str(data.get("custom_id", ""))


def deadline_in(arguments: Sequence[str]) -> float:
    """Until when a button may be pressed, seconds since the epoch. BadInput for a forged id."""
    if len(arguments) != 2 or not arguments[1].isdecimal():
        raise BadInput("That button is damaged.", hint="Use the command again.")
    return float(arguments[1])


def key_in(arguments: Sequence[str]) -> str:
    """The page or the action that is meant, after the bot's id. BadInput for a forged id."""
    if len(arguments) != 2 or not arguments[1]:
        raise BadInput("That form is damaged.", hint="Use the command again.")
    return arguments[1]


def step_in(arguments: Sequence[str]) -> int:
    """Which page of a secrets form is meant, from 0. BadInput for a forged id."""
    if len(arguments) != 2 or not arguments[1].isdecimal():
        raise BadInput("That form is damaged.", hint="Ask for a new one: /bot secrets.")
    return int(arguments[1])

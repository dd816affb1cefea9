"""Custom ids: addresses such as `start:<bot>`, never rights. Every press is admitted anew.

They are the only state of a button or form, so those keep working after the controller restarts.
Ids in old messages must stay readable: don't change their formats.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import discord

from controller.domain.errors import BadInput

SEPARATOR = ":"
PICK = "pick"  # begins the id of every select; where its options lead is in their values
_KEY_MAX = 50  # with a bot's id and an action it fits into an id
_PARTS_MAX = 5  # the last part of a log button, a search text, may hold the separator


def address(*parts: str) -> str:
    """The custom id with these parts."""
    return SEPARATOR.join(parts)


def keyed(action: str, bot_id: str, key: str) -> str:
    """The custom id for one named thing of a bot; `named_by` finds it again."""
    return address(action, bot_id, short(key))


def short(key: str) -> str:
    """A name as custom ids carry it: itself, or a hash of a name too long to stand beside a bot."""
    if len(key) <= _KEY_MAX:
        return key
    return "~" + hashlib.sha256(key.encode()).hexdigest()[:12]


def named_by(key: str, names: Iterable[str]) -> str:
    """Which of the names a custom id's key stands for; the key itself if it's none of them."""
    return next((name for name in names if key in (name, short(name))), key)


def parse(custom_id: str) -> tuple[str, list[str]]:
    """A custom id's action and its arguments, which may be rubbish: anybody can forge one."""
    action, _, rest = custom_id.partition(SEPARATOR)
    return action, rest.split(SEPARATOR, _PARTS_MAX - 1) if rest else []


def custom_id_of(interaction: discord.Interaction) -> str:
    """The address of what was pressed, picked or submitted: of a select, the picked option's."""
    data: dict[str, Any] = dict(interaction.data or {})
    custom_id = str(data.get("custom_id", ""))
    picked = data.get("values")
    if custom_id.partition(SEPARATOR)[0] != PICK or not isinstance(picked, list):
        return custom_id
    return str(picked[0]) if picked else ""


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

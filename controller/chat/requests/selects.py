"""Selects under a message. Each option's value is an address, as a button's custom id is.

So what somebody picks takes the same way as a press, with the right of that way.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import discord

from controller.chat.requests.custom_ids import PICK, address
from controller.chat.words.limits import CUSTOM_ID_MAX, OPTION_MAX, OPTIONS_MAX, PLACEHOLDER_MAX
from controller.chat.words.text import fitted

Select = discord.ui.Select[Any]


@dataclass(frozen=True, slots=True)
class Option:
    """One thing to pick: what it says, where it leads, and a line below it."""

    label: str
    parts: tuple[str, ...]
    description: str = ""
    chosen: bool = False
    emoji: str = ""


def select(placeholder: str, key: str, options: Iterable[Option]) -> Select | None:
    """A select of the first options that fit. `key` tells selects of one message apart.

    None if there is nothing to pick.
    """
    found: dict[str, discord.SelectOption] = {}
    for option in options:
        value = address(*option.parts)
        # An address that doesn't fit can't be offered: cut, it would lead elsewhere.
        if len(value) <= CUSTOM_ID_MAX and value not in found:
            found[value] = _option(option, value)
    if not found:
        return None
    return discord.ui.Select(
        custom_id=address(PICK, key),
        placeholder=fitted(placeholder, PLACEHOLDER_MAX),
        options=list(found.values())[:OPTIONS_MAX],
    )


def _option(option: Option, value: str) -> discord.SelectOption:
    return discord.SelectOption(
        label=fitted(option.label, OPTION_MAX),
        value=value,
        description=fitted(option.description, OPTION_MAX) or None,
        default=option.chosen,
        emoji=option.emoji or None,
    )

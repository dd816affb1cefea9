"""Buttons under a message.

Views are sent finished, so discord.py stores none of them: the router finds the way by custom id.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import discord

from controller.chat.languages import say
from controller.chat.requests.custom_ids import address
from controller.chat.words.limits import BUTTON_LABEL_MAX

Button = discord.ui.Button[Any]
CREATE = ("create", "new")  # the parts of the custom id of the button and the form that create


def button(
    label: str, *parts: str, style: discord.ButtonStyle = discord.ButtonStyle.secondary
) -> Button:
    """A button whose custom id has these parts."""
    return discord.ui.Button(label=label[:BUTTON_LABEL_MAX], style=style, custom_id=address(*parts))


def row(items: Iterable[discord.ui.Item[Any] | None]) -> discord.ui.View | None:
    """Buttons and selects as a finished view; None if there are none.

    Each select has a row of its own; buttons fill rows of five.
    """
    view = discord.ui.View(timeout=None)
    for item in items:
        if item is not None:
            view.add_item(item)
    view.stop()
    return view if view.children else None


def create_button() -> discord.ui.View | None:
    """The button that opens the form for a new bot. It works as long as its message stands."""
    return row([button(say("Create a bot"), *CREATE, style=discord.ButtonStyle.primary)])

"""Messages in Components V2: a coloured box with texts, buttons and selects.

They are sent finished, as all views are, so discord.py stores none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import discord

from controller.chat.requests.buttons import Button
from controller.chat.requests.selects import Select

Layout = discord.ui.LayoutView
Part = discord.ui.Item[Any]


def layout(parts: Iterable[Part], colour: int) -> Layout:
    """A finished message: one box in this colour."""
    made = discord.ui.LayoutView(timeout=None)
    made.add_item(discord.ui.Container(*parts, accent_colour=discord.Colour(colour)))
    made.stop()
    return made


def text(words: str) -> Part:
    """A text of the box; all of them together have Discord's limit."""
    return discord.ui.TextDisplay(words)


def beside(words: str, button: Button) -> Part:
    """A text with a button to its right."""
    return discord.ui.Section(words, accessory=button)


def line() -> Part:
    """A thin line between two parts."""
    return discord.ui.Separator()


def controls(items: Sequence[Button | Select]) -> Part:
    """Up to five buttons, or one select, in a row."""
    return discord.ui.ActionRow(*items)


def raw(made: Layout) -> list[dict[str, Any]]:
    """The components as Discord gets them."""
    found: list[dict[str, Any]] = made.to_components()  # type: ignore[no-untyped-call]
    return found


def shows(message: discord.Message, made: Layout) -> bool:
    """Whether the message says this, and what can be pressed on it leads there."""
    parts = [dict(part.to_dict()) for part in message.components]
    return words_of(parts) == words_of(raw(made)) and ids_of(parts) == ids_of(raw(made))


def words_of(components: Iterable[dict[str, Any]]) -> list[str]:
    """Every text of a message's components, in order."""
    return [part["content"] for part in _walk(components) if "content" in part]


def ids_of(components: Iterable[dict[str, Any]]) -> list[str]:
    """Every custom id of a message's components, in order; of selects, those of the options too."""
    found: list[str] = []
    for part in _walk(components):
        found += [part["custom_id"]] if "custom_id" in part else []
        found += [option["value"] for option in part.get("options", ())]
    return found


def _walk(components: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for part in components:
        yield part
        yield from _walk(part.get("components") or ())
        if "accessory" in part:
            yield from _walk([part["accessory"]])

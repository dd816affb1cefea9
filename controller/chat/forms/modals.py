"""Modals, which people know as forms: their inputs, and the raw values that come back.

Modals are sent finished: discord.py stores none, and the router finds the way by custom id.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import discord

from controller.catalog import FieldSpec, SecretSpec
from controller.chat.languages import told
from controller.chat.requests.custom_ids import address
from controller.chat.words.fitting import distinct
from controller.chat.words.limits import (
    INPUT_HINT_MAX,
    INPUT_LABEL_MAX,
    INPUT_VALUE_MAX,
    MODAL_TITLE_MAX,
    OPTION_MAX,
    OPTIONS_MAX,
)
from controller.domain.errors import BadInput


@dataclass(frozen=True, slots=True)
class Box:
    """One input of a modal: what it asks for, what's in it, and whether it must be filled in."""

    spec: SecretSpec | FieldSpec
    value: str = ""
    hint: str = ""
    required: bool = True


def box_of(field: FieldSpec, value: str = "") -> Box:
    """A field as its template describes it."""
    return Box(field, value=value, hint=field.hint, required=field.required)


def modal(title: str, parts: Sequence[str], boxes: Iterable[Box]) -> discord.ui.Modal:
    """A modal whose custom id has these parts."""
    made = discord.ui.Modal(title=title[:MODAL_TITLE_MAX], custom_id=address(*parts), timeout=None)
    found = list(boxes)
    labels = distinct([told(box.spec.label) for box in found], INPUT_LABEL_MAX)
    for box, label in zip(found, labels, strict=True):
        made.add_item(_labelled(box, label))
    made.stop()
    return made


def title_with(head: str, tail: str) -> str:
    """A modal's title that always shows its tail."""
    return head[: MODAL_TITLE_MAX - len(tail)] + tail


def _labelled(box: Box, label: str) -> discord.ui.Label[discord.ui.Modal]:
    choices = box.spec.choices if isinstance(box.spec, FieldSpec) else ()
    if isinstance(box.spec, FieldSpec) and _selectable(choices):
        hint = told(box.hint)[:INPUT_HINT_MAX] or None
        return discord.ui.Label(text=label, description=hint, component=_select(box, box.spec))
    named = ", ".join(choices)[:INPUT_HINT_MAX] or None
    return discord.ui.Label(text=label, description=named, component=_text(box))


def _selectable(choices: Sequence[str]) -> bool:
    fit = all(0 < len(choice) <= OPTION_MAX for choice in choices)
    return fit and 0 < len(choices) == len(set(choices)) <= OPTIONS_MAX


def _select(box: Box, spec: FieldSpec) -> discord.ui.Select[discord.ui.Modal]:
    chosen = spec.items(box.value)
    return discord.ui.Select(
        custom_id=spec.name,
        required=box.required,
        min_values=1 if box.required else 0,
        max_values=len(spec.choices) if spec.is_list else 1,
        options=[
            discord.SelectOption(label=choice, value=choice, default=choice in chosen)
            for choice in spec.choices
        ],
    )


def _text(box: Box) -> discord.ui.TextInput[discord.ui.Modal]:
    spec = box.spec
    longest = min(longest_of(spec), INPUT_VALUE_MAX)
    shortest = spec.min_length if isinstance(spec, SecretSpec) and box.required else None
    return discord.ui.TextInput(
        custom_id=spec.name,
        style=discord.TextStyle.long if spec.multiline else discord.TextStyle.short,
        required=box.required,
        min_length=shortest,
        max_length=longest,
        placeholder=told(box.hint)[:INPUT_HINT_MAX] or None,
        default=box.value[:longest] or None,
    )


def longest_of(spec: SecretSpec | FieldSpec) -> int:
    """The most characters that may be typed."""
    # A secret may come sealed, which is longer; its own length is checked when it is opened.
    return INPUT_VALUE_MAX if isinstance(spec, SecretSpec) else spec.longest


def values_of(interaction: discord.Interaction) -> dict[str, str]:
    """The submitted texts by custom id, from the raw payload. BadInput for any other shape.

    Options picked from a list come as one text with commas, as if somebody had typed it.
    """
    data: dict[str, Any] = dict(interaction.data or {})
    try:
        pairs = [_pair(item) for item in data.get("components", [])]
    except (LookupError, TypeError, AttributeError):
        pairs = [(None, None)]
    found: dict[str, str] = {}
    for name, value in pairs:
        if not isinstance(name, str) or not isinstance(value, str):
            raise BadInput("That form could not be read.", hint="Open it again.")
        found[name] = value
    return found


def _pair(item: dict[str, Any]) -> tuple[object, object]:
    inner = item.get("component") or (item.get("components") or [{}])[0]
    if "values" in inner:
        return inner.get("custom_id"), ", ".join(inner["values"])
    return inner.get("custom_id"), inner.get("value", "")

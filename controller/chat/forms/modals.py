"""Modals and what comes back from them: inputs for secrets and fields, and a submit's raw values.

Modals are sent finished: discord.py stores none, `router` finds the way by the custom id.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import discord

from controller.catalog import FieldSpec, SecretSpec
from controller.chat.requests.addresses import SEPARATOR
from controller.domain.errors import BadInput

TITLE_MAX, LABEL_MAX, HINT_MAX, VALUE_MAX = 45, 45, 100, 4000  # Discord's limits
CHOICE_MAX, CHOICES_MAX = 100, 25


@dataclass(frozen=True, slots=True)
class Box:
    """One input as it is shown: what it asks for, what stands in it, whether it may stay empty."""

    spec: SecretSpec | FieldSpec
    value: str = ""
    hint: str = ""
    required: bool = True


def box_of(field: FieldSpec, value: str = "") -> Box:
    """A field as its template describes it."""
    return Box(field, value=value, hint=field.hint, required=field.required)


def modal(title: str, parts: Sequence[str], boxes: Iterable[Box]) -> discord.ui.Modal:
    """A modal whose custom id is made of these parts."""
    made = discord.ui.Modal(title=title[:TITLE_MAX], custom_id=SEPARATOR.join(parts), timeout=None)
    for box in boxes:
        made.add_item(_labelled(box))
    made.stop()
    return made


def _labelled(box: Box) -> discord.ui.Label[discord.ui.Modal]:
    label = box.spec.label[:LABEL_MAX]
    choices = box.spec.choices if isinstance(box.spec, FieldSpec) else ()
    if isinstance(box.spec, FieldSpec) and _selectable(choices):
        return discord.ui.Label(
            text=label, description=box.hint[:HINT_MAX] or None, component=_select(box, box.spec)
        )
    return discord.ui.Label(
        text=label, description=", ".join(choices)[:HINT_MAX] or None, component=_text(box)
    )


def _selectable(choices: Sequence[str]) -> bool:
    fit = all(0 < len(choice) <= CHOICE_MAX for choice in choices)
    return fit and 0 < len(choices) == len(set(choices)) <= CHOICES_MAX


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
    return discord.ui.TextInput(
        custom_id=spec.name,
        style=discord.TextStyle.long if spec.multiline else discord.TextStyle.short,
        required=box.required,
        max_length=VALUE_MAX,
        placeholder=box.hint[:HINT_MAX] or None,
        default=box.value[:VALUE_MAX] or None,
    )


def values_of(interaction: discord.Interaction) -> dict[str, str]:
    """The submitted texts by custom id, from the raw payload; BadInput for another shape.

    What was picked from a list is a text with commas, as if it had been typed.
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

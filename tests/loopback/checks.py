"""The limits that Discord enforces on messages, modals, choices and commands.
Next door: rest.py and callbacks.py call these before anything is stored."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .errors import ApiError, Json, invalid_form
from .world import Message, walk_components

V2_FLAG = 1 << 15
V2_TYPES = {9, 10, 11, 12, 13, 14, 17}
UPLOAD_LIMIT = 10 * 1024 * 1024
_COMMAND_NAME = re.compile(r"^[-_'\w]{1,32}$")


def length(path: str, value: object, longest: int, shortest: int = 0) -> None:
    size = len(str(value or ""))
    if size > longest:
        text = f"Must be {longest} or fewer in length."
        raise invalid_form(path, "BASE_TYPE_MAX_LENGTH", text)
    if size < shortest:
        raise invalid_form(path, "BASE_TYPE_REQUIRED", "This field is required")


def count(path: str, values: list[Json], most: int) -> None:
    if len(values) > most:
        text = f"Must be {most} or fewer in length."
        raise invalid_form(path, "BASE_TYPE_MAX_LENGTH", text)


def message(draft: Message) -> None:
    """Checks a message as it would be after the request."""
    length("content", draft.written, 2000)
    if draft.flags & V2_FLAG:
        _v2_message(draft)
    else:
        _classic_components(draft.components)
    _embeds(draft.embeds)
    if sum(attachment.size for attachment in draft.attachments) > UPLOAD_LIMIT:
        raise ApiError(413, 40005, "Request entity too large")
    filled = draft.written or draft.embeds or draft.attachments or draft.components
    if not filled:
        raise ApiError(400, 50006, "Cannot send an empty message")


def _v2_message(draft: Message) -> None:
    if draft.written or draft.embeds:
        text = "The 'content' and 'embeds' fields cannot be used with MessageFlags.IS_COMPONENTS_V2"
        raise invalid_form("flags", "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2", text)
    parts = list(walk_components(draft.components))
    count("components", parts, 40)
    length("components", "".join(part.get("content") or "" for part in parts), 4000)
    _custom_ids(draft.components)


def _classic_components(rows: list[Json]) -> None:
    count("components", rows, 5)
    for index, row in enumerate(rows):
        if row.get("type") in V2_TYPES or row.get("type") != 1:
            raise invalid_form(
                f"components.{index}.type", "UNION_TYPE_CHOICES", "Value must be one of {1}."
            )
        inside = row.get("components") or []
        count(f"components.{index}.components", inside, 5)
        if not inside:
            raise invalid_form(
                f"components.{index}.components", "BASE_TYPE_BAD_LENGTH", "Must be 1 to 5."
            )
    _custom_ids(rows)


def _custom_ids(components: list[Json]) -> None:
    seen: set[str] = set()
    for part in walk_components(components):
        length("components.label", part.get("label"), 80)
        custom_id = part.get("custom_id")
        if custom_id is None:
            continue
        length("components.custom_id", custom_id, 100, 1)
        if custom_id in seen:
            text = "Component custom id cannot be duplicated"
            raise invalid_form("components", "COMPONENT_CUSTOM_ID_DUPLICATED", text)
        seen.add(custom_id)


def _embeds(embeds: list[Json]) -> None:
    count("embeds", embeds, 10)
    total = 0
    for index, embed in enumerate(embeds):
        where = f"embeds.{index}"
        length(f"{where}.title", embed.get("title"), 256)
        length(f"{where}.description", embed.get("description"), 4096)
        fields = embed.get("fields") or []
        count(f"{where}.fields", fields, 25)
        for number, entry in enumerate(fields):
            length(f"{where}.fields.{number}.name", entry.get("name"), 256, 1)
            length(f"{where}.fields.{number}.value", entry.get("value"), 1024, 1)
        total += _embed_size(embed)
    if total > 6000:
        text = "Embed size exceeds maximum size of 6000"
        raise invalid_form("embeds", "MAX_EMBED_SIZE_EXCEEDED", text)


def _embed_size(embed: Json) -> int:
    texts = [embed.get("title"), embed.get("description")]
    texts += [(embed.get("footer") or {}).get("text"), (embed.get("author") or {}).get("name")]
    texts += [entry[key] for entry in embed.get("fields") or [] for key in ("name", "value")]
    return sum(len(text or "") for text in texts)


def modal(data: Json) -> None:
    length("data.title", data.get("title"), 45, 1)
    length("data.custom_id", data.get("custom_id"), 100, 1)
    rows = data.get("components") or []
    if not 1 <= len(rows) <= 5:
        raise invalid_form(
            "data.components", "BASE_TYPE_BAD_LENGTH", "Must be between 1 and 5 in length."
        )
    seen: set[str] = set()
    for index, part in enumerate(rows):
        if part.get("type") == 18:
            length(f"data.components.{index}.label", part.get("label"), 45, 1)
            length(f"data.components.{index}.description", part.get("description"), 100)
        for inner in walk_components([part]):
            _modal_input(f"data.components.{index}", inner, seen)


def _modal_input(where: str, part: Json, seen: set[str]) -> None:
    if part.get("type") == 4:
        length(f"{where}.label", part.get("label"), 45)
        length(f"{where}.placeholder", part.get("placeholder"), 100)
        length(f"{where}.value", part.get("value"), min(part.get("max_length") or 4000, 4000))
    if "custom_id" not in part:
        return
    length(f"{where}.custom_id", part["custom_id"], 100, 1)
    if part["custom_id"] in seen:
        text = "Component custom id cannot be duplicated"
        raise invalid_form(where, "COMPONENT_CUSTOM_ID_DUPLICATED", text)
    seen.add(part["custom_id"])


def choices(entries: list[Json], path: str = "data.choices") -> None:
    count(path, entries, 25)
    for index, entry in enumerate(entries):
        length(f"{path}.{index}.name", entry.get("name"), 100, 1)
        if isinstance(entry.get("value"), str):
            length(f"{path}.{index}.value", entry["value"], 100)


def commands(payload: list[Json]) -> None:
    if sum(entry.get("type", 1) == 1 for entry in payload) > 100:
        raise ApiError(400, 30032, "Maximum number of application commands reached (100).")
    _unique("", payload)
    for index, entry in enumerate(payload):
        _command(str(index), entry)


def _command(where: str, entry: Json) -> None:
    name = entry.get("name", "")
    if entry.get("type", 1) not in (2, 3):
        if not _COMMAND_NAME.match(name) or name != name.lower():
            text = "Command name is invalid"
            raise invalid_form(f"{where}.name", "APPLICATION_COMMAND_INVALID_NAME", text)
        length(f"{where}.description", entry.get("description"), 100, 1)
    options = entry.get("options") or []
    count(f"{where}.options", options, 25)
    _unique(f"{where}.options.", options)
    choices(entry.get("choices") or [], f"{where}.choices")
    optional = False
    for index, option in enumerate(options):
        required = bool(option.get("required"))
        if required and optional:
            text = "Required options must be placed before non-required options"
            code = "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID"
            raise invalid_form(f"{where}.options.{index}", code, text)
        optional = optional or not required
        _command(f"{where}.options.{index}", option | {"type": 1})


def _unique(where: str, entries: Iterable[Json]) -> None:
    seen: set[tuple[str, object]] = set()
    for index, entry in enumerate(entries):
        key = (entry.get("name", ""), 1 if where else entry.get("type", 1))
        if key in seen:
            code = "APPLICATION_COMMANDS_DUPLICATE_NAME"
            raise invalid_form(f"{where}{index}", code, f"'{key[0]}' is used twice.")
        seen.add(key)

"""Builds interaction payloads as Discord sends them: commands, components, modal submits.
Next door: person.py chooses what to send; the shapes of users and channels are in world.py."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from .checks import UPLOAD_LIMIT
from .errors import Json
from .invocation import Modal, inputs_of
from .world import EVERY_PERMISSION, Attachment, Message

if TYPE_CHECKING:
    from .person import Person
    from .server import LoopbackDiscord


def base(person: Person, kind: int, channel_id: int, data: Json) -> Json:
    """What all interactions share; a DM has `user` and context 1, a guild channel has `member`."""
    guild = person.world.guild
    channel = guild.channels[channel_id]
    payload: Json = {
        "id": str(guild.ids.next()),
        "application_id": str(guild.application_id),
        "type": kind,
        "token": secrets.token_urlsafe(48),
        "version": 1,
        "data": data,
        "channel_id": str(channel_id),
        "channel": channel.json(),
        "app_permissions": str(EVERY_PERMISSION),
        "locale": person.locale,
        "entitlements": [],
        "authorizing_integration_owners": {"0": "0" if channel.is_dm else str(guild.id)},
        "context": 1 if channel.is_dm else 0,
        "attachment_size_limit": UPLOAD_LIMIT,
    }
    if channel.is_dm:
        return payload | {"user": person.user.json()}
    permissions = str(guild.permissions_of(person.member))
    payload["channel"]["permissions"] = permissions
    return payload | {
        "guild_id": str(guild.id),
        "guild": {"id": str(guild.id), "locale": "en-US", "features": []},
        "guild_locale": "en-US",
        "member": person.member.json() | {"permissions": permissions},
    }


def find_command(world: LoopbackDiscord, name: str) -> tuple[list[Json], Json]:
    """The command, group and sub-command that a name such as `bot create` leads to."""
    words = name.removeprefix("/").split()
    everything = [*world.commands, *world.global_commands]
    path: list[Json] = []
    level = [entry for entry in everything if entry.get("type", 1) == 1]
    for word in words:
        found = next((entry for entry in level if entry["name"] == word), None)
        if found is None:
            known = ", ".join(entry["name"] for entry in level) or "none"
            raise LookupError(f"no command {name!r}: at {word!r} there are {known}")
        path.append(found)
        level = [o for o in found.get("options") or [] if o["type"] in (1, 2)]
    if level:
        raise LookupError(f"{name!r} is a group of {', '.join(o['name'] for o in level)}")
    return path, path[-1]


def command_data(
    world: LoopbackDiscord, name: str, given: Mapping[str, Any], focused: str | None = None
) -> Json:
    """The `data` of a command or, with a focused option, of an autocomplete."""
    path, leaf = find_command(world, name)
    schema = {o["name"]: o for o in leaf.get("options") or [] if o["type"] > 2}
    present = {key: value for key, value in given.items() if value is not None}
    _check_names(name, schema, present, complete=focused is None)
    resolved: Json = {}
    options: list[Json] = []
    for key, value in present.items():
        options.append(_option(world, schema[key], value, resolved, focused))
    for step in reversed(path[1:]):
        options = [{"type": step["type"], "name": step["name"], "options": options}]
    data: Json = {"id": path[0]["id"], "name": path[0]["name"], "type": 1, "options": options}
    if "guild_id" in path[0]:
        data["guild_id"] = path[0]["guild_id"]
    return data | ({"resolved": resolved} if resolved and focused is None else {})


def _check_names(name: str, schema: Json, present: Mapping[str, Any], complete: bool) -> None:
    strange = set(present) - set(schema)
    if strange:
        raise ValueError(f"/{name} has no option {strange}; it has {list(schema)}")
    missing = [key for key, option in schema.items() if option.get("required")]
    missing = [key for key in missing if key not in present]
    if complete and missing:
        raise ValueError(f"Discord would not send /{name} without {missing}")


def _option(
    world: LoopbackDiscord, option: Json, value: Any, resolved: Json, focused: str | None
) -> Json:
    entry: Json = {"name": option["name"], "type": option["type"]}
    if focused is not None and option["type"] in (3, 4, 10):
        is_focused = option["name"] == focused
        return entry | {"value": value} | ({"focused": True} if is_focused else {})
    entry["value"] = _option_value(world, option["type"], value, resolved)
    allowed = [choice["value"] for choice in option.get("choices") or []]
    if allowed and entry["value"] not in allowed:
        raise ValueError(f"{option['name']}={value!r} is none of the choices {allowed}")
    return entry


def _option_value(world: LoopbackDiscord, kind: int, value: Any, resolved: Json) -> Any:
    if kind == 3:
        return str(value)
    if kind == 4:
        return int(value)
    if kind == 5:
        return bool(value)
    if kind == 10:
        return float(value)
    if kind == 11:
        return _resolve_file(world, value, resolved)
    return _resolve(world, kind, value, resolved)


def _resolve(world: LoopbackDiscord, kind: int, value: Any, resolved: Json) -> str:
    """Users (6), channels (7), roles (8) and mentionables (9), by object, id or role name."""
    guild = world.guild
    if isinstance(value, str) and not value.isdigit():
        value = world.role_id(value)
    found = int(getattr(value, "id", value))
    key = str(found)
    if kind in (6, 9) and found in guild.members:
        member = guild.members[found]
        resolved.setdefault("users", {})[key] = member.user.json()
        partial = member.json() | {"permissions": str(guild.permissions_of(member))}
        del partial["user"]
        resolved.setdefault("members", {})[key] = partial
    elif kind in (8, 9) and found in guild.roles:
        resolved.setdefault("roles", {})[key] = guild.roles[found].json()
    elif kind == 7 and found in guild.channels:
        channel = guild.channels[found].json()
        resolved.setdefault("channels", {})[key] = channel | {"permissions": "0"}
    else:
        raise LookupError(f"nothing with the id {found} for an option of type {kind}")
    return key


def _resolve_file(world: LoopbackDiscord, value: tuple[str, bytes], resolved: Json) -> str:
    attachment: Attachment = world.store_file(*value)
    resolved.setdefault("attachments", {})[str(attachment.id)] = attachment.json()
    return str(attachment.id)


def find_component(message: Message, label: str | None, custom_id: str | None) -> Json:
    """The button or select with this label (or placeholder), or this custom_id."""
    parts = [part for part in message.walk() if "custom_id" in part]
    for part in parts:
        if custom_id is not None and part["custom_id"] == custom_id:
            return part
        if label is not None and label in (part.get("label"), part.get("placeholder")):
            return part
    known = [(part.get("label") or part.get("placeholder"), part["custom_id"]) for part in parts]
    raise LookupError(f"no component {label or custom_id!r}; there are {known or 'none'}")


def component_data(world: LoopbackDiscord, part: Json, values: list[Any] | None) -> Json:
    data: Json = {"custom_id": part["custom_id"], "component_type": part["type"]}
    data["id"] = part.get("id", 1)
    if part["type"] == 2:
        return data
    return data | _selected(world, part, values or [])


def _selected(world: LoopbackDiscord, part: Json, values: list[Any]) -> Json:
    if part["type"] == 3:
        allowed = [option["value"] for option in part["options"]]
        strange = [value for value in values if value not in allowed]
        if strange:
            raise ValueError(f"{strange} is none of the options {allowed}")
        return {"values": list(values)}
    resolved: Json = {}
    kind = {5: 6, 6: 8, 7: 9, 8: 7}[part["type"]]
    picked = [_resolve(world, kind, value, resolved) for value in values]
    return {"values": picked, "resolved": resolved}


def modal_data(world: LoopbackDiscord, modal: Modal, values: Mapping[str, Any]) -> Json:
    """The `data` of a modal submit, nested as real Discord nests it."""
    known = [field["custom_id"] for field in modal.fields]
    strange = set(values) - set(known)
    if strange:
        raise ValueError(f"the modal {modal.title!r} has no field {strange}; it has {known}")
    resolved: Json = {}
    components = [_submitted(world, top, values, resolved) for top in modal.raw["components"]]
    data: Json = {"custom_id": modal.custom_id, "components": components}
    return data | ({"resolved": resolved} if resolved else {})


def _submitted(
    world: LoopbackDiscord, top: Json, values: Mapping[str, Any], resolved: Json
) -> Json:
    filled = [_filled(world, part, values, resolved) for part in inputs_of(top)]
    shell: Json = {"type": top["type"], "id": top["id"]}
    if top["type"] == 18:
        return shell | {"component": filled[0]}
    if top["type"] == 1:
        return shell | {"components": filled}
    return shell


def _filled(world: LoopbackDiscord, part: Json, values: Mapping[str, Any], resolved: Json) -> Json:
    entry: Json = {key: part[key] for key in ("type", "id", "custom_id")}
    value = values.get(part["custom_id"])
    if part["type"] == 4:
        text = str(value if value is not None else "")
        longest = part.get("max_length") or 4000
        if len(text) > longest:
            raise ValueError(f"{part['custom_id']!r} takes at most {longest} characters")
        return entry | {"value": text}
    if part["type"] == 23:
        return entry | {"value": bool(value)}
    if part["type"] == 21:
        return entry | {"value": value}
    single = isinstance(value, str | tuple)
    many: list[Any] = [] if value is None else [value] if single else list(value)
    if part["type"] == 19:
        return entry | {"values": [_resolve_file(world, item, resolved) for item in many]}
    if part["type"] in (5, 6, 7, 8):
        chosen = _selected(world, part, many)
        for kind, found in chosen["resolved"].items():
            resolved.setdefault(kind, {}).update(found)
        return entry | {"values": chosen["values"]}
    return entry | {"values": many}

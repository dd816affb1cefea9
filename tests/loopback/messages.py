"""How a request body becomes a message, changes one, or removes one.
Next door: rest.py does this for channels, callbacks.py for answers to interactions."""

from __future__ import annotations

import copy
import dataclasses
import re
from typing import TYPE_CHECKING, Any

from . import checks
from .errors import Json
from .gateway import INTENT_DM_MESSAGES, INTENT_GUILD_MESSAGES
from .world import EPHEMERAL, LOADING, Attachment, Message, User, now_iso, walk_components

if TYPE_CHECKING:
    from .server import LoopbackDiscord

Files = dict[str, tuple[str, bytes]]
_MENTION = re.compile(r"<@!?(\d+)>")
KEPT_FLAGS = 1 << 2 | 1 << 12 | checks.V2_FLAG  # suppress embeds, silent, components V2


def create(
    world: LoopbackDiscord,
    channel_id: int,
    body: Json,
    files: Files,
    *,
    author: User | None = None,
    interaction: Json | None = None,
    flags: int = 0,
) -> Message:
    """Checks, stores and announces a new message by the bot."""
    blank = Message(world.guild.ids.next(), channel_id, author or world.guild.bot)
    blank.flags = flags
    blank.interaction = interaction
    blank.webhook_id = world.application_id if interaction else None
    blank.nonce = body.get("nonce")
    blank.reference = body.get("message_reference")
    if not flags & LOADING:
        _apply(world, blank, body, files)
    if not blank.ephemeral:
        world.guild.logs[channel_id][blank.id] = blank
        _tell(world, "MESSAGE_CREATE", blank)
    world.changed()
    return blank


def edit(world: LoopbackDiscord, message: Message, body: Json, files: Files) -> Message:
    """Changes a message in place; completing a "thinking" one is not counted as an edit."""
    before, was_loading = message.content, message.loading
    _apply(world, message, body, files)
    if not was_loading:
        message.history.append(before)
        message.edits += 1
        message.edited = now_iso()
    if not message.ephemeral:
        _tell(world, "MESSAGE_UPDATE", message)
    inv = world.origins.get(message.id)
    if inv is not None:
        inv.note_message("answer" if was_loading else "edit", message)
    world.changed()
    return message


def delete(world: LoopbackDiscord, message: Message) -> None:
    message.deleted = True
    inv = world.origins.get(message.id)
    if inv is not None:
        inv.note_message("deleted", message)
    ids = {"id": str(message.id), "channel_id": str(message.channel_id)}
    if not message.ephemeral:
        _dispatch(world, "MESSAGE_DELETE", message, ids)
    world.changed()


def _apply(world: LoopbackDiscord, message: Message, body: Json, files: Files) -> None:
    body = copy.deepcopy(body)
    changes: dict[str, Any] = {}
    if "content" in body:
        changes["written"] = body["content"] or ""
    for key in ("embeds", "components"):
        if key in body:
            changes[key] = body[key] or []
    if "allowed_mentions" in body:
        changes["allowed_mentions"] = body["allowed_mentions"]
    given = int(body.get("flags") or 0)
    changes["flags"] = (message.flags & ~LOADING) | (given & KEPT_FLAGS)
    changes["attachments"] = _attachments(world, message, body, files)
    checks.message(dataclasses.replace(message, **changes))
    number(changes.get("components", []))
    for key, value in changes.items():
        setattr(message, key, value)


def number(components: list[Json]) -> None:
    """Gives each component the id that Discord gives it when the bot does not."""
    for index, part in enumerate(walk_components(components), start=1):
        part.setdefault("id", index)


def _attachments(
    world: LoopbackDiscord, message: Message, body: Json, files: Files
) -> list[Attachment]:
    """The kept attachments, then the uploaded ones, in the body's order."""
    have = {str(attachment.id): attachment for attachment in message.attachments}
    named = body.get("attachments")
    if named is None:
        return [*message.attachments, *(world.store_file(*file) for file in files.values())]
    kept = [have[str(entry["id"])] for entry in named if str(entry["id"]) in have]
    new: list[Attachment] = []
    for entry in named:
        file = files.get(f"files[{entry['id']}]")
        if file is not None and str(entry["id"]) not in have:
            stored = world.store_file(entry.get("filename") or file[0], file[1])
            stored.description = entry.get("description")
            new.append(stored)
    return kept + new


def _tell(world: LoopbackDiscord, event: str, message: Message) -> None:
    found = [int(text) for text in _MENTION.findall(message.content)]
    members = world.guild.members
    named = [members[one].user.json() for one in dict.fromkeys(found) if one in members]
    _dispatch(world, event, message, message.json() | {"mentions": named})


def _dispatch(world: LoopbackDiscord, event: str, message: Message, data: Json) -> None:
    channel = world.guild.channels[message.channel_id]
    if not channel.is_dm:
        data = data | {"guild_id": str(world.guild.id)}
    intent = INTENT_DM_MESSAGES if channel.is_dm else INTENT_GUILD_MESSAGES
    world.gateway.dispatch(event, data, intent)


def given_flags(body: Json) -> int:
    """The flags that count only when a message is created."""
    return int(body.get("flags") or 0) & EPHEMERAL

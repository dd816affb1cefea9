"""Answers to interactions: the first callback, follow-ups, and messages found by token.
Next door: rest.py routes to these, invocation.py is what they fill in."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from . import checks, messages
from .errors import ApiError, Json, invalid_form, unknown
from .invocation import KINDS, Invocation, Modal
from .messages import Files
from .world import EPHEMERAL, LOADING, Message

if TYPE_CHECKING:
    from .server import LoopbackDiscord

# Which callback types an interaction type accepts.
ALLOWED = {2: {4, 5, 9}, 3: {4, 5, 6, 7, 9}, 4: {8}, 5: {4, 5, 6, 7}}


def find_interaction(world: LoopbackDiscord, interaction_id: int, token: str) -> Invocation:
    inv = world.invocations.get(interaction_id)
    if inv is None:
        raise unknown("interaction", 10062)
    if inv.token != token:
        raise ApiError(401, 50027, "Invalid Webhook Token")
    return inv


def first_answer(world: LoopbackDiscord, inv: Invocation, body: Json, files: Files) -> Json:
    """The callback; returns what `with_response` asks for."""
    try:
        _acceptable(world, inv, body)
        age = inv.age
        resource = _answer(world, inv, int(body["type"]), body.get("data") or {}, files)
    except ApiError as refusal:
        inv.callbacks.append(refusal.status)
        inv.note(f"callback refused: {refusal}")
        raise
    inv.callbacks.append(200)
    inv.answered_ms = age * 1000
    inv.kind = KINDS[int(body["type"])]
    _note(inv)
    world.changed()
    return _response(inv, int(body["type"]), resource)


def _acceptable(world: LoopbackDiscord, inv: Invocation, body: Json) -> None:
    if inv.answered:
        raise ApiError(400, 40060, "Interaction has already been acknowledged.")
    if inv.age > world.answer_window:
        raise unknown("interaction", 10062)
    kind = body.get("type")
    needs_source = kind in (6, 7) and inv.source is None
    if kind not in ALLOWED[inv.type] or needs_source:
        text = f"Callback type {kind} does not fit an interaction of type {inv.type}"
        raise invalid_form("type", "BASE_TYPE_CHOICES", text)


def _answer(
    world: LoopbackDiscord, inv: Invocation, kind: int, data: Json, files: Files
) -> Message | None:
    """Does what the callback says; returns the message that it created or changed, if any."""
    if kind == 4:
        flags = messages.given_flags(data)
        return _original(inv, _post(world, inv, data, files, flags))
    if kind == 5:
        flags = messages.given_flags(data) | LOADING
        _original(inv, _post(world, inv, {}, {}, flags))
    elif kind in (6, 7):
        assert inv.source is not None
        if inv.source.deleted:
            raise unknown("Message", 10008)
        _original(inv, inv.source)
        return messages.edit(world, inv.source, data, files) if kind == 7 else None
    elif kind == 8:
        entries = data.get("choices") or []
        checks.choices(entries)
        inv.choices = entries
    else:
        checks.modal(data)
        raw = copy.deepcopy(data)
        messages.number(raw["components"])
        inv.modal = Modal(inv, raw)
    return None


def _original(inv: Invocation, message: Message) -> Message:
    inv.message = message
    inv.owned[message.id] = message
    inv.world.origins[message.id] = inv
    return message


def _post(world: LoopbackDiscord, inv: Invocation, data: Json, files: Files, flags: int) -> Message:
    about = {
        "id": str(inv.id),
        "type": inv.type,
        "user": inv.person.user.json(),
        "authorizing_integration_owners": inv.payload["authorizing_integration_owners"],
    }
    return messages.create(world, inv.channel_id, data, files, interaction=about, flags=flags)


def _note(inv: Invocation) -> None:
    if inv.modal is not None:
        fields = [field["label"] for field in inv.modal.fields]
        inv.note(f"modal {inv.modal.title!r} with {fields}")
    elif inv.choices is not None:
        inv.note(f"choices {[choice['name'] for choice in inv.choices]}")
    elif inv.kind in ("message", "update") and inv.message is not None:
        inv.note_message(inv.kind, inv.message)
    else:
        inv.note(f"{inv.kind}{' (private)' if inv.ephemeral else ''}")


def _response(inv: Invocation, kind: int, made: Message | None) -> Json:
    about: Json = {"id": str(inv.id), "type": inv.type}
    if inv.message is not None:
        about["response_message_id"] = str(inv.message.id)
        about["response_message_loading"] = inv.message.loading
        about["response_message_ephemeral"] = inv.message.ephemeral
    if made is None:
        return {"interaction": about}
    return {"interaction": about, "resource": {"type": kind, "message": made.json()}}


def find_webhook(world: LoopbackDiscord, application_id: int, token: str) -> Invocation:
    """The interaction behind a token; before its first answer the webhook does not exist."""
    if application_id != world.application_id:
        raise unknown("Webhook", 10015)
    inv = world.by_token.get(token)
    if inv is None:
        raise ApiError(401, 50027, "Invalid Webhook Token")
    if not inv.answered:
        raise unknown("Webhook", 10015)
    return inv


def follow_up(world: LoopbackDiscord, inv: Invocation, body: Json, files: Files) -> Message:
    """A follow-up; the first one after a deferral completes the "thinking" message instead."""
    if inv.message is not None and inv.message.loading and not inv.message.deleted:
        return messages.edit(world, inv.message, body, files)
    message = _post(world, inv, body, files, int(body.get("flags") or 0) & EPHEMERAL)
    inv.followups.append(message)
    inv.owned[message.id] = message
    world.origins[message.id] = inv
    inv.note_message("follow-up", message)
    world.changed()
    return message


def owned_message(inv: Invocation, name: str) -> Message:
    """`@original` or an id of a message that this token made."""
    message = inv.message if name == "@original" else inv.owned.get(int(name))
    if message is None or message.deleted:
        raise unknown("Message", 10008)
    return message

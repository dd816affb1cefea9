"""The events that our Worker is told: what kind each is, and its form."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from controller.domain.journal import Entry, Kind
from controller.domain.webhook_bodies import event_of, rfc3339
from controller.domain.webhooks import EVENTS

LIFECYCLE = "lifecycle"
WORKER_DEPLOYMENT = "worker_deployment"
CONFIG_CHANGE = "config_change"
HEALTH_CHECK = "health_check"
REQUEST = "request"
OTHER = "other"
KINDS: Mapping[Kind, str] = {
    Kind.ASKED: REQUEST,
    Kind.OUTCOME: REQUEST,
    Kind.REFUSED: REQUEST,
    Kind.NOTED: REQUEST,
    Kind.EDGE_WISH: REQUEST,
    Kind.CREATED: LIFECYCLE,
    Kind.REMOVED: LIFECYCLE,
    Kind.WISH: LIFECYCLE,
    Kind.IMAGE: LIFECYCLE,
    Kind.NEW_IMAGE: LIFECYCLE,
    Kind.RELOAD: LIFECYCLE,
    Kind.BY_HAND: LIFECYCLE,
    Kind.RELEASE: LIFECYCLE,
    Kind.PROVED: LIFECYCLE,
    Kind.SNAPSHOT: LIFECYCLE,
    Kind.TAKEN_BACK: LIFECYCLE,
    Kind.RESTORED: LIFECYCLE,
    Kind.SETTINGS: CONFIG_CHANGE,
    Kind.SECRETS: CONFIG_CHANGE,
    Kind.GRANT: CONFIG_CHANGE,
    Kind.REVOKE: CONFIG_CHANGE,
    Kind.CRASH: HEALTH_CHECK,
    Kind.PROBLEM: HEALTH_CHECK,
    Kind.UNCHECKED: HEALTH_CHECK,
    Kind.HEALTH: HEALTH_CHECK,
    Kind.WORKER: WORKER_DEPLOYMENT,
}
BATCH_MOST = 100  # events of one POST
BYTES_MOST = 512 * 1024
EVENT_MOST = 150_000  # bytes of one event; a larger one is told without its details


def bare_event(entry: Entry, instance: str) -> dict[str, Any]:
    """The same without anything that is particular to it: for what can't be told in full."""
    return {
        "id": f"{instance}-{entry.seq}",
        "seq": entry.seq,
        "kind": KINDS.get(entry.kind, OTHER),
        "type": EVENTS[entry.kind],
        "at": rfc3339(entry.at),
        "bot": entry.bot_name or None,
        "data": {"number": entry.seq, "cut": True},
    }


def edge_event(entry: Entry, instance: str, redact: Callable[[str], str]) -> dict[str, Any]:
    """An entry as the Worker keeps it: the same id whenever it is sent."""
    event = event_of(entry, instance, redact)
    found = {
        "id": event.id,
        "seq": entry.seq,
        "kind": KINDS.get(entry.kind, OTHER),
        "type": event.type,
        "at": rfc3339(event.at),
        "bot": entry.bot_name or None,
        "data": {**event.data, "text": event.text},
    }
    if entry.kind is Kind.EDGE_WISH:
        ended = event.data["details"]
        return found | {"wish": ended.get("wish"), "data": ended}
    return found

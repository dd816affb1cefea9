"""How a webhook's row changes with each attempt, and how it is doing, in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from controller.domain.webhooks import DeadLetter, Webhook

UNWELL_SECONDS = 3600.0  # of failures, from which on the doctor calls it wrong


@dataclass(frozen=True, slots=True)
class Part:
    """A part of the journal: it ends with entry `until`, and so many entries are missing in it."""

    until: int
    missing: int = 0


def delivered(webhook: Webhook, seq: int, now: float) -> Webhook:
    """After the receiver took that entry."""
    return replace(webhook, cursor=seq, delivered_at=now, failures=0, failing_since=None, reason="")


def failed(webhook: Webhook, reason: str, now: float) -> Webhook:
    """After an attempt that has to be made again."""
    since = webhook.failing_since if webhook.failing_since is not None else now
    return replace(webhook, failures=webhook.failures + 1, failing_since=since, reason=reason)


def gave_up(webhook: Webhook, letters: Sequence[DeadLetter]) -> Webhook:
    """After these events were given up, one or more. What follows them is tried."""
    last = letters[-1]
    dead = webhook.dead + len(letters)
    return replace(webhook, cursor=last.seq, dead=dead, dead_at=last.at)


def stopped(webhook: Webhook, reason: str, now: float) -> Webhook:
    """After the receiver said that it is gone. Nothing is given up: a replay goes on from here."""
    return replace(failed(webhook, reason, now), stopped=True)


def went_on(webhook: Webhook, part: Part) -> Webhook:
    """Past entries of which none can or need be sent."""
    return replace(webhook, cursor=part.until, lost=webhook.lost + part.missing)


def sent_again(webhook: Webhook, cursor: int) -> Webhook:
    """Begin anew behind that entry, at once, also where the receiver was gone."""
    return replace(webhook, cursor=cursor, failures=0, failing_since=None, reason="", stopped=False)


def is_first_loss(webhook: Webhook) -> bool:
    """Whether nothing was given up yet since the receiver's trouble began: to be told once."""
    since = webhook.failing_since
    return webhook.dead_at is None or since is None or webhook.dead_at < since


def state(webhook: Webhook) -> Literal["ok", "failing", "stopped"]:
    """In a word."""
    if webhook.stopped:
        return "stopped"
    return "failing" if webhook.failing_since is not None else "ok"


def health(webhook: Webhook, now: float) -> tuple[bool | None, str, str]:
    """How it is doing: whether that is well, in words, and what to do about it."""
    again = f"Then run botmaker webhook replay {webhook.name}."
    if webhook.stopped:
        remedy = f"Remove it, or make the receiver take events again. {again}"
        return False, f"its receiver wants nothing more: {webhook.reason}", remedy
    if webhook.failing_since is not None:
        since = now - webhook.failing_since
        text = f"hasn't taken an event for {_duration(since)}: {webhook.reason}"
        remedy = f"Check the receiver, and run botmaker webhook test {webhook.name}."
        return (False if since >= UNWELL_SECONDS else None), text, remedy
    troubles = []
    if webhook.dead:
        troubles.append(f"{webhook.dead} events were given up")
    if webhook.lost:
        troubles.append(f"{webhook.lost} events were no longer in the journal")
    if troubles:
        remedy = f"botmaker webhook dead {webhook.name} lists those that were given up."
        return None, f"works again, but {' and '.join(troubles)}", remedy
    return True, f"sends {webhook.format.value} to {webhook.host}", ""


def _duration(seconds: float) -> str:
    for size, word in ((86_400, "day"), (3600, "hour"), (60, "minute")):
        count = int(seconds // size)
        if count:
            return f"{count} {word}{'s' if count > 1 else ''}"
    return "a moment"

"""Who is told of an incident, and when. Pure.

A new message pings; an edit doesn't. So an incident is announced by a new message, again ever less
often while nobody looks after it, and otherwise its message is only edited.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from controller.domain.errors import BadInput
from controller.domain.incident import DUE, Incident, Pace

DAY = 1440  # minutes


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """Somebody who asked to be pinged: a person or a role, for all bots or for one."""

    kind: Literal["user", "role"]
    subject: int  # Discord's id
    bot_id: str = ""  # empty: all bots, and what concerns all of them
    quiet_from: int = 0  # minutes after midnight; the same as `quiet_to`: never quiet
    quiet_to: int = 0
    zone: str = "UTC"
    since: float = 0.0  # what began before isn't theirs

    @property
    def whom(self) -> str:
        """Whom it pings, as incidents remember it."""
        return f"{self.kind}:{self.subject}"

    def is_about(self, incident: Incident) -> bool:
        """Whether they asked for that."""
        return self.since <= incident.opened_at and self.bot_id in ("", incident.bot_id)

    def quiet_for(self, now: float) -> float:
        """Seconds until their quiet hours end; 0 outside of them."""
        if self.quiet_from == self.quiet_to:
            return 0.0
        there = datetime.fromtimestamp(now, ZoneInfo(self.zone))
        minute = there.hour * 60 + there.minute
        if (minute - self.quiet_from) % DAY >= (self.quiet_to - self.quiet_from) % DAY:
            return 0.0
        end = there.replace(
            hour=self.quiet_to // 60, minute=self.quiet_to % 60, second=0, microsecond=0
        )
        if end <= there:
            end += timedelta(days=1)
        return max(1.0, (end.astimezone(UTC) - there.astimezone(UTC)).total_seconds())


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do about an incident's message now."""

    post: bool = False  # else it is edited, if it says something else
    repeats: bool = False  # whether the post is news, and not only for who had quiet hours
    pings: tuple[Alert, ...] = ()
    again: float | None = None  # seconds until the next decision; None: only after a change


def plan(incident: Incident, alerts: Iterable[Alert], now: float, pace: Pace) -> Plan:
    """Whether to announce the incident now, and to whom."""
    if incident.shown == DUE:
        return Plan()  # it was decided, and has to be posted
    if incident.is_over:
        return Plan(post=not incident.announced, repeats=not incident.announced)
    asked = {one.whom: one for one in alerts if one.is_about(incident)}
    awake = tuple(one for one in asked.values() if not one.quiet_for(now))
    if not incident.announced:
        return Plan(post=True, repeats=True, pings=awake)
    if incident.muted_until > now:
        left = incident.muted_until - now
        return Plan(again=left if math.isfinite(left) else None)
    if incident.acknowledged_at:
        return Plan()
    due = incident.announced_at + pace.pause(incident.announced)
    if incident.worse_at > incident.announced_at:
        due = min(due, incident.announced_at + pace.worse)
    if now >= due:
        return Plan(post=True, repeats=True, pings=awake)
    owed = tuple(one for one in awake if one.whom not in incident.pinged)
    if owed:
        return Plan(post=True, pings=owed)
    quiet = [left for one in asked.values() if (left := one.quiet_for(now))]
    return Plan(again=min([due - now, *quiet]))


def announced(incident: Incident, made: Plan, now: float) -> Incident:
    """The incident once that plan is about to be carried out."""
    if not made.post:
        return incident
    pings = frozenset(one.whom for one in made.pings)
    due = replace(incident, owed=pings, shown=DUE)
    if not made.repeats:
        return replace(due, pinged=incident.pinged | pings)
    return replace(due, announced=incident.announced + 1, announced_at=now, pinged=pings)


def hours_of(typed: str) -> tuple[int, int]:
    """`22:00-07:30` as minutes after midnight; nothing means no quiet hours. BadInput else."""
    text = typed.strip().replace(" ", "").replace("–", "-")
    if not text or text.lower() in {"off", "none", "never"}:
        return 0, 0
    parts = [_minutes(part) for part in text.split("-")]
    if len(parts) != 2 or parts[0] is None or parts[1] is None or parts[0] == parts[1]:
        raise BadInput(
            "Quiet hours look like `22:00-07:00`.",
            hint="Two times of day, or `off`.",
            code="bad-quiet-hours",
        )
    return parts[0], parts[1]


def _minutes(text: str) -> int | None:
    hour, _, minute = text.partition(":")
    whole = hour.isascii() and hour.isdigit() and (minute or "0").isascii()
    if not whole or not (minute or "0").isdigit() or len(hour) > 2 or len(minute) > 2:
        return None
    at = int(hour) * 60 + int(minute or 0)
    return at if int(hour) < 24 and int(minute or 0) < 60 else None


def zone_of(typed: str) -> str:
    """The time zone's name; BadInput (`bad-time-zone`) if there is none of that name."""
    name = typed.strip() or "UTC"
    try:
        return ZoneInfo(name).key
    except (ValueError, OSError, KeyError):
        raise BadInput(
            "There is no such time zone.",
            hint="Use a name like `Europe/Berlin`, or `UTC`.",
            code="bad-time-zone",
        ) from None


def hours_words(alert: Alert) -> str:
    """`22:00-07:00 Europe/Berlin`; empty without quiet hours."""
    if alert.quiet_from == alert.quiet_to:
        return ""
    clock = [f"{at // 60:02}:{at % 60:02}" for at in (alert.quiet_from, alert.quiet_to)]
    return f"{'-'.join(clock)} {alert.zone}"

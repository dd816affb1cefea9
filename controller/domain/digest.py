"""The weekly digest: who wants one and when, and what it tells. Pure.

All times are seconds since the epoch.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from controller.domain.errors import BadInput
from controller.domain.incident import Incident
from controller.domain.journal import Entry, Kind

WEEK = 7 * 86_400.0
DIGESTS_MOST = 50
WORST_MOST = 5
DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
TOLD = (
    *(Kind.CREATED, Kind.REMOVED, Kind.SETTINGS, Kind.SECRETS, Kind.NEW_IMAGE),
    *(Kind.TAKEN_BACK, Kind.MISSED),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class DigestWish:
    """One person or channel that wants a digest every week."""

    kind: Literal["user", "channel"]
    subject: int  # Discord's id
    cron: str
    zone: str
    next_at: float

    @property
    def key(self) -> tuple[str, int]:
        """What there is one wish of."""
        return self.kind, self.subject


@dataclass(frozen=True, slots=True, kw_only=True)
class Worst:
    """A bot that was often, or for long, in trouble."""

    name: str
    incidents: int
    seconds: float  # of the week


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """What happened in a week."""

    since: float
    until: float
    phases: Mapping[str, int] = field(default_factory=dict)  # the bots now, by phase
    incidents: int = 0  # that began
    still_open: int = 0
    longest: float = 0.0  # seconds
    worst: tuple[Worst, ...] = ()
    others: int = 0  # incidents about no bot: Docker, the disk, backups, secrets
    changes: Mapping[Kind, int] = field(default_factory=dict)
    missed: int = 0  # scheduled runs


def digest(
    phases: Iterable[str],
    incidents: Iterable[Incident],
    entries: Iterable[Entry],
    since: float,
    until: float,
) -> Digest:
    """What is told of the time from `since` to `until`. Incidents that ended before it, and what
    the journal tells of another time, are left out."""
    begun, still_open, longest, others = 0, 0, 0.0, 0
    lasted: dict[str, list[float]] = defaultdict(list)
    for one in incidents:
        if one.opened_at >= until or (one.is_over and one.over_at < since):
            continue
        end = min(one.over_at, until) if one.is_over else until
        seconds = max(0.0, end - max(since, one.opened_at))
        begun += one.opened_at >= since
        still_open += not one.is_over
        longest = max(longest, seconds)
        if one.bot_id:
            lasted[one.bot_name].append(seconds)
        else:
            others += 1
    told = [entry for entry in entries if since <= entry.at < until and entry.kind in TOLD]
    worst = [
        Worst(name=name, incidents=len(times), seconds=sum(times)) for name, times in lasted.items()
    ]
    worst.sort(key=lambda one: (-one.seconds, -one.incidents, one.name))
    return Digest(
        since=since,
        until=until,
        phases=Counter(phases),
        incidents=begun,
        still_open=still_open,
        longest=longest,
        worst=tuple(worst[:WORST_MOST]),
        others=others,
        changes=Counter(entry.kind for entry in told if entry.kind is not Kind.MISSED),
        missed=sum(int(e.data.get("times") or 0) for e in told if e.kind is Kind.MISSED),
    )


def weekly(day: str, at: str) -> str:
    """A weekday and a time of day as a cron expression; BadInput (`bad-digest-time`)."""
    found = next((number for number, one in enumerate(DAYS, 1) if one == day.strip().lower()), None)
    hour, _, minute = at.strip().replace(".", ":").partition(":")
    minute = minute or "0"
    numbers = hour.isascii() and hour.isdigit() and minute.isascii() and minute.isdigit()
    if found is None or not numbers or not (int(hour) < 24 and int(minute) < 60):
        raise BadInput(
            "A digest comes on a weekday at a time of day.",
            hint="For example `monday` and `9:00`.",
            code="bad-digest-time",
        )
    return f"{int(minute)} {int(hour)} * * {found % 7}"

"""When a cron expression is due, in a time zone. Pure, but for the time zones' files.

The rules are those of Debian's cron. A fixed time that the clocks skip in spring is due right after
the gap; one that they repeat in autumn is due once, the first time. What runs every so many minutes
or hours goes by elapsed time.
"""

from __future__ import annotations

import functools
from datetime import datetime
from zoneinfo import ZoneInfo, available_timezones

from cronsim import CronSim, CronSimError

from controller.domain.errors import BadInput
from controller.domain.schedules import bad_cron

APART = 300.0  # seconds between two runs at least
_LOOKED_AT = 30  # runs that are compared for that
COUNTED_MOST = 1000


def next_run(cron: str, zone: str, after: float) -> float:
    """When it is due next, behind that time; seconds since the epoch, as `after` is.

    Raises BadInput (`bad-schedule`, `unknown-time-zone`).
    """
    begin = datetime.fromtimestamp(after, zone_of(zone))
    try:
        for due in CronSim(cron, begin):
            # In the hour that the clocks repeat the library looks back to its first time.
            if due.timestamp() > after:
                return due.timestamp()
    except (CronSimError, OverflowError):
        raise bad_cron() from None
    raise BadInput(
        "That time never comes.", hint="Check the day and the month.", code="bad-schedule"
    )


def require_rare(cron: str, zone: str, after: float) -> None:
    """Raise BadInput for what would run more often than every five minutes, or never."""
    last = next_run(cron, zone, after)
    for _ in range(_LOOKED_AT):
        following = next_run(cron, zone, last)
        if following - last < APART:
            raise BadInput(
                "That would run more often than every five minutes.",
                hint="Leave more time between two runs.",
                code="bad-schedule",
            )
        last = following


def due_until(cron: str, zone: str, first: float, until: float) -> tuple[int, float]:
    """How many runs were due from the first one to that time, at most 1,000; when the last was."""
    count, last = 1, first
    while count < COUNTED_MOST:
        following = next_run(cron, zone, last)
        if following > until:
            break
        count, last = count + 1, following
    return count, last


@functools.lru_cache(maxsize=32)
def zone_of(name: str) -> ZoneInfo:
    """The time zone of that name; BadInput (`unknown-time-zone`). Reads a small file, once."""
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # a KeyError: ZoneInfoNotFoundError is one
        raise _unknown() from None


def _unknown() -> BadInput:
    return BadInput(
        "There is no such time zone.",
        hint="For example Europe/Berlin, America/New_York or UTC.",
        code="unknown-time-zone",
    )


def zone_meant(typed: str) -> str:
    """The zone that somebody typed, in any case. Blocking: it lists a folder."""
    word = "_".join(typed.split())
    if word.upper() in {"", "UTC", "Z"}:
        return "UTC"
    known = {one.casefold(): one for one in available_timezones()}
    found = known.get(word.casefold())
    if found is None:
        raise _unknown()
    return found


def zones() -> list[str]:
    """Every zone's name. Blocking: it lists a folder."""
    return sorted(available_timezones())

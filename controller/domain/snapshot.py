"""Snapshots of a bot's state: which there are, and of which releases one is taken. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

# The reasons of a release behind which another program may find, and change, the bot's state.
BEFORE = frozenset({"update", "rollback", "template", "image"})
RESTORE = "restore"  # the reason of the one that is taken before another one is restored


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All that was in a bot's volume, at one moment. `number` counts a bot's snapshots."""

    number: int
    why: str  # of the release that it was taken before, or `restore`
    release: int  # the release that was about to be tried, or that was the present one
    at: float = 0.0  # seconds since the epoch
    size: int = 0  # bytes


def next_number(known: Iterable[Snapshot]) -> int:
    """The number of a bot's next snapshot."""
    return max((one.number for one in known), default=0) + 1


def too_many(known: Iterable[Snapshot], keep: int, spared: int) -> list[Snapshot]:
    """The oldest ones beyond those to keep, without the one of number `spared`."""
    newest_first = sorted(known, key=lambda one: one.number, reverse=True)
    return [one for one in newest_first[keep:] if one.number != spared]


def before(known: Iterable[Snapshot], release: int) -> Snapshot | None:
    """The snapshot that was taken before that release, if there is one."""
    found = [one for one in known if one.release == release and one.why != RESTORE]
    return max(found, key=lambda one: one.number, default=None)

"""What a bot uses: counters as they are read, figures that follow from two of them, and sums."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

FLOOD = 1000.0  # lines a second from which on a log is flooded
CALM = 500.0  # below which it no longer is
FINE, COARSE = 300, 3600  # seconds that a kept point stands for
FINE_KEPT, COARSE_KEPT = 7 * 86_400, 90 * 86_400  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Counters:
    """What one reading of a running container gives. All but memory only grow, within a run."""

    at: float  # seconds, by the reader's own clock that never jumps
    cpu: float  # seconds of one core
    memory: int  # bytes, without what the system can take back at any time
    limit: int = 0  # bytes; 0: none
    received: int | None = None  # bytes over the network; None: not known
    sent: int | None = None
    read: int | None = None  # bytes from and to disks
    written: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What a bot used over a short while. Rates are a second's; negative: not known."""

    cpu: float  # cores: 0.25 is a quarter of one
    memory: float  # bytes
    limit: float = 0.0  # bytes; 0: none
    received: float = -1.0  # bytes a second, as all that follow
    sent: float = -1.0
    read: float = -1.0
    written: float = -1.0
    lines: float = -1.0  # of its log, a second

    @property
    def share(self) -> float:
        """Memory as a part of its limit; 0 without a limit."""
        return self.memory / self.limit if self.limit else 0.0


def between(before: Counters, after: Counters, lines: float = -1.0) -> Figures | None:
    """What was used between two readings; None where they aren't of one run."""
    seconds = after.at - before.at
    if seconds <= 0 or after.cpu < before.cpu:
        return None
    return Figures(
        cpu=(after.cpu - before.cpu) / seconds,
        memory=float(after.memory),
        limit=float(after.limit),
        received=_rate(before.received, after.received, seconds),
        sent=_rate(before.sent, after.sent, seconds),
        read=_rate(before.read, after.read, seconds),
        written=_rate(before.written, after.written, seconds),
        lines=lines,
    )


def _rate(before: int | None, after: int | None, seconds: float) -> float:
    if before is None or after is None or after < before:
        return -1.0
    return (after - before) / seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """What a bot used over a longer while: means, and the most that was seen at once."""

    at: int  # when it began, seconds since the epoch
    cpu: float
    cpu_most: float
    memory: float
    memory_most: float
    network: float  # bytes a second, both ways
    disk: float


def point_of(at: int, figures: Sequence[Figures]) -> Point:
    """Some figures as one point. There is at least one."""
    return Point(
        at=at,
        cpu=_mean(one.cpu for one in figures),
        cpu_most=max(one.cpu for one in figures),
        memory=_mean(one.memory for one in figures),
        memory_most=max(one.memory for one in figures),
        network=_mean(_known(one.received, one.sent) for one in figures),
        disk=_mean(_known(one.read, one.written) for one in figures),
    )


def _known(*values: float) -> float:
    return sum(value for value in values if value > 0)


def _mean(values: Iterable[float]) -> float:
    found = list(values)
    return sum(found) / len(found)


def floods(before: bool, lines: float) -> bool:
    """Whether a log counts as flooded now. Not by every reading anew: it would flicker."""
    return lines >= (CALM if before else FLOOD)

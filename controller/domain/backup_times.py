"""When a scheduled backup is due, whether one was missed, and which old ones go. Pure.

All times are this machine's, in seconds since the epoch.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

LATE = 900.0  # seconds; a start that is so late missed nothing worth telling
_NAME = re.compile(r"botmaker-[0-9]{8}-[0-9]{6}-[0-9]{3}\.age", re.ASCII)


@dataclass(frozen=True, slots=True)
class Backed:
    """How the last backups went. A failure is forgotten with the next good one."""

    made_at: float = 0.0  # 0: never
    file: str = ""  # its name
    failed_at: float = 0.0  # 0: the last one didn't fail
    why: str = ""

    @property
    def bad(self) -> bool:
        """Whether the last one wasn't made."""
        return self.failed_at > self.made_at


def due_in(state: Backed, every: float, retry: float, now: float) -> float:
    """Seconds until the next one. Clocks that were set back make nobody wait longer than `every`;
    after a failure it's tried again sooner."""
    if state.bad:
        return min(max(0.0, state.failed_at + retry - now), retry, every)
    return min(max(0.0, state.made_at + every - now), every)


def missed(state: Backed, every: float, now: float) -> bool:
    """Whether one was due while nobody could make it. The very first was never due before."""
    return bool(state.made_at) and now > state.made_at + every + LATE


def to_drop(names: Iterable[str], keep: int) -> list[str]:
    """Those of our own backups that are older than the newest `keep`; other files never."""
    ours = sorted(name for name in names if _NAME.fullmatch(name))
    return ours[:-keep]

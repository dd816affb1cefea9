"""How often somebody may ask: a bucket that fills again, for each key and kind of request."""

from __future__ import annotations

import math
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from controller.api.problems import HttpProblem

REMEMBERED = 5000  # buckets; one that was forgotten is full again


@dataclass(frozen=True, slots=True)
class Rate:
    """So many a second on average, and so many at once."""

    each_second: float
    at_once: int


@dataclass(frozen=True, slots=True)
class Rates:
    """The limits of one key, and of one address that tries to sign in."""

    reads: Rate = Rate(20.0, 60)
    writes: Rate = Rate(2.0, 20)
    sign_ins: Rate = Rate(10.0 / 60.0, 10)


@dataclass(frozen=True, slots=True)
class Pace:
    """How long we wait for somebody, and how a stream goes on, in seconds."""

    head: float = 20.0  # for a whole head of a request: since its connection, or the last answer
    body: float = 20.0  # for a whole body
    ping: float = 15.0  # between two pings
    stalled: float = 10.0  # that a reader may leave what was sent to it
    check: float = 0.4  # between two looks at whether its key still counts


class Limits:
    """Counts requests."""

    def __init__(
        self,
        rates: Rates | None = None,
        clock: Callable[[], float] = time.monotonic,
        pace: Pace | None = None,
    ) -> None:
        self.rates = rates or Rates()
        self.pace = pace or Pace()
        self._clock = clock
        self._left: OrderedDict[tuple[str, Rate], tuple[float, float]] = OrderedDict()

    def count(self, key: str, rate: Rate) -> None:
        """Count one; 429 (`too-many-requests`) with Retry-After when there were too many."""
        now = self._clock()
        left, at = self._left.pop((key, rate), (float(rate.at_once), now))
        left = min(float(rate.at_once), left + (now - at) * rate.each_second)
        self._left[key, rate] = (max(0.0, left - 1.0) if left >= 1.0 else left), now
        if len(self._left) > REMEMBERED:
            self._left.popitem(last=False)
        if left < 1.0:
            seconds = max(1, math.ceil((1.0 - left) / rate.each_second))
            raise HttpProblem(
                429,
                "Too many requests.",
                hint=f"Try again in {seconds} s.",
                code="too-many-requests",
                headers={"Retry-After": str(seconds)},
            )

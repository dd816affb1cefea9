"""How far the engine's clock is from ours, told by the Date of its answers.

The engine may run on another machine. Whoever compares its times (of log lines, starts, ends) with
"now" needs to know what "now" is there.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import Any

from docker import APIClient
from requests import Response

DRIFT = 1e-4  # seconds a second by which two clocks may drift apart


class EngineClock:
    """Narrows the difference down with each answer. A hook for a client; any thread may call it.

    A Date has whole seconds, so one answer tells the difference to a second, and many tell it to
    the time that an answer takes. Where no difference at all is possible, there is none: that is
    the usual case, one machine.
    """

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._range = (0.0, 0.0)  # the engine is this far ahead of us, at least and at most
        self._known_at: float | None = None

    def __call__(self, response: Response, *_: Any, **__: Any) -> None:
        """Take what an answer tells."""
        try:
            date = parsedate_to_datetime(response.headers["Date"]).timestamp()
        except (KeyError, TypeError, ValueError):
            return
        self.note(date, response.elapsed.total_seconds())

    def note(self, date: float, took: float) -> None:
        """An answer came just now, after so many seconds, with that Date in it."""
        now = self._clock()
        low, high = date - now, date + 1 - (now - took)
        with self._lock:
            if self._known_at is not None:
                slack = abs(now - self._known_at) * DRIFT
                older = (self._range[0] - slack, self._range[1] + slack)
                if max(low, older[0]) <= min(high, older[1]):  # otherwise a clock was set
                    low, high = max(low, older[0]), min(high, older[1])
            self._range, self._known_at = (low, high), now

    @property
    def ahead(self) -> float:
        """Seconds that the engine's clock is ahead of ours; negative when it is behind."""
        low, high = self._range
        return 0.0 if low <= 0.0 <= high else (low + high) / 2

    def now(self) -> float:
        """The engine's time, in seconds since the epoch."""
        return self._clock() + self.ahead


def clock_of(client: APIClient) -> EngineClock:
    """The clock that listens to this client's answers."""
    for hook in client.hooks["response"]:
        if isinstance(hook, EngineClock):
            return hook
    return EngineClock()

"""How much of all followed logs is read: beyond it lines are counted, not parsed.

Parsing and redacting take the interpreter, so floods that are followed would hold up everything
else. All of them together get so many bytes a second. Each log has a little of its own beside
that, so a quiet one loses nothing to its loud neighbours.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

TOGETHER, TOGETHER_MOST = 512 << 10, 1 << 20  # bytes a second for all; what may be saved up
OWN, OWN_MOST = 16 << 10, 64 << 10  # the same, for each


class Allowance:
    """So many bytes a second, and what was saved up. May be used in any thread."""

    def __init__(
        self, rate: float, most: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate, self._most = rate, most
        self._clock = clock
        self._left, self._at = most, clock()
        self._lock = threading.Lock()

    def left(self) -> int:
        """Bytes that may be used now; less than 1: none."""
        with self._lock:
            return int(self._now())

    def use(self, size: int) -> None:
        """Take them, also more than there are: the debt is paid first, up to `most`."""
        with self._lock:
            self._left = max(-self._most, self._now() - size)

    def _now(self) -> float:
        now = self._clock()
        self._left = min(self._most, self._left + (now - self._at) * self._rate)
        self._at = now
        return self._left


class LogBudget:
    """What one log may use: its own allowance first, then the one that all share."""

    def __init__(self, together: Allowance, own: Allowance | None = None) -> None:
        self._together = together
        self._own = own or Allowance(OWN, OWN_MOST)

    def left(self) -> int:
        """Bytes that may be parsed now, at least 0."""
        return max(0, self._own.left(), self._together.left())

    def use(self, size: int) -> None:
        """So many bytes were parsed."""
        own = min(size, max(0, self._own.left()))
        self._own.use(own)
        if size > own:
            self._together.use(size - own)

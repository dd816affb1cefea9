"""Which card is published next: the worst bot's first, each in its turn, within one budget.

A card that waits (for its spacing, or after a failure) holds up no other.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable

AGE_SECONDS = 5.0  # of waiting count as much as being one phase worse


class Budget:
    """At most `count` edits in any `seconds`, for one channel."""

    def __init__(self, count: int, seconds: float) -> None:
        self._count = count
        self._seconds = seconds
        self._spent: deque[float] = deque()
        self._paused_until = 0.0

    def spend(self) -> None:
        """Note an edit."""
        self._spent.append(time.monotonic())

    def pause(self, seconds: float) -> None:
        """Spend nothing for so long: the whole channel is closed to us."""
        self._paused_until = max(self._paused_until, time.monotonic() + seconds)

    def wait(self) -> float:
        """Seconds until there's something to spend; 0 for now."""
        now = time.monotonic()
        while self._spent and self._spent[0] <= now - self._seconds:
            self._spent.popleft()
        full = len(self._spent) >= self._count
        free_at = self._spent[0] + self._seconds if full else now
        return max(0.0, free_at - now, self._paused_until - now)


class Schedule:
    """The keys that are due. `rank` orders them: the smallest is the most urgent."""

    def __init__(self, budget: Budget, rank: Callable[[str], int]) -> None:
        self._budget = budget
        self._rank = rank
        self._due: dict[str, float] = {}  # key: since when
        self._earliest: dict[str, float] = {}
        self._busy: set[str] = set()
        self._changed = asyncio.Event()

    def poke(self, key: str) -> None:
        """Have the key published soon; once more if it is being published now."""
        self._due.setdefault(key, time.monotonic())
        self._changed.set()

    def put_off(self, key: str, seconds: float) -> None:
        """Publish the key again, but not before that."""
        self._earliest[key] = time.monotonic() + seconds
        self.poke(key)

    def done(self, key: str) -> None:
        """The key that `next` gave out is no longer being published."""
        self._busy.discard(key)
        self._changed.set()

    async def next(self) -> str:
        """The most urgent key whose time has come. Call `done` afterwards."""
        while True:
            self._changed.clear()
            wait = self._budget.wait()
            if not wait:
                ready, wait = self._ready()
                if ready:
                    key = min(ready, key=self._urgency)
                    del self._due[key]
                    self._earliest.pop(key, None)
                    self._busy.add(key)
                    return key
            try:
                async with asyncio.timeout(wait or None):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _urgency(self, key: str) -> tuple[float, float]:
        """The smallest is the most urgent. Who waits long gets ahead, so nobody starves."""
        due = self._due[key]
        return self._rank(key) - (time.monotonic() - due) // AGE_SECONDS, due

    def _ready(self) -> tuple[list[str], float]:
        """The keys whose time has come; and if there are none, how long until the first."""
        now = time.monotonic()
        waiting = {
            key: max(0.0, self._earliest.get(key, 0.0) - now)
            for key in self._due
            if key not in self._busy
        }
        ready = [key for key, wait in waiting.items() if not wait]
        return ready, 0.0 if ready else min(waiting.values(), default=0.0)

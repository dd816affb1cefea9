"""Which card is published next: the worst bot's first, each in its turn, within one budget.

A card that waits (for its spacing, or after a failure) holds up no other.
"""

from __future__ import annotations

import asyncio
import heapq
import time
from collections import deque
from collections.abc import Callable

AGE_SECONDS = 5.0  # of waiting count as much as being one phase worse
# With a thousand due, as after a start, choosing takes 2 ms: so several are chosen together.
CHOSEN, CHOSEN_SECONDS = 20, 0.1


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
        self._chosen: deque[str] = deque()  # those that come next, the most urgent first
        self._chosen_at = 0.0
        self._changed = asyncio.Event()

    def poke(self, key: str) -> None:
        """Have the key published soon; once more if it is being published now."""
        now = time.monotonic()
        fresh = key not in self._due and self._earliest.get(key, 0.0) <= now
        if fresh and self._chosen and self._rank(key) < self._rank(self._chosen[-1]):
            self._chosen.clear()
        self._due.setdefault(key, now)
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
                if not self._still_chosen():
                    ready, wait = self._ready()
                    self._chosen.extend(heapq.nsmallest(CHOSEN, ready, key=self._urgency))
                    self._chosen_at = time.monotonic()
                if self._chosen:
                    key = self._chosen.popleft()
                    del self._due[key]
                    self._earliest.pop(key, None)
                    self._busy.add(key)
                    return key
            try:
                async with asyncio.timeout(wait or None):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _still_chosen(self) -> bool:
        """Whether the choice still counts; drops what is being published or waits by now."""
        now = time.monotonic()
        if now - self._chosen_at > CHOSEN_SECONDS:
            self._chosen.clear()
        while self._chosen and not self._is_ready(self._chosen[0], now):
            self._chosen.popleft()
        return bool(self._chosen)

    def _is_ready(self, key: str, now: float) -> bool:
        waits = key in self._busy or self._earliest.get(key, 0.0) > now
        return key in self._due and not waits

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

"""A queue of keys: one worker a key at a time, pokes coalesce, errors back off.

Level, not edge: a poke only says "look at this key". Whoever looks decides what to do; for bots
that is `converge`. Cards and late answers have queues of their own.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable

from controller.domain.errors import ControllerError

log = logging.getLogger(__name__)
# Its answer: None (settled), or the seconds until the key has to be looked at again.
Look = Callable[[str], Awaitable[float | None]]
BACKOFF_BASE = 0.25  # seconds
BACKOFF_CAP = 30.0


def loop_time() -> float:
    """The event loop's own clock, which its timers go by: seconds that nobody sets."""
    return asyncio.get_running_loop().time()


class Queue:
    """Holds the keys that are due; `run` has them looked at."""

    def __init__(self, name: str, workers: int = 8) -> None:
        self._name = name
        self._workers = workers
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._queued: set[str] = set()
        self._busy: set[str] = set()
        self._again: set[str] = set()
        self._failures: dict[str, int] = {}
        self._timers: dict[str, asyncio.TimerHandle] = {}

    def poke(self, key: str) -> None:
        """Have the key looked at soon: now, or once more after the look that is under way."""
        timer = self._timers.pop(key, None)
        if timer is not None:
            timer.cancel()
        if key in self._busy:
            self._again.add(key)
        elif key not in self._queued:
            self._queued.add(key)
            self._queue.put_nowait(key)

    def nudge(self, key: str) -> None:
        """The same, unless the key's last look failed: it waits for its own time then.

        For whoever checks often and has no news: else a key that keeps failing would never back
        off.
        """
        if key not in self._failures:
            self.poke(key)

    async def run(self, look: Look) -> None:
        """Have every due key looked at, until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(self._workers):
                    group.create_task(self._work(look), name=f"{self._name}-{number}")
        finally:
            for timer in self._timers.values():
                timer.cancel()
            self._timers.clear()

    async def _work(self, look: Look) -> None:
        while True:
            key = await self._queue.get()
            self._queued.discard(key)
            self._busy.add(key)
            try:
                after = await self._attempt(key, look)
            finally:
                self._busy.discard(key)
            if key in self._again:
                self._again.discard(key)
                self.poke(key)
            elif after is not None:
                self._later(key, after)

    async def _attempt(self, key: str, look: Look) -> float | None:
        try:
            after = await look(key)
        except Exception as error:  # noqa: BLE001 - one key's trouble must not end the worker
            return self._failed(key, error)
        self._failures.pop(key, None)
        return after

    def _failed(self, key: str, error: Exception) -> float:
        count = self._failures[key] = self._failures.get(key, 0) + 1
        pause: float = min(BACKOFF_CAP, BACKOFF_BASE * 2.0 ** min(count, 12))
        pause *= random.uniform(0.8, 1.2)  # noqa: S311 - spreads retries, guards nothing
        if isinstance(error, ControllerError):
            log.warning("%s %s: %s; again in %.1f s", self._name, key, error, pause)
        else:
            log.error("%s %s failed; again in %.1f s", self._name, key, pause, exc_info=error)
        return pause

    def _later(self, key: str, seconds: float) -> None:
        loop = asyncio.get_running_loop()
        self._timers[key] = loop.call_later(seconds, self.poke, key)

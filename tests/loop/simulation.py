"""An event loop whose time is its own and whose threads answer in order: one seed, one course.

Nobody waits here: while nothing is ready, time jumps to the next timer. What a thread does (the
database's, the disk's) really happens; but its answer comes only once everything else has had its
turn, and then after a delay that the seed decides. So the same plan always meets the same moments.
"""

from __future__ import annotations

import asyncio
import random
import selectors
import sys
import threading
import weakref
from collections.abc import Callable
from contextvars import Context
from typing import Any

# Who creates a future that another thread will fulfil.
_ASKS_A_THREAD = {"aiosqlite.core", "asyncio.futures"}
DELAYS = (0.0, 0.0, 0.0, 0.001, 0.01)  # seconds that a thread's answer takes
STUCK = 30.0  # seconds of real time
EPOCH = 1_700_000_000.0  # what the clocks of this world show at its beginning


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop for one run of one plan."""

    def __init__(self, seed: int) -> None:
        self._now = 1000.0
        self._asked: weakref.WeakSet[asyncio.Future[Any]] = weakref.WeakSet()
        self._numbers: dict[int, int] = {}
        self._answers: list[tuple[int, Callable[..., object], tuple[Any, ...]]] = []
        self._lock = threading.Lock()
        self._count = 0
        self._readings = 0
        self._last_answer = 0.0
        self.random = random.Random(seed)
        super().__init__(_Selector(self))
        self._owner = threading.get_ident()

    def time(self) -> float:
        """Seconds, by this loop's own clock."""
        return self._now

    def wall_clock(self) -> float:
        """Seconds since the epoch; no two readings are the same, as an engine's aren't."""
        self._readings += 1
        return EPOCH + self._now + self._readings * 1e-5

    def create_future(self) -> asyncio.Future[Any]:
        """As always, but remember whose answer comes from a thread."""
        future: asyncio.Future[Any] = super().create_future()
        if sys._getframe(1).f_globals.get("__name__") in _ASKS_A_THREAD:
            self._count += 1
            self._numbers[id(future)] = self._count
            self._asked.add(future)
        return future

    def call_soon_threadsafe(
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> Any:
        """Take a thread's answer; it waits its turn."""
        asked = bool(args) and id(args[0]) in self._numbers  # its thread may have ended by now
        if threading.get_ident() == self._owner and not asked:
            return super().call_soon_threadsafe(callback, *args, context=context)
        with self._lock:
            number = self._numbers.pop(id(args[0]), 0) if args else 0
            self._answers.append((number, callback, args))
        self._write_to_self()  # type: ignore[attr-defined]
        return None

    def pass_time(self, seconds: float | None) -> bool:
        """Nothing is ready: hand out the threads' answers, or jump to the next timer.

        Returns whether a thread has to be waited for.
        """
        self._asked = weakref.WeakSet(one for one in self._asked if not one.done())
        with self._lock:
            told = {id(args[0]) for _, _, args in self._answers if args}
            if seconds is None and not self._answers:
                return True
            if any(id(future) not in told for future in self._asked):
                return True
            answers, self._answers = sorted(self._answers, key=lambda one: one[0]), []
        for _, callback, args in answers:
            # In the order of the questions, as one thread gives them.
            at = max(self._last_answer, self._now + self.random.choice(DELAYS))
            self._last_answer = at
            self._asked = weakref.WeakSet(one for one in self._asked if one not in args)
            self.call_at(at, callback, *args)
        if not answers and seconds is not None:
            self._now += seconds
        return False


class _Selector(selectors.DefaultSelector):  # type: ignore[misc,valid-type]
    """Asks the loop to let time pass where others would wait."""

    def __init__(self, loop: SimulatedLoop) -> None:
        super().__init__()
        self._loop = loop

    def select(self, timeout: float | None = None) -> Any:
        """What is readable now."""
        if timeout == 0:
            return super().select(0)
        if self._loop.pass_time(timeout):
            found = super().select(STUCK)
            if not found:
                raise RuntimeError("no thread answers, and no timer is set")
            return found
        return super().select(0)

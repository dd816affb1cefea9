"""Cancelling a coroutine at its first await, its second, and so on."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any


class Steps:
    """Runs a coroutine and cancels it once, at the await of that number (from 0)."""

    def __init__(self, stop_at: int) -> None:
        self._left = stop_at
        self.cancelled = False

    async def drive(self, work: Coroutine[Any, Any, Any]) -> Any:
        """The coroutine's result, unless it ends by the cancellation."""
        return await _Driven(self, work)

    def now(self) -> bool:
        """Whether this await is the one."""
        self._left -= 1
        if self._left >= 0 or self.cancelled:
            return False
        self.cancelled = True
        return True


class _Driven:
    def __init__(self, steps: Steps, work: Coroutine[Any, Any, Any]) -> None:
        self._steps = steps
        self._work = work

    def __await__(self) -> Generator[Any, None, Any]:
        generator = self._work.__await__()
        cancel = False
        while True:
            try:
                waits = generator.throw(asyncio.CancelledError()) if cancel else next(generator)
            except StopIteration as end:
                return end.value
            cancel = self._steps.now()
            if not cancel:
                yield waits
            elif waits is not None:  # as a task does with what it waits for
                waits._asyncio_future_blocking = False
                waits.cancel()

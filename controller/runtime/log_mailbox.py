"""Hands lines of a log to whoever follows it, within bounds: the oldest ones give way."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import Iterable

from controller.domain.errors import ControllerError
from controller.domain.events import LogBatch, LogLine

TEXT_MAX = 2 << 20  # characters that wait, with what each line takes beside its text
LINE_COST = 150  # what a line takes beside its text, in bytes
BATCH_LINES, BATCH_TEXT = 500, 96 << 10  # handed over at once


class LogMailbox:
    """Takes lines in any thread, and gives them to the loop it was created in."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._ready = asyncio.Event()
        self._lock = threading.Lock()
        self._waiting: deque[LogLine | int] = deque()  # a number: so many lines are missing here
        self._size = 0
        self._dropped = 0
        self._asleep = False  # whether somebody waits and nobody woke them yet
        self._over = False
        self._error: ControllerError | None = None
        self.container = ""

    def put(self, lines: Iterable[LogLine]) -> None:
        """Add lines, in their order."""
        with self._lock:
            for line in lines:
                self._waiting.append(line)
                self._size += len(line.text) + LINE_COST
            while self._size > TEXT_MAX and len(self._waiting) > 1:
                self._drop()
            wake, self._asleep = self._asleep, False
        # Once for all that comes until it's taken: an engine sends a flood line by line, and the
        # loop would be late by all these calls.
        if wake:
            self._wake()

    def skip(self, count: int) -> None:
        """Note that so many lines are missing behind those that were added."""
        with self._lock:
            if self._waiting and isinstance(self._waiting[-1], int):
                count += self._waiting.pop()  # type: ignore[operator]  # a number, as just seen
            self._waiting.append(count)
            wake, self._asleep = self._asleep, False
        if wake:
            self._wake()

    def finish(self, error: ControllerError | None = None) -> None:
        """No more lines come; the error is raised once those that wait were taken."""
        with self._lock:
            if not self._over:
                self._over, self._error = True, error
            self._asleep = False
        self._wake()

    async def take(self) -> LogBatch | None:
        """Wait for what comes next; None at the end."""
        while True:
            with self._lock:
                if self._waiting or self._dropped:
                    return self._batch()
                if self._over:
                    if self._error is not None:
                        raise self._error
                    return None
                self._ready.clear()
                self._asleep = True
            await self._ready.wait()

    def _batch(self) -> LogBatch:
        lines: list[LogLine] = []
        while self._waiting and isinstance(self._waiting[0], int):
            self._drop()
        left = self._size - BATCH_TEXT
        while self._waiting and len(lines) < BATCH_LINES and self._size > left:
            if isinstance(line := self._waiting[0], int):
                break
            self._waiting.popleft()
            lines.append(line)
            self._size -= len(line.text) + LINE_COST
        dropped, self._dropped = self._dropped, 0
        return LogBatch(self.container, tuple(lines), dropped)

    def _drop(self) -> None:
        oldest = self._waiting.popleft()
        if isinstance(oldest, int):
            self._dropped += oldest
        else:
            self._size -= len(oldest.text) + LINE_COST
            self._dropped += 1

    def _wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # the loop may already be closed
            self._loop.call_soon_threadsafe(self._ready.set)

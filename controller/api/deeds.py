"""Requests that take their time: carried out beside the one who asked, who may wait or look later.

Such an operation is the journal's entry of the request; nothing else is kept of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Any

from controller.domain.errors import ControllerError
from controller.fleet.journal import Caller

log = logging.getLogger(__name__)
DEED_SECONDS = 120.0  # that a use-case waits for its end; the bot goes on after that


@dataclass(frozen=True, slots=True)
class Begun:
    """A request that was written down under that number, and whether it has ended."""

    number: int
    ended: bool


class Deeds:
    """What is being carried out, until it ends or the server does."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()

    async def begin(
        self, caller: Caller, work: Callable[[Caller], Awaitable[object]], wait: float
    ) -> Begun:
        """Carry it out, and wait for its end for at most that many seconds.

        Raises what the work raises within that time, and whenever it wasn't written down.
        """
        asked: asyncio.Future[int] = asyncio.get_running_loop().create_future()

        def note(number: int) -> None:
            caller.on_asked(number)
            if not asked.done():
                asked.set_result(number)

        async def carry_out() -> object:
            return await work(replace(caller, on_asked=note))

        task = asyncio.create_task(carry_out(), name=f"deed {caller.request}")
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        either: set[asyncio.Future[Any]] = {task, asked}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not task.done() and wait > 0:
            await asyncio.wait({task}, timeout=wait)
        if task.done():
            task.result()
        if not asked.done():  # it ended without having been written down: a bug of ours
            raise AssertionError(f"{caller.request} left no entry")
        return Begun(asked.result(), task.done())

    def _ended(self, task: asyncio.Task[object]) -> None:
        self._tasks.discard(task)
        if not task.cancelled():
            error = task.exception()  # also for whoever waits; here so that it counts as seen
            if error is not None and not isinstance(error, ControllerError):
                log.error("%s", task.get_name(), exc_info=error)

    async def end(self) -> None:
        """Give up waiting for all of it: what was wished for goes on without us."""
        for task in tuple(self._tasks):
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*self._tasks, return_exceptions=True)

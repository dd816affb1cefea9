"""The home of blocking file work: threads of its own, never asyncio's default executor."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from controller.domain.errors import ControllerError, StorageTrouble
from controller.vault import disk

S = TypeVar("S")
T = TypeVar("T")

SECRETS_SECONDS = 5.0
AT_ONCE = 4
STUCK_MAX = 8  # threads that a hanging disk may hold; more calls then fail at once
BATCH = 25  # things, such as bots, whose files a disk that answers reads within the limit


class Threads:
    """Runs short blocking functions beside the event loop.

    What touches the secrets folder has a lane of its own with a time limit: on a network disk that
    hangs, a thread never comes back, and everything else must go on meanwhile.
    """

    def __init__(self, count: int = AT_ONCE, *, limit: float = SECRETS_SECONDS) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="disk")
        self._limit = limit
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._running: set[Future[Any]] = set()
        self._stuck: set[Future[Any]] = set()

    async def __call__(self, work: Callable[[], T]) -> T:
        """Run the function. Once begun it runs to its end, even if the caller is cancelled."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    @property
    def secrets_answer(self) -> bool:
        """Whether no call to the secrets disk is overdue."""
        return not any(not future.done() for future in self._stuck)

    async def secrets(self, work: Callable[[], T], *, things: int = 1) -> T:
        """Run a function that touches the secrets folder, and there the files of so many things.

        Raises StorageTrouble after the limit, or at once while too many calls hang. What hung
        before it wrote anything writes nothing when the disk answers again.
        """
        limit = self._limit * max(1, math.ceil(things / BATCH))
        async with self._slots:
            if sum(not future.done() for future in self._stuck) >= STUCK_MAX:
                raise _silent()
            given_up = threading.Event()
            future = self._begin(work, given_up)
            try:
                async with asyncio.timeout(limit):
                    return await asyncio.wrap_future(future)
            except TimeoutError:
                if future.done():  # the function's own TimeoutError, or an answer just now
                    return future.result()
                given_up.set()
                self._stuck = {one for one in self._stuck if not one.done()} | {future}
                raise _silent() from None

    async def secrets_of_each(
        self, work: Callable[[S], T], things: Sequence[S]
    ) -> list[T | ControllerError]:
        """The same for many things: a thread for each would take longer than the work itself.

        In order, each thing's answer, or what it raised; other errors are raised here. A disk that
        doesn't answer is the error of all things of that batch.
        """
        found: list[T | ControllerError] = []
        for start in range(0, len(things), BATCH):
            some = things[start : start + BATCH]
            try:
                found += await self.secrets(partial(_outcomes, work, some))
            except StorageTrouble as error:
                found += [error] * len(some)
        return found

    def _begin(self, work: Callable[[], T], given_up: threading.Event) -> Future[T]:
        future: Future[T] = Future()
        future.set_running_or_notify_cancel()
        self._running = {one for one in self._running if not one.done()} | {future}

        def run() -> None:
            try:
                with disk.working_while(lambda: not given_up.is_set()):
                    result = work()
            except BaseException as error:  # noqa: BLE001 - the caller gets it, whatever it is
                future.set_exception(error)
            else:
                future.set_result(result)

        # A daemon, or one that hangs would keep the process from ending.
        threading.Thread(target=run, name="secrets", daemon=True).start()
        return future

    def close(self) -> None:
        """Wait for what is running, but not for what hangs; take nothing more."""
        self._pool.shutdown()
        for future in self._running - self._stuck:
            try:
                future.exception(self._limit)
            except TimeoutError:
                return


def _outcomes(work: Callable[[S], T], things: Sequence[S]) -> list[T | ControllerError]:
    found: list[T | ControllerError] = []
    for thing in things:
        try:
            found.append(work(thing))
        except ControllerError as error:
            found.append(error)
    return found


def _silent() -> StorageTrouble:
    return StorageTrouble(
        "The secrets disk doesn't answer.",
        hint="Check the file system of BOTMAKER_SECRETS_DIR; on a network disk, its server.",
        code="secrets-disk-silent",
    )

"""How the in-memory runtime is called: calls may hang, find no engine, or lose their answers.

Next door: `memory_world` has the world that they act on, `memory` the calls themselves.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TypeVar

from controller.runtime.faults import lost_answer, unreachable
from controller.runtime.memory_world import MemoryWorld

T = TypeVar("T")


class MemoryCalls(MemoryWorld):
    """A world whose engine answers, or doesn't. `MemoryRuntime` describes the knobs."""

    def __init__(
        self, *, images: Iterable[str] = (), clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(images=images, clock=clock)
        self.limit = 0.2
        self.calls: Counter[str] = Counter()
        self._hung = False
        self._late: list[Callable[[], None]] = []
        self._lost_answers = 0

    def hang(self) -> None:
        """Make calls wait for `release`, at most their limit. Writes happen at `release` anyway."""
        self._hung = True

    def release(self) -> None:
        """Undo `hang`, and do what was asked for in between."""
        self._hung = False
        late, self._late = self._late, []
        for do in late:
            do()

    def lose_answers(self, count: int) -> None:
        """Let that many writes happen, but lose their answers."""
        self._lost_answers = count

    async def _read(self, name: str, ask: Callable[[], T]) -> T:
        try:
            return await self._ask(name, ask)
        except TimeoutError:
            raise lost_answer(write=False) from None

    async def _write(self, name: str, do: Callable[[], T]) -> T:
        try:
            answer = await self._ask(name, do)
        except TimeoutError:
            raise lost_answer(write=True) from None
        if self._lost_answers > 0:
            self._lost_answers -= 1
            raise lost_answer(write=True)
        return answer

    async def _ask(self, name: str, do: Callable[[], T]) -> T:
        await asyncio.sleep(0)  # as with a real engine, other tasks get a turn
        self.calls[name] += 1
        if self.away:
            raise unreachable()
        if not self._hung:
            return do()
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._late.append(lambda: _settle(answer, do))
        return await asyncio.wait_for(asyncio.shield(answer), self.limit)


def _settle(answer: asyncio.Future[T], do: Callable[[], T]) -> None:
    """Do what was asked for, even if nobody waits for it any more."""
    answer.add_done_callback(lambda done: done.cancelled() or done.exception())
    try:
        answer.set_result(do())
    except Exception as error:  # noqa: BLE001 - passed on to whoever still waits
        answer.set_exception(error)

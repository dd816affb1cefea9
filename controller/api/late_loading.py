"""Parts of HTTP that many controllers are never asked for: loaded when somebody asks first.

The API with its models and its description takes 8 MB and a third of a second, so a start waits for
none of it, and the event loop neither: a thread loads it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Generic, TypeVar

from aiohttp import web

from controller.api.callers import Callers
from controller.api.request_rates import Limits
from controller.manager import Manager

if TYPE_CHECKING:
    from controller.api.assistant_door import AssistantDoor
    from controller.api.dispatch import Dispatch

T = TypeVar("T")


class Late(Generic[T]):
    """Something that a thread makes when it is asked for first; whoever asks meanwhile waits too.

    What failed is tried again by whoever asks next.
    """

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._making = asyncio.Lock()
        self.made: T | None = None

    async def get(self) -> T:
        """It, made by now."""
        if self.made is None:
            async with self._making:
                if self.made is None:
                    self.made = await _in_a_thread(self._make)
        return self.made


async def _in_a_thread(work: Callable[[], T]) -> T:
    thread = ThreadPoolExecutor(1, thread_name_prefix="load")
    try:
        return await asyncio.get_running_loop().run_in_executor(thread, work)
    finally:
        thread.shutdown(wait=False)


class LateApi:
    """Answers what is asked below /api/v1 and by assistants."""

    def __init__(self, manager: Manager, callers: Callers, limits: Limits) -> None:
        def make() -> tuple[Dispatch, AssistantDoor]:
            from controller.api.assistant_door import AssistantDoor  # noqa: PLC0415
            from controller.api.dispatch import Dispatch  # noqa: PLC0415

            dispatch = Dispatch(manager, callers, limits=limits)
            return dispatch, AssistantDoor(manager, callers, dispatch, limits.pace.body)

        self._late = Late(make)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The answer to a request for an operation."""
        dispatch, _ = await self._late.get()
        return await dispatch.answer(request)

    async def answer_assistant(self, request: web.Request) -> web.StreamResponse:
        """The reply to an assistant's message."""
        _, door = await self._late.get()
        return await door.answer(request)

    async def end(self) -> None:
        """End what goes on: streams, and waiting for what was asked."""
        if self._late.made is not None:
            dispatch, _ = self._late.made
            dispatch.streams.end()
            await dispatch.deeds.end()

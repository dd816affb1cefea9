"""The events of the in-memory runtime's world, as a stream for each who listens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from controller.domain.events import ContainerEvent

if TYPE_CHECKING:
    from controller.runtime.memory_world import MemoryWorld


class MemoryEvents(AsyncIterator[ContainerEvent]):
    """Keeps the contract of `Runtime.events` for the in-memory runtime."""

    def __init__(self, world: MemoryWorld) -> None:
        self._world = world
        self._waiting: asyncio.Queue[ContainerEvent | None] = asyncio.Queue()
        self._begun = False
        self._closed = False

    async def __anext__(self) -> ContainerEvent:
        """Return the next event. Ends only after a close."""
        if not self._begun:
            self._begun = True
            self._world.feeds.append(self)
            if not self._world.away:
                self.put(ContainerEvent(action="resync"))
        if self._closed:
            raise StopAsyncIteration
        event = await self._waiting.get()
        if event is None:
            raise StopAsyncIteration
        return event

    def put(self, event: ContainerEvent) -> None:
        """Hand an event to whoever reads the stream."""
        self._waiting.put_nowait(event)

    async def aclose(self) -> None:
        """End the stream."""
        self._closed = True
        if self in self._world.feeds:
            self._world.feeds.remove(self)
        self._waiting.put_nowait(None)

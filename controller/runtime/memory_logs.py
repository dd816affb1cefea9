"""The in-memory runtime's logs, followed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

from controller.domain.events import LogBatch
from controller.runtime.faults import unreachable
from controller.runtime.frames import LOOK_BACK
from controller.runtime.log_mailbox import LogMailbox

if TYPE_CHECKING:
    from controller.runtime.memory_world import Container, MemoryWorld


class MemoryLog(AsyncIterator[LogBatch]):
    """Keeps the contract of `Runtime.follow` for the in-memory runtime."""

    def __init__(self, world: MemoryWorld, bot_id: str, since: float) -> None:
        self._world = world
        self._bot_id = bot_id
        self._since = since
        self._held: Container | None = None
        self._closed = False
        self.mailbox: LogMailbox | None = None

    async def __anext__(self) -> LogBatch:
        """Return what was written. Ends after a close, and with the program."""
        if self._closed:
            raise StopAsyncIteration
        mailbox = self.mailbox or self._begin()
        batch = await mailbox.take()
        if batch is None or self._closed:
            raise StopAsyncIteration
        return batch

    def _begin(self) -> LogMailbox:
        if self._world.away:
            raise unreachable()
        held = self._world.require_container(self._bot_id)
        mailbox = self.mailbox = LogMailbox()
        mailbox.container = held.seen.container_id
        mailbox.put(line for line in list(held.log)[-LOOK_BACK:] if line.at >= self._since)
        if held.seen.state.active:
            self._held = held
            held.followers.append(mailbox)
        else:
            mailbox.finish()
        return mailbox

    async def aclose(self) -> None:
        """End the stream."""
        self._closed = True
        if self.mailbox is not None:
            if self._held is not None and self.mailbox in self._held.followers:
                self._held.followers.remove(self.mailbox)
            self.mailbox.finish()

"""The boards: in which channels people want the whole fleet in one live message.

Where a board's message stands, and what it says, is the edge's own business.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator

from controller.domain.acts import FLEET_BOARD
from controller.fleet.journal import Caller, Journal
from controller.manager.access import Access
from controller.store import Store

_KEY = "boards"


class Boards:
    """Knows the channels, also after a restart. One board in a channel."""

    def __init__(self, store: Store, journal: Journal, access: Access) -> None:
        self._store = store
        self._journal = journal
        self._access = access
        self._listeners: set[Callable[[int], None]] = set()
        self.channels: tuple[int, ...] = ()

    async def load(self) -> None:
        """Read which channels have one."""
        kept = await self._store.recall(_KEY)
        self.channels = tuple(json.loads(kept)) if kept else ()

    async def put_up(self, caller: Caller, channel_id: int) -> None:
        """Have a board in this channel; where there is one, its message comes anew."""
        await self._wish(caller, channel_id, (*self._without(channel_id), channel_id), "put up")

    async def take_down(self, caller: Caller, channel_id: int) -> None:
        """Have none there any more."""
        await self._wish(caller, channel_id, self._without(channel_id), "taken down")

    async def lose(self, channel_id: int) -> None:
        """The channel is gone, and so is its board: nobody asked for that."""
        await self._keep(self._without(channel_id))

    @contextlib.contextmanager
    def hearing(self, listener: Callable[[int], None]) -> Iterator[None]:
        """Call `listener(channel_id)` when somebody puts a board up or takes it down."""
        self._listeners.add(listener)
        try:
            yield
        finally:
            self._listeners.discard(listener)

    def _without(self, channel_id: int) -> tuple[int, ...]:
        return tuple(one for one in self.channels if one != channel_id)

    async def _wish(
        self, caller: Caller, channel_id: int, channels: tuple[int, ...], words: str
    ) -> None:
        await self._access.require(caller, FLEET_BOARD)
        async with self._journal.request(caller, FLEET_BOARD, None, {"detail": words}):
            await self._keep(channels)
        for listener in tuple(self._listeners):
            listener(channel_id)

    async def _keep(self, channels: tuple[int, ...]) -> None:
        async with self._store.transaction() as write:
            await write.remember(_KEY, json.dumps(channels))
        self.channels = channels

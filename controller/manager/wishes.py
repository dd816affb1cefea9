"""The one way to change a bot's row: edit, save, show, poke. No change is lost between two."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import replace
from typing import Any, TypeVar

from controller.domain.bot import Bot
from controller.domain.errors import NotFound
from controller.domain.observation import World
from controller.manager.fleet import Fleet, View
from controller.store import Store

T = TypeVar("T")


class Wishes:
    """Writes wishes to the store first, then to the fleet in memory."""

    def __init__(self, store: Store, fleet: Fleet, poke: Callable[[str], None]) -> None:
        self._store = store
        self._fleet = fleet
        self._poke = poke
        self._lock = asyncio.Lock()
        self._changes: set[asyncio.Task[Any]] = set()

    async def add(self, bot: Bot, world: World) -> View:
        """A new bot, with what is known of its world. Raises Conflict when the name is taken."""

        async def work() -> View:
            await self._store.add_bot(bot)
            view = self._fleet.add(bot, world)
            self._poke(bot.id)  # a bot that needs no secrets starts now
            return view

        return await self._alone(work())

    async def change(self, bot_id: str, edit: Callable[[Bot], Bot]) -> View:
        """Apply a pure edit to the row as it is now. Raises NotFound when the bot is gone."""

        async def work() -> View:
            view = self._fleet.get(bot_id)
            if view is None:
                raise NotFound("That bot is gone.", code="no-such-bot")
            bot = edit(view.bot)
            if bot != view.bot:
                await self._store.save_bot(bot)
                view = self._fleet.put(bot)
            self._poke(bot_id)  # in here: what is written is acted on, whoever gave up waiting
            return view

        return await self._alone(work())

    async def edit(self, bot_id: str, **changes: object) -> Bot:
        """Set these fields of the row, whatever they are now; the row then."""
        view = await self.change(
            bot_id,
            lambda now: replace(now, **changes),  # type: ignore[arg-type]  # names are Bot's own
        )
        return view.bot

    async def forget(self, bot_id: str) -> None:
        """Remove the row: the last act of a removal."""

        async def work() -> None:
            await self._store.drop_bot(bot_id)
            self._fleet.forget(bot_id)

        await self._alone(work())

    async def _alone(self, work: Coroutine[Any, Any, T]) -> T:
        async def locked() -> T:
            async with self._lock:
                return await work

        # Shielded, so that a cancelled caller leaves store and memory agreeing.
        task = asyncio.create_task(locked())
        self._changes.add(task)
        task.add_done_callback(self._changes.discard)
        return await asyncio.shield(task)

    async def drain(self) -> None:
        """Wait for changes whose callers have given up. Before the store is closed."""
        await asyncio.gather(*self._changes, return_exceptions=True)

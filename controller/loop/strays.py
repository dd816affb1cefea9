"""What a thread created after its bot was forgotten: found at the start and every hour, removed.

A call to the engine can't be taken back. If its caller gave up and the bot was deleted meanwhile,
the engine may still create what it was asked for. Only what certainly holds nothing is removed: a
container that never ran, and the volume of a bot that the journal says was removed. Everything else
without a bot is reported by `manager/orphans.py`, and stays until somebody has it removed
(`clearance`).
"""

from __future__ import annotations

import asyncio
import logging

from controller.domain.errors import ControllerError
from controller.domain.journal import Kind
from controller.domain.observation import ContainerState
from controller.fleet.views import Fleet
from controller.runtime import Runtime
from controller.store import Store

log = logging.getLogger(__name__)
SWEEP_SECONDS = 3600.0


class Strays:
    """Removes late creations of bots that are gone."""

    def __init__(self, *, runtime: Runtime, fleet: Fleet, store: Store) -> None:
        self._runtime = runtime
        self._fleet = fleet
        self._store = store

    async def run(self) -> None:
        """Sweep at the start and every hour, until cancelled."""
        while True:
            try:
                await self.sweep()
            except ControllerError as error:
                log.warning("can't look for containers without a bot: %s", error)
            await asyncio.sleep(SWEEP_SECONDS)

    async def sweep(self) -> None:
        """Remove what is certainly left over. The world is listed before the rows are read, so a
        bot that is created in between is safe."""
        containers = await self._runtime.list_containers()
        volumes = await self._runtime.list_volumes()
        kept = await self._runtime.list_kept()
        for row in containers:
            unstarted = row.state is ContainerState.CREATED
            stray = unstarted and self._is_gone(row.bot_id)
            if stray and await self._runtime.remove_unstarted(row.bot_id):
                log.warning("removed %s, which belongs to no bot and never ran", row.name)
        for bot_id in kept:
            if self._is_gone(bot_id):
                await self._runtime.let_go(bot_id)
        for item in volumes:
            if self._is_gone(item.bot_id) and await self._was_removed(item.bot_id):
                await self._remove_volume(item.bot_id, item.name)

    def _is_gone(self, bot_id: str) -> bool:
        return self._fleet.get(bot_id) is None

    async def _was_removed(self, bot_id: str) -> bool:
        return bool(await self._store.entries(bot_id, (Kind.REMOVED,), limit=1))

    async def _remove_volume(self, bot_id: str, name: str) -> None:
        try:
            await self._runtime.remove_volume(bot_id)
        except ControllerError as error:
            log.warning("the volume %s of a bot that was removed stays: %s", name, error)
        else:
            log.warning("removed the volume %s of a bot that was removed", name)

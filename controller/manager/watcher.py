"""Watches the engine: its events, and a full list every so often, because events are only hints.

It changes nothing; it pokes the keys whose world looks different from what was seen last.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable

from controller.domain.errors import ControllerError
from controller.domain.observation import ListedContainer
from controller.manager.converge import Converger
from controller.manager.fleet import Fleet, View
from controller.runtime import Runtime

log = logging.getLogger(__name__)
PATROL_SECONDS = 15.0
PATROL_SECONDS_AWAY = 2.0


class Watcher:
    """Turns events and differences into pokes, and knows whether the engine answers."""

    def __init__(
        self, runtime: Runtime, fleet: Fleet, converger: Converger, poke: Callable[[str], None]
    ) -> None:
        self._runtime = runtime
        self._fleet = fleet
        self._converger = converger
        self._poke = poke
        self._resync = asyncio.Event()
        self._away = False  # whether the last patrol found no engine

    async def run(self) -> None:
        """Watch until cancelled."""
        with self._fleet.listening(self._notice):
            await self._watch()

    def _notice(self, bot_id: str) -> None:
        if not self._fleet.engine.reachable:
            self._converger.ends.note_gap(bot_id)
        # Somebody else found the engine away: patrol at the quicker pace from now on.
        if not self._fleet.engine.reachable and not self._away:
            self._resync.set()

    async def _watch(self) -> None:
        async with asyncio.TaskGroup() as group:
            group.create_task(self._follow(), name="watcher-events")
            group.create_task(self._patrol(), name="watcher-patrol")

    async def _follow(self) -> None:
        events = self._runtime.events()
        try:
            async for event in events:
                if event.action == "resync":
                    for view in self._fleet:
                        self._converger.ends.note_gap(view.bot.id)
                    self._resync.set()
                    continue
                if event.action == "oom":
                    self._converger.ends.note_oom(event.bot_id, event.at)
                if event.action == "die" and event.exit_code is not None:
                    self._converger.ends.note_exit(event.bot_id, event.at, event.exit_code)
                self._poke(event.bot_id)
        finally:
            await events.aclose()

    async def _patrol(self) -> None:
        while True:
            self._resync.clear()
            await self.resync()
            self._away = not self._fleet.engine.reachable
            pause = PATROL_SECONDS_AWAY if self._away else PATROL_SECONDS
            with contextlib.suppress(TimeoutError):
                # Not wait_for: in 3.11 it loses a cancellation that meets the event.
                async with asyncio.timeout(pause):
                    await self._resync.wait()

    async def resync(self) -> None:
        """Compare one full list with what was seen last; poke what differs.

        After the engine was away every bot is poked: looks may have failed meanwhile.
        """
        was_away = not self._fleet.engine.reachable
        try:
            rows = await self._runtime.list_containers()
        except ControllerError as error:
            if not was_away:
                log.warning("the engine does not answer: %s", error)
            self._fleet.engine_is(False, error.message)
            return
        self._fleet.engine_is(True)
        by_bot = {row.bot_id: row for row in rows}
        for view in self._fleet:
            bot_id = view.bot.id
            unfinished = was_away or not view.seen or bot_id in self._converger.unfinished
            if unfinished or _differs(view, by_bot.get(bot_id)):
                self._poke(bot_id)
            else:
                self._converger.ends.note_unchanged(bot_id)


def _differs(view: View, row: ListedContainer | None) -> bool:
    container = view.world.container
    if row is None or container is None:
        return (row is None) != (container is None)
    seen = (container.container_id, container.state, container.health)
    return seen != (row.container_id, row.state, row.health)

"""Watches the engine: its events, and a full list every so often, because events are only hints.

It changes nothing; it pokes the bots whose world looks different from what was seen last. Its list
alone decides whether the engine is reachable: one bot's failing call never does.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Collection

from controller.domain.errors import ControllerError, EngineBusy
from controller.domain.events import ContainerEvent
from controller.domain.observation import ListedContainer
from controller.fleet.views import Fleet, View
from controller.loop.account import Accounts
from controller.runtime import Runtime

log = logging.getLogger(__name__)
PATROL_SECONDS = 15.0
PATROL_SECONDS_AWAY = 2.0
# At the start and after a gap every bot is looked at, so many at a time: 200 a second. All at once
# they would hold up whoever asks for something meanwhile, and at the start the way to Discord.
ROUND_BATCH = 10
ROUND_PAUSE = 0.05  # seconds


class Watcher:
    """Turns events and differences into pokes, and knows whether the engine answers."""

    def __init__(
        self,
        *,
        runtime: Runtime,
        fleet: Fleet,
        accounts: Accounts,
        unfinished: Collection[str],
        poke: Callable[[str], None],
        nudge: Callable[[str], None],
    ) -> None:
        self._runtime = runtime
        self._fleet = fleet
        self._accounts = accounts
        self._unfinished = unfinished
        self._poke = poke
        self._nudge = nudge
        self._look_now = asyncio.Event()
        self._round_wanted = asyncio.Event()
        self._on_a_round = False
        self._subscribed = False

    async def run(self) -> None:
        """Watch until cancelled."""
        self._round_wanted.set()
        async with asyncio.TaskGroup() as group:
            group.create_task(self._go_round(), name="watcher-rounds")
            group.create_task(self._follow(), name="watcher-events")
            group.create_task(self._patrol(), name="watcher-patrol")

    def doubt(self, _bot_id: str) -> None:
        """A call for one bot failed: find out soon whether the engine itself is away."""
        self._look_now.set()

    async def _follow(self) -> None:
        events = self._runtime.events()
        try:
            async for event in events:
                self._hear(event)
        finally:
            await events.aclose()

    def _hear(self, event: ContainerEvent) -> None:
        if event.action != "resync":
            self._accounts.hear(event)
            self._poke(event.bot_id)
            return
        self._note_gap()
        self._look_now.set()
        if self._subscribed:  # else the first round is under way
            self._round_wanted.set()
        self._subscribed = True

    def _note_gap(self) -> None:
        for view in self._fleet:
            self._accounts.note_gap(view.bot.id)

    async def _go_round(self) -> None:
        """Poke every bot, slowly: at the start, and after a gap, because the list doesn't show a
        crash and a restart in it."""
        while True:
            await self._round_wanted.wait()
            self._round_wanted.clear()
            self._on_a_round = True
            for number, view in enumerate(self._fleet, 1):
                self._poke(view.bot.id)
                if number % ROUND_BATCH == 0:
                    await asyncio.sleep(ROUND_PAUSE)
            self._on_a_round = False

    async def _patrol(self) -> None:
        while True:
            self._look_now.clear()
            await self.resync()
            away = not self._fleet.engine.reachable
            pause = PATROL_SECONDS_AWAY if away else PATROL_SECONDS
            with contextlib.suppress(TimeoutError):
                # Not wait_for: in 3.11 it loses a cancellation that meets the event.
                async with asyncio.timeout(pause):
                    await self._look_now.wait()

    async def resync(self) -> None:
        """Compare one full list with what was seen last; poke what differs.

        After the engine was away every bot is looked at, because looks may have failed meanwhile:
        what differs at once, the others in turn. While it answers, a bot whose own look keeps
        failing goes on backing off.
        """
        was_away = self._fleet.engine.away
        try:
            rows = await self._runtime.list_containers()
        except EngineBusy:
            return  # the engine was never asked, so nothing is known about it
        except ControllerError as error:
            if not was_away:
                log.warning("the engine doesn't answer: %s", error)
            self._note_gap()
            self._fleet.note_engine(False, error.message)
            return
        self._fleet.note_engine(True)
        if was_away:
            self._round_wanted.set()
        again = self._poke if was_away else self._nudge
        by_bot = {row.bot_id: row for row in rows}
        for view in self._fleet:
            bot_id = view.bot.id
            unseen = not view.seen and not (was_away or self._on_a_round)  # else a round comes
            unfinished = unseen or bot_id in self._unfinished or _is_hidden(view)
            if unfinished or (view.seen and _differs(view, by_bot.get(bot_id))):
                again(bot_id)
            elif not was_away:
                self._accounts.note_unchanged(bot_id)


def _is_hidden(view: View) -> bool:
    """Whether somebody's container has the bot's name: the bot's own may go by another, which no
    list shows, and comes to light when theirs is gone."""
    problem = view.bot.problem
    return problem is not None and problem.code == "foreign-container"


def _differs(view: View, row: ListedContainer | None) -> bool:
    container = view.world.container
    if row is None or container is None:
        return (row is None) != (container is None)
    seen = (container.container_id, container.state, container.health)
    return seen != (row.container_id, row.state, row.health)

"""What bots do by themselves, and when: schedules as people manage them.

They are carried out next door, in `schedule_runs`.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from controller.domain.acts import (
    SCHEDULE_ADD,
    SCHEDULE_LIST,
    SCHEDULE_PAUSE,
    SCHEDULE_REMOVE,
    SCHEDULE_RESUME,
    Act,
)
from controller.domain.bot import Bot
from controller.domain.errors import Conflict, NotFound
from controller.domain.schedules import EACH_MOST, Chore, Schedule, cron_of
from controller.fleet.journal import Caller, Journal
from controller.fleet.threads import Threads
from controller.manager.access import Access
from controller.manager.cron_times import next_run, require_rare, zone_meant, zones
from controller.store import Store


@dataclass(frozen=True, slots=True)
class ScheduleOrder:
    """What somebody wants a bot to do, and when, as they typed it."""

    chore: str
    at: str
    zone: str = ""  # empty: as the last schedule that they made, or UTC


class Schedules:
    """The use-cases."""

    def __init__(
        self,
        store: Store,
        journal: Journal,
        access: Access,
        threads: Threads,
        wake: Callable[[], None],
    ) -> None:
        self._store = store
        self._journal = journal
        self._access = access
        self._threads = threads
        self._wake = wake  # whoever carries them out
        self._zones: list[str] = []  # once somebody asked

    async def add(self, caller: Caller, bot: Bot, order: ScheduleOrder) -> Schedule:
        """Let a bot do something by itself. Whoever adds it must be allowed to do it by hand.

        Raises BadInput (`bad-schedule`, `unknown-time-zone`) or Conflict (`too-many-schedules`).
        """
        await self._access.require(caller, SCHEDULE_ADD, bot)
        chore = Chore.parse(order.chore)
        await self._access.require(caller, chore.act, bot)
        cron, now = cron_of(order.at), time.time()
        zone = await self._zone(caller, order.zone)
        require_rare(cron, zone, now)
        wanted = Schedule(
            bot_id=bot.id,
            chore=chore,
            cron=cron,
            zone=zone,
            by=replace(caller.principal, roles=frozenset(), limit=None),
            created_at=now,
            next_at=next_run(cron, zone, now),
        )
        detail = {"detail": f"{chore.value}, {cron}, {zone}"}
        async with self._journal.request(caller, SCHEDULE_ADD, bot, detail) as deed:
            async with self._store.transaction() as write:
                if await write.schedules.count(bot.id) >= EACH_MOST:
                    raise Conflict(
                        f"{bot.name} has {EACH_MOST} schedules already.",
                        hint="Remove one first.",
                        code="too-many-schedules",
                    )
                made = await write.schedules.add(wanted)
            deed.ended(schedule=made.id)
        self._wake()
        return made

    async def listed(self, caller: Caller, bot: Bot) -> list[Schedule]:
        """A bot's schedules, by their numbers."""
        await self._access.require(caller, SCHEDULE_LIST, bot)
        return await self._store.schedules(bot.id)

    async def pause(self, caller: Caller, bot: Bot, number: int) -> Schedule:
        """Let it rest: what is due meanwhile isn't missed. NotFound (`no-such-schedule`)."""
        return await self._set(caller, SCHEDULE_PAUSE, bot, number, paused=True)

    async def resume(self, caller: Caller, bot: Bot, number: int) -> Schedule:
        """Let it go on, from its next time after now. NotFound (`no-such-schedule`)."""
        return await self._set(caller, SCHEDULE_RESUME, bot, number, paused=False)

    async def remove(self, caller: Caller, bot: Bot, number: int) -> Schedule:
        """Remove it. NotFound (`no-such-schedule`)."""
        await self._access.require(caller, SCHEDULE_REMOVE, bot)
        detail = {"schedule": number}
        async with (
            self._journal.request(caller, SCHEDULE_REMOVE, bot, detail),
            self._store.transaction() as write,
        ):
            found = _of(bot, await write.schedules.get(number))
            await write.schedules.drop(number)
        return found

    async def zones(self) -> list[str]:
        """Every time zone, for suggestions."""
        if not self._zones:
            self._zones = await self._threads(zones)
        return self._zones

    async def _set(
        self, caller: Caller, act: Act, bot: Bot, number: int, *, paused: bool
    ) -> Schedule:
        await self._access.require(caller, act, bot)
        detail = {"schedule": number}
        async with (
            self._journal.request(caller, act, bot, detail),
            self._store.transaction() as write,
        ):
            found = _of(bot, await write.schedules.get(number))
            due = next_run(found.cron, found.zone, time.time())
            found = replace(found, paused=paused, next_at=due)
            await write.schedules.save(found)
        self._wake()
        return found

    async def _zone(self, caller: Caller, typed: str) -> str:
        if typed.strip():
            return await self._threads(lambda: zone_meant(typed))
        own = [
            one
            for one in await self._store.schedules()
            if (one.by.kind, one.by.id) == (caller.principal.kind, caller.principal.id)
        ]
        return own[-1].zone if own else "UTC"


def _of(bot: Bot, found: Schedule | None) -> Schedule:
    if found is None or found.bot_id != bot.id:
        raise NotFound(
            f"{bot.name} has no such schedule.",
            hint=f"/bot schedule list {bot.name} shows them.",
            code="no-such-schedule",
        )
    return found

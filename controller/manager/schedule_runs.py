"""Carries schedules out: one timer for all of them, a few runs at a time.

A run is a request like any other, asked for by its schedule. Its id is the schedule's number and
the time when it was due, so it acts once, also when the controller dies in the middle. What was due
while no controller ran is reported and not made up for.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from controller.domain import journal as facts
from controller.domain.acts import BOT_UPDATE
from controller.domain.bot import Bot
from controller.domain.errors import ControllerError, StorageTrouble
from controller.domain.journal import Entry, Kind
from controller.domain.schedules import LATE, Chore, Schedule
from controller.fleet.journal import Caller, append_all
from controller.fleet.views import View
from controller.manager.backups import BackupOrder, Backups
from controller.manager.batches import ActTools
from controller.manager.cron_times import due_until, next_run

log = logging.getLogger(__name__)
AT_ONCE = 4  # runs
WAIT_SECONDS = 60.0  # for the end of one; the bot goes on after that
SLEEP_MOST = 60.0  # seconds; clocks are set
MISSED_MOST = 500  # entries that are told at once
AGAIN = 30.0  # seconds until the database is asked again after it failed


class ScheduleRuns:
    """Wakes up when a schedule is due."""

    def __init__(
        self, tools: ActTools, backups: Backups, clock: Callable[[], float] = time.time
    ) -> None:
        self._tools = tools
        self._backups = backups
        self._clock = clock
        self._changed = asyncio.Event()
        self._free = asyncio.Semaphore(AT_ONCE)
        self._busy: set[int] = set()
        self._listeners: set[Callable[[], None]] = set()

    def wake(self) -> None:
        """Schedules changed."""
        self._changed.set()

    @contextlib.contextmanager
    def hearing_missed(self, listener: Callable[[], None]) -> Iterator[None]:
        """Call `listener()` when runs were missed, while the block runs."""
        self._listeners.add(listener)
        try:
            yield
        finally:
            self._listeners.discard(listener)

    async def newest_entry(self) -> int:
        """The number of the journal's newest entry."""
        return await self._tools.store.newest()

    async def missed_since(self, number: int) -> list[Entry]:
        """The entries about missed runs behind that one, oldest first."""
        # Never 0, which would mean the newest ones; the first entry of all is about no schedule.
        behind = max(1, number)
        kinds = (Kind.MISSED,)
        found = await self._tools.store.entries(kinds=kinds, after=behind, limit=MISSED_MOST)
        return found[::-1]

    async def run(self) -> None:
        """Carry them out until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                self._changed.clear()
                try:
                    pause = await self.begin_due(group)
                except ControllerError as error:
                    log.warning("schedules can't be read: %s", error)
                    pause = AGAIN
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._changed.wait()

    async def begin_due(self, group: asyncio.TaskGroup) -> float | None:
        """Begin what is due; seconds until somebody has to look again, None if nobody has to."""
        store, now = self._tools.store, self._clock()
        for one in await store.schedules(due=now):
            if one.id in self._busy:
                continue
            if now - one.next_at > LATE and not await self._was_asked(one):
                await self._report_missed(one, now)
            else:
                self._busy.add(one.id)
                group.create_task(self._carry_out(one), name=f"schedule {one.id}")
        # What is due and isn't begun yet is under way: its end wakes us.
        due = await store.next_due(now)
        return None if due is None else min(SLEEP_MOST, due - now)

    def _id(self, one: Schedule) -> str:
        return one.request(one.next_at)

    async def _was_asked(self, one: Schedule) -> bool:
        """Whether the run that is due was begun, by whichever controller."""
        return await self._tools.store.asked(request=self._id(one)) is not None

    async def _report_missed(self, one: Schedule, now: float) -> None:
        times, last = due_until(one.cron, one.zone, one.next_at, now)
        log.warning("schedule %d missed %d runs", one.id, times)
        view = self._tools.fleet.get(one.bot_id)
        async with self._tools.store.transaction() as write:
            found = await write.schedules.get(one.id)
            if found is None or found.paused or found.next_at != one.next_at:
                return
            due = next_run(one.cron, one.zone, now)
            missed = replace(found, next_at=due, missed=found.missed + times, missed_at=last)
            await write.schedules.save(missed)
            told = facts.missed(one.id, one.chore.value, last, times)
            await append_all(write, [told], view.bot if view else None)
        for listener in tuple(self._listeners):
            listener()

    async def _carry_out(self, one: Schedule) -> None:
        try:
            async with self._free:
                code, words = await self._ended(one)
                await self._note(one, code, words)
        except ControllerError as error:  # the database: the same run is tried again
            log.warning("schedule %d can't be carried out: %s", one.id, error)
            await asyncio.sleep(AGAIN)
        except Exception:  # a bug in one must not stop all others
            log.exception("schedule %d can't be carried out", one.id)
            await asyncio.sleep(AGAIN)
        finally:
            self._busy.discard(one.id)
            self.wake()

    async def _ended(self, one: Schedule) -> tuple[str, str]:
        """The code of the error that it ended with, or none; and words about its end."""
        view = self._tools.fleet.get(one.bot_id)
        if view is None:
            return "no-such-bot", ""
        try:
            return "", await self._do(one, view.bot)
        except ControllerError as error:
            if error.code == "duplicate":
                return "cut-short", "BotMaker restarted during it."
            if isinstance(error, StorageTrouble) and not await self._was_asked(one):
                raise  # it couldn't even be written down
            log.warning("schedule %d: %s", one.id, error)
            return error.code, error.message

    async def _do(self, one: Schedule, bot: Bot) -> str:
        caller = Caller(one.principal, self._id(one))
        life = self._tools.lifecycle
        match one.chore:
            case Chore.START:
                return _said(await life.start(caller, bot, WAIT_SECONDS))
            case Chore.STOP:
                return _said(await life.stop(caller, bot, WAIT_SECONDS))
            case Chore.RESTART:
                return _said(await life.restart(caller, bot, WAIT_SECONDS))
            case Chore.CHECK:
                return await self._check(caller, bot)
            case Chore.BACKUP:
                return (await self._backups.write(caller, BackupOrder())).path.name

    async def _check(self, caller: Caller, bot: Bot) -> str:
        """Say what an update would change, in the journal; nothing is changed."""
        await self._tools.access.require(caller, BOT_UPDATE, bot)
        detail = {"detail": "check only"}
        async with self._tools.journal.request(caller, BOT_UPDATE, bot, detail) as deed:
            found = await self._tools.releases.preview(caller, bot)
            words = "an update is available" if found else "up to date"
            deed.ended(words=words)
        return words

    async def _note(self, one: Schedule, code: str, words: str) -> None:
        """What became of it, and when it's due next. Somebody may have changed it meanwhile."""
        now = self._clock()
        async with self._tools.store.transaction() as write:
            found = await write.schedules.get(one.id)
            if found is None:
                return
            due = found.next_at
            if due == one.next_at:
                due = next_run(one.cron, one.zone, max(now, due))
            ended = replace(found, last_at=now, last_code=code, last_words=words[:300])
            await write.schedules.save(replace(ended, next_at=due, missed=0, missed_at=0.0))


def _said(view: View | None) -> str:
    if view is None:
        return "gone"
    problem = view.bot.problem
    return f"{view.phase.value}: {problem.message}" if problem else view.phase.value

"""Schedules: what people set up is done when it is due, once; what was missed is told."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from controller.backups import Written
from controller.domain.access import Grant, Limit
from controller.domain.acts import FLEET_BACKUP
from controller.domain.bot import Bot
from controller.domain.errors import BadInput, Conflict, Denied, NotFound, StorageTrouble
from controller.domain.journal import Kind
from controller.domain.phase import Phase
from controller.domain.roles import Role
from controller.domain.schedules import LATE, Schedule
from controller.fleet.journal import Caller
from controller.manager.cron_times import next_run
from controller.manager.schedule_runs import ScheduleRuns
from controller.manager.schedules import ScheduleOrder
from tests.manager.rig import ANN, ANN_ASKS, BEN_ASKS, Rig, eventually


async def add(rig: Rig, bot: Bot, chore: str = "restart", at: str = "daily 4:30") -> Schedule:
    order = ScheduleOrder(chore, at, "Europe/Berlin")
    return await rig.manager.schedules.add(ANN_ASKS, bot, order)


async def one_of(rig: Rig, bot: Bot) -> Schedule:
    (found,) = await rig.manager.schedules.listed(ANN_ASKS, bot)
    return found


async def make_due(rig: Rig, one: Schedule, due: float) -> Schedule:
    """Let it be due at that time instead."""
    moved = replace(one, next_at=due)
    async with rig.store.transaction() as write:
        await write.schedules.save(moved)
    return moved


@contextlib.asynccontextmanager
async def running(rig: Rig, now: float) -> AsyncIterator[ScheduleRuns]:
    """Schedules are carried out, by a clock that stands still."""
    tools = rig.manager.schedule_runs._tools
    runs = ScheduleRuns(tools, rig.manager.backups, lambda: now)
    work = asyncio.create_task(runs.run())
    yield runs
    work.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await work


async def test_a_schedule_says_when_it_runs_next_and_can_rest(rig: Rig) -> None:
    """Its time zone counts; a pause isn't a miss, and a removed one is gone."""
    bot = await rig.create()
    made = await add(rig, bot)
    assert (made.cron, made.zone) == ("30 4 * * *", "Europe/Berlin")
    assert made.next_at == next_run(made.cron, made.zone, made.created_at)
    paused = await rig.manager.schedules.pause(ANN_ASKS, bot, made.id)
    assert paused.paused
    assert await rig.store.next_due(0.0) is None
    await make_due(rig, paused, made.created_at - 86400)
    resumed = await rig.manager.schedules.resume(ANN_ASKS, bot, made.id)
    assert (resumed.paused, resumed.missed, resumed.next_at) == (False, 0, made.next_at)
    await rig.manager.schedules.remove(ANN_ASKS, bot, made.id)
    assert await rig.manager.schedules.listed(ANN_ASKS, bot) == []


async def test_the_zone_of_the_last_one_is_the_next_ones(rig: Rig) -> None:
    """So it is typed once."""
    bot = await rig.create()
    first = await rig.manager.schedules.add(ANN_ASKS, bot, ScheduleOrder("stop", "daily 3:00"))
    assert first.zone == "UTC"
    await add(rig, bot)
    third = await rig.manager.schedules.add(ANN_ASKS, bot, ScheduleOrder("start", "daily 5:00"))
    assert third.zone == "Europe/Berlin"


async def test_a_restart_that_is_due_is_made_and_noted(rig: Rig) -> None:
    """By the schedule, in the journal; the bot has another run, and the next time is set."""
    bot = await rig.running()
    run = rig.run_of(bot)
    made = await add(rig, bot)
    due = made.next_at
    async with running(rig, due + 1):
        await eventually(lambda: rig.active(bot) and rig.run_of(bot) != run, "it restarts")
        async with asyncio.timeout(5):
            while not (await one_of(rig, bot)).last_at:
                await asyncio.sleep(0.01)
    one = await one_of(rig, bot)
    assert (one.last_code, one.last_words) == ("", "running")
    assert one.next_at == next_run(one.cron, one.zone, due + 1)
    asked = (await rig.entries(Kind.ASKED, bot=bot))[0]
    assert (asked.data["act"], asked.author.principal.name) == (
        "bot.restart",
        f"schedule {made.id} of ann",
    )


async def test_what_was_due_while_nobody_ran_is_told_and_not_made_up_for(rig: Rig) -> None:
    """Three nights: one entry, and the bot's run goes on."""
    bot = await rig.running()
    run, made = rig.run_of(bot), await add(rig, bot)
    now = made.next_at + 2 * 86400 + LATE + 60
    async with running(rig, now):
        async with asyncio.timeout(5):
            while not (await one_of(rig, bot)).missed:
                await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
    one = await one_of(rig, bot)
    assert (one.missed, one.last_at) == (3, 0.0)
    assert one.next_at > now
    (told,) = await rig.entries(Kind.MISSED, bot=bot)
    assert (told.data["times"], told.data["chore"]) == (3, "restart")
    assert rig.run_of(bot) == run


async def test_missed_runs_add_up_until_one_is_made(rig: Rig) -> None:
    """Two absences before anybody looked."""
    bot = await rig.running()
    made = await add(rig, bot)
    for missed in (1, 2):
        one = await one_of(rig, bot)
        async with running(rig, one.next_at + LATE + 60), asyncio.timeout(5):
            while (await one_of(rig, bot)).missed != missed:
                await asyncio.sleep(0.01)
    due = (await one_of(rig, bot)).next_at
    async with running(rig, due + 1), asyncio.timeout(5):
        while not (await one_of(rig, bot)).last_at:
            await asyncio.sleep(0.01)
    one = await one_of(rig, bot)
    assert (one.id, one.missed, one.missed_at) == (made.id, 0, 0.0)


async def test_a_run_that_takes_its_time_is_begun_once(rig: Rig) -> None:
    """However often somebody looks at what is due meanwhile."""
    bot = await rig.running()
    made = await add(rig, bot)
    rig.runtime.start_delay = 0.3
    async with running(rig, made.next_at + 1) as runs, asyncio.timeout(5):
        while not (one := await one_of(rig, bot)).last_at:
            runs.wake()
            await asyncio.sleep(0.01)
    assert (one.last_code, one.last_words) == ("", "running")


async def test_a_run_acts_once_though_the_controller_dies_right_after_it_was_asked_for(
    rig: Rig,
) -> None:
    """The same run again is the same request: it's noted as cut short, and not done twice."""
    bot = await rig.running()
    made = await add(rig, bot)
    async with running(rig, made.next_at + 1):
        async with asyncio.timeout(5):
            while not (await one_of(rig, bot)).last_at:
                await asyncio.sleep(0.01)
    run = rig.run_of(bot)
    again = await make_due(rig, await one_of(rig, bot), made.next_at)
    async with running(rig, made.next_at + LATE + 100):
        async with asyncio.timeout(5):
            while (await one_of(rig, bot)).next_at == again.next_at:
                await asyncio.sleep(0.01)
    one = await one_of(rig, bot)
    assert (one.last_code, one.missed) == ("cut-short", 0)
    assert rig.run_of(bot) == run


async def test_a_run_that_fails_says_why_and_the_next_one_comes(rig: Rig) -> None:
    """A bot without its secrets can't be started."""
    bot = await rig.create()
    await rig.becomes(bot, Phase.CREATED)
    made = await add(rig, bot, "start")
    async with running(rig, made.next_at + 1):
        async with asyncio.timeout(5):
            while not (await one_of(rig, bot)).last_at:
                await asyncio.sleep(0.01)
    one = await one_of(rig, bot)
    assert one.last_code == "secrets-missing"
    assert one.next_at > made.next_at


class Refusing:
    """Backups on a disk that takes none."""

    def __init__(self, rig: Rig) -> None:
        self._journal = rig.house.tools.journal

    async def write(self, caller: Caller, _: object) -> Written:
        async with self._journal.request(caller, FLEET_BACKUP, None):
            raise StorageTrouble("The disk refused it.")


async def test_a_backup_that_the_disk_refuses_says_so_and_isnt_tried_on_and_on(rig: Rig) -> None:
    """It's the end of that run, and no restart of BotMaker was."""
    bot = await rig.create()
    made = await add(rig, bot, "backup")
    tools = rig.manager.schedule_runs._tools
    runs = ScheduleRuns(tools, Refusing(rig), lambda: made.next_at + 1)  # type: ignore[arg-type]
    work = asyncio.create_task(runs.run())
    async with asyncio.timeout(5):
        while not (one := await one_of(rig, bot)).last_at:
            await asyncio.sleep(0.01)
    work.cancel()
    assert (one.last_code, one.last_words) == ("storage", "The disk refused it.")
    assert one.next_at > made.next_at


async def test_a_check_for_an_update_changes_nothing(rig: Rig) -> None:
    """It says that there is one."""
    bot = await rig.running()
    made = await add(rig, bot, "update-check")
    rig.runtime.rebuild("example/plain:1")
    before = rig.view(bot).bot
    async with running(rig, made.next_at + 1):
        async with asyncio.timeout(5):
            while not (await one_of(rig, bot)).last_at:
                await asyncio.sleep(0.01)
    assert (await one_of(rig, bot)).last_words == "an update is available"
    assert rig.view(bot).bot.image == before.image


async def test_many_that_are_due_at_once_are_all_made(rig: Rig) -> None:
    """A few at a time, none forgotten."""
    bots = [await rig.running() for _ in range(7)]
    made = [await add(rig, bot, "stop") for bot in bots]
    async with running(rig, max(one.next_at for one in made) + 1):
        await eventually(lambda: not any(rig.active(bot) for bot in bots), "all stop")


async def test_whoever_adds_one_must_be_allowed_to_do_it_by_hand(rig: Rig) -> None:
    """An admin of one bot can't back everything up by a schedule; nobody has eleven."""
    bot = await rig.create()
    await rig.manager.access.grant(ANN_ASKS, Grant("user", 2, Role.OPERATOR, bot.id), bot)
    with pytest.raises(Denied):
        await rig.manager.schedules.add(BEN_ASKS, bot, ScheduleOrder("backup", "daily 3:00"))
    # A token of an admin's that is for this bot alone: it adds schedules, and backs nothing up.
    token = Caller(replace(ANN, limit=Limit(Role.ADMIN, frozenset({bot.id}))))
    await rig.manager.schedules.add(token, bot, ScheduleOrder("stop", "daily 3:00"))
    with pytest.raises(Denied):
        await rig.manager.schedules.add(token, bot, ScheduleOrder("backup", "daily 3:00"))
    with pytest.raises(BadInput) as caught:
        await rig.manager.schedules.add(ANN_ASKS, bot, ScheduleOrder("delete", "daily 3:00"))
    assert caught.value.code == "bad-schedule"
    for _ in range(9):
        await add(rig, bot)
    with pytest.raises(Conflict) as full:
        await add(rig, bot)
    assert full.value.code == "too-many-schedules"


async def test_schedules_go_with_their_bot_and_belong_to_it(rig: Rig) -> None:
    """Another bot's number is unknown here."""
    bot, other = await rig.running(), await rig.create()
    made = await add(rig, bot)
    with pytest.raises(NotFound) as caught:
        await rig.manager.schedules.remove(ANN_ASKS, other, made.id)
    assert caught.value.code == "no-such-schedule"
    await rig.manager.lifecycle.delete(ANN_ASKS, bot)
    await rig.gone(bot)
    assert await rig.store.schedules() == []

"""Ends of a run: which are crashes, when they are a loop, when the controller gives up."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller.domain.bot import Bot, Crash
from controller.domain.crashes import judge
from controller.domain.events import LogLine, LogQuery
from controller.domain.journal import Kind
from controller.domain.observation import ContainerState, Observation
from controller.domain.phase import Phase
from controller.runtime.memory import MemoryRuntime
from tests.manager.rig import ANN_ASKS, Rig, eventually


async def crash(rig: Rig, bot: Bot, exit_code: int = 1, *, oom: bool = False) -> None:
    """Let the bot crash, and wait until that was noticed."""
    before = len(rig.view(bot).crashes)
    rig.runtime.crash(bot.id, exit_code, oom=oom)
    await eventually(lambda: len(rig.view(bot).crashes) > before, "the crash is noticed")
    await asyncio.sleep(0.002)  # two crashes are never at the very same time


@pytest.fixture
async def patient(tmp_path: Path) -> AsyncIterator[Rig]:
    """An installation whose plain bots are restarted twice by the engine, then not any more."""
    rig = Rig(tmp_path, restart="on-failure:2")
    await rig.open()
    rig.run()
    await eventually(lambda: rig.fleet.engine.reachable)
    yield rig
    await rig.kill()


async def test_a_crash_is_remembered_with_its_reason(rig: Rig) -> None:
    """Exit code, last words and the journal's entry exist, and the bot runs again."""
    bot = await rig.running()
    rig.runtime.write_log(bot.id, "before\nthe reason")
    await crash(rig, bot, 7)
    view = await rig.becomes(bot, Phase.RUNNING)
    assert view.last_crash is not None
    assert view.last_crash.exit_code == 7
    assert view.tail == ("before", "the reason")
    (entry,) = await rig.entries(Kind.CRASH, bot=bot)
    assert (entry.data["exit_code"], entry.data["ended"]) == (7, view.last_crash.at)


async def test_a_crash_is_noted_and_accounted_for_at_once_or_not_at_all(rig: Rig) -> None:
    """While the row can't be written nothing of the crash is; afterwards it counts once."""
    bot = await rig.running()

    def sql(text: str) -> None:
        with contextlib.closing(sqlite3.connect(rig.data / "botmaker.db")) as file:
            file.execute(text)

    sql("CREATE TRIGGER full BEFORE UPDATE ON bot BEGIN SELECT RAISE(ABORT, 'no room'); END")
    looks = rig.runtime.calls["observe"]
    rig.runtime.crash(bot.id, 7)
    await eventually(lambda: rig.runtime.calls["observe"] > looks + 1, "it is tried again")
    assert await rig.entries(Kind.CRASH, bot=bot) == []
    assert await rig.store.crashes() == {}
    sql("DROP TRIGGER full")
    rig.poke(bot)
    await eventually(lambda: rig.view(bot).crashes, "the crash is noticed")
    await rig.restart()
    await rig.becomes(bot, Phase.RUNNING)
    assert [one.exit_code for one in rig.view(bot).crashes] == [7]
    assert len(await rig.entries(Kind.CRASH, bot=bot)) == 1


async def test_the_words_before_a_crash_are_redacted(rig: Rig) -> None:
    """A bot that prints its key as it dies does not show it."""
    bot = await rig.running()
    rig.runtime.write_log(bot.id, "bad key fake-provider-key-1, good bye")
    await crash(rig, bot)
    assert rig.view(bot).tail == ("bad key [redacted], good bye",)


async def test_three_crashes_are_a_loop_and_five_the_end(rig: Rig) -> None:
    """The third shows crash-looping, the fifth stops the bot and says why."""
    bot = await rig.running()
    for _ in range(2):
        await crash(rig, bot)
        await rig.becomes(bot, Phase.RUNNING)
    await crash(rig, bot)
    view = await rig.becomes(bot, Phase.CRASH_LOOPING)
    assert view.bot.problem is None
    assert rig.active(bot)
    await crash(rig, bot)
    await crash(rig, bot, 9)
    await eventually(lambda: not rig.active(bot), "the controller gives up")
    problem = rig.view(bot).bot.problem
    assert problem is not None
    assert problem.code == "crash-loop"
    assert problem.message == "Gave up after 5 crashes in ten minutes; the last: exit 9."
    assert rig.view(bot).phase is Phase.ERROR
    assert len(rig.view(bot).crashes) == 5


@pytest.mark.parametrize("order", ["start", "restart"])
async def test_an_order_begins_the_count_anew(rig: Rig, order: str) -> None:
    """After giving up, start or restart makes it run with no crash held against it."""
    bot = await rig.running()
    for _ in range(5):
        await crash(rig, bot)
    await eventually(lambda: not rig.active(bot))
    view = await getattr(rig.manager.lifecycle, order)(ANN_ASKS, bot)
    assert (view.phase, view.crashes, view.bot.problem) == (Phase.RUNNING, (), None)
    assert await rig.store.crashes() == {}
    await crash(rig, bot)
    assert len(rig.view(bot).crashes) == 1


async def test_a_fatal_exit_code_stops_at_once(rig: Rig) -> None:
    """78 is fatal in the template: no second try, and the reason is shown."""
    bot = await rig.running()
    rig.runtime.restart_at_once = False
    await crash(rig, bot, 78)
    view = await rig.becomes(bot, Phase.ERROR)
    assert view.bot.problem is not None
    assert view.bot.problem.code == "fatal-exit"
    assert view.bot.problem.message == "Stopped after exit 78: a configuration error."
    await eventually(lambda: not rig.active(bot))


async def test_a_fatal_exit_is_known_even_when_the_engine_was_faster(rig: Rig) -> None:
    """Restarted before anybody looked: the event's exit code counts."""
    bot = await rig.running()
    await crash(rig, bot, 78)
    view = await rig.becomes(bot, Phase.ERROR)
    assert view.bot.problem is not None
    assert view.bot.problem.code == "fatal-exit"
    await eventually(lambda: not rig.active(bot))


async def test_out_of_memory_is_said(rig: Rig) -> None:
    """An OOM kill is named, where the look comes in time to see it."""
    bot = await rig.running()
    rig.runtime.restart_at_once = False
    await crash(rig, bot, 137, oom=True)
    (entry,) = await rig.entries(Kind.CRASH, bot=bot)
    assert (entry.data["exit_code"], entry.data["oom_killed"]) == (137, True)


async def test_a_wished_stop_is_no_crash(rig: Rig) -> None:
    """Stop, restart and start again leave no crash, also after a controller's restart."""
    bot = await rig.running()
    await rig.manager.lifecycle.stop(ANN_ASKS, bot)
    await rig.manager.lifecycle.start(ANN_ASKS, bot)
    await rig.manager.lifecycle.restart(ANN_ASKS, bot)
    await rig.manager.lifecycle.stop(ANN_ASKS, bot)
    await rig.restart()
    await rig.manager.lifecycle.start(ANN_ASKS, bot)
    view = await rig.becomes(bot, Phase.RUNNING)
    assert view.crashes == ()


async def test_a_stop_that_the_killed_controller_began_is_no_crash(rig: Rig) -> None:
    """Stopped by us, not yet written down, started by the next controller: no crash."""
    bot = await rig.running()
    await rig.manager.lifecycle.stop(ANN_ASKS, bot)
    await rig.kill()
    await rig.open()
    rig.run()
    view = await rig.manager.lifecycle.start(ANN_ASKS, bot)
    assert view is not None
    assert (view.phase, view.crashes) == (Phase.RUNNING, ())


async def test_an_exit_while_no_controller_was_there_is_a_crash(rig: Rig) -> None:
    """The next controller counts it, once."""
    bot = await rig.running()
    await rig.kill()
    rig.runtime.restart_at_once = False
    rig.runtime.crash(bot.id, 3)
    await rig.open()
    rig.run()
    await eventually(lambda: rig.view(bot).crashes)
    assert [crash.exit_code for crash in rig.view(bot).crashes] == [3]
    await rig.restart()
    await eventually(lambda: rig.view(bot).seen)
    assert len(rig.view(bot).crashes) == 1


async def test_crashes_between_two_looks_are_all_counted(rig: Rig) -> None:
    """The engine's own count says how many there were."""
    bot = await rig.running()
    rig.runtime.feeds.clear()
    for _ in range(3):
        rig.runtime.crash(bot.id, 1)
    await rig.loop.watcher.resync()
    rig.poke(bot)
    await rig.becomes(bot, Phase.CRASH_LOOPING)
    assert len(rig.view(bot).crashes) == 3


async def test_a_limited_restart_policy_ends_in_a_problem(patient: Rig) -> None:
    """on-failure:2 gives up after the third end; the bot says so and start begins anew."""
    bot = await patient.running()
    for _ in range(3):
        await crash(patient, bot, 5)
    view = await patient.becomes(bot, Phase.ERROR)
    assert view.bot.problem is not None
    assert (view.bot.problem.code, view.bot.problem.message) == ("exited", "Ended: exit 5.")
    started = await patient.manager.lifecycle.start(ANN_ASKS, bot)
    assert started is not None
    assert started.phase is Phase.RUNNING


async def test_a_quick_stop_and_start_is_no_end_of_a_limited_policy(patient: Rig) -> None:
    """Start overtakes the stop under way: the bot runs and nothing is held against it."""
    bot = await patient.running()
    stopping = asyncio.create_task(patient.manager.lifecycle.stop(ANN_ASKS, bot))
    await eventually(lambda: patient.view(bot).bot.wish == "stop")
    await patient.manager.lifecycle.start(ANN_ASKS, bot)
    await stopping
    view = await patient.becomes(bot, Phase.RUNNING)
    assert (view.bot.problem, view.crashes) == (None, ())


async def test_a_clock_set_back_does_not_hold_a_bot_in_starting(rig: Rig) -> None:
    """Late by a clock that nobody sets, whatever the one on the wall says of its start."""
    bot = await rig.create("demo")
    await rig.submit(bot)
    await eventually(lambda: rig.loop.looker.time_left(bot), "it is on its way up")
    assert rig.view(bot).phase is Phase.STARTING
    rig.loop.looker.clock = lambda: time.monotonic() + 3600
    rig.poke(bot)
    await rig.becomes(bot, Phase.UNHEALTHY)


@pytest.mark.parametrize("when", ["seen", "unseen"])
async def test_an_end_with_the_engine_is_no_crash_however_late_it_is_seen(
    rig: Rig, when: str
) -> None:
    """The engine answers before it has looked at its containers: the run that ended with it seems
    to go on for a moment. And the run may be one that nobody had looked at before."""
    bot = await rig.running()
    rig.runtime.go_away()
    await rig.loop.watcher.resync()
    held = rig.runtime.containers[bot.id]
    ended = replace(
        held.seen, state=ContainerState.EXITED, exit_code=0, finished_at=time.time(), started_at=""
    )
    if when == "unseen":
        held.seen = replace(ended, started_at="2030-01-01T00:00:00.000000001Z")
        rig.runtime.come_back()
    else:
        rig.runtime.come_back()
        await eventually(lambda: rig.fleet.engine.reachable)
        await asyncio.sleep(0.05)  # looked at, and seen to run on
        held.seen = replace(ended, started_at=held.seen.started_at)
        rig.runtime.emit(bot.id, "die")
    await eventually(lambda: rig.active(bot) and rig.at_rest(), "it runs again")
    assert rig.view(bot).crashes == ()
    assert await rig.entries(Kind.CRASH, bot=bot) == []


class HeldLog:
    """A runtime whose logs come only when the test lets them."""

    def __init__(self, runtime: MemoryRuntime) -> None:
        self._runtime = runtime
        self.asked, self.answers = asyncio.Event(), asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runtime, name)

    async def logs(self, bot_id: str, query: LogQuery) -> list[LogLine]:
        """Say that somebody reads, and wait."""
        self.asked.set()
        await self.answers.wait()
        return await self._runtime.logs(bot_id, query)


async def test_an_order_given_while_a_crash_is_noted_is_not_overwritten(rig: Rig) -> None:
    """Restart was pressed while the crash was looked into: it is the newer word."""
    held = rig.door = HeldLog(rig.runtime)
    await rig.restart()
    bot = await rig.running()
    rig.runtime.crash(bot.id, 78)
    await asyncio.wait_for(held.asked.wait(), 5)
    pressed = asyncio.create_task(rig.manager.lifecycle.restart(ANN_ASKS, bot))
    await eventually(lambda: rig.view(bot).bot.run.to_end, "the order is written down")
    held.answers.set()
    view = await pressed
    assert view is not None
    assert view.bot.problem is None
    await rig.becomes(bot, Phase.RUNNING)


def test_a_crash_is_judged_by_the_engines_time() -> None:
    """Long ago for this machine's clock, or noted behind one that was ahead: fatal all the same."""
    ended = Observation(container_id="c", state=ContainerState.EXITED, finished_at=1000.0)
    crashes = [Crash(at=1300.0, exit_code=1), Crash(at=1000.0, exit_code=78)]
    problem = judge(crashes, ended, ended.finished_at, fatal=(78,), restart="unless-stopped")
    assert problem is not None
    assert problem.code == "fatal-exit"

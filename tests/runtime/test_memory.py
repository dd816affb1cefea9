"""The knobs of the in-memory runtime: that they do what its docstring says."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from dataclasses import replace

import pytest

from controller.domain.errors import EngineUnavailable, ImageMissing, OutcomeUnknown
from controller.domain.events import ContainerEvent
from controller.domain.names import new_bot_id
from controller.domain.observation import ContainerState, Health, Observation
from controller.domain.spec import ContainerSpec, SeedFile
from controller.runtime import ProbeResult
from controller.runtime.memory import MemoryRuntime
from controller.runtime.memory_world import ImpossibleWorldError


@pytest.fixture
def world() -> MemoryRuntime:
    """A world with one image."""
    made = MemoryRuntime("knobs", images=["bot:1"])
    made.host_has = lambda _: True
    return made


def spec() -> ContainerSpec:
    return ContainerSpec(
        bot_id=new_bot_id(), image="bot:1", user="1000:1000", secrets_source="/srv/s"
    )


async def running(world: MemoryRuntime) -> str:
    made = spec()
    await world.create(made)
    await world.start(made.bot_id)
    return made.bot_id


async def seen(world: MemoryRuntime, bot_id: str) -> Observation:
    found = await world.observe(bot_id)
    assert found is not None
    return found


async def test_an_engine_away_does_nothing_and_comes_back_with_a_resync(
    world: MemoryRuntime,
) -> None:
    """go_away and come_back."""
    bot_id = await running(world)
    async with aclosing(world.events()) as events:
        await anext(events)
        world.go_away()
        with pytest.raises(EngineUnavailable):
            await world.stop(bot_id, 1)
        world.crash(bot_id, 1)  # nobody hears it
        world.come_back()
        assert await anext(events) == ContainerEvent(action="resync")
    found = await seen(world, bot_id)
    assert (found.state, found.restart_count) == (ContainerState.RUNNING, 1)


async def test_a_hung_engine_does_the_writes_later(world: MemoryRuntime) -> None:
    """hang and release: unknown is not failed."""
    bot_id = await running(world)
    world.limit = 0.02
    world.hang()
    with pytest.raises(EngineUnavailable):
        await world.list_containers()
    with pytest.raises(OutcomeUnknown):
        await world.stop(bot_id, 1)
    world.limit = 5
    waiting = asyncio.ensure_future(world.observe(bot_id))
    await asyncio.sleep(0.01)
    world.release()
    found = await waiting
    assert found is not None
    assert found.state is ContainerState.EXITED


async def test_an_error_that_nobody_waits_for_is_no_warning(world: MemoryRuntime) -> None:
    """A late failure goes nowhere."""
    world.limit = 0.01
    world.hang()
    with pytest.raises(OutcomeUnknown):
        await world.create(replace(spec(), image="absent:1"))
    world.release()
    assert await world.list_containers() == []


async def test_answers_can_be_lost_after_the_fact(world: MemoryRuntime) -> None:
    """lose_answers: the next writes happen."""
    made = spec()
    world.lose_answers(2)
    with pytest.raises(OutcomeUnknown):
        await world.create(made)
    with pytest.raises(OutcomeUnknown):
        await world.start(made.bot_id)
    assert (await seen(world, made.bot_id)).state is ContainerState.RUNNING
    await world.stop(made.bot_id, 1)


async def test_a_crash_may_leave_it_restarting(world: MemoryRuntime) -> None:
    """restart_at_once and revive."""
    bot_id = await running(world)
    world.restart_at_once = False
    world.crash(bot_id, 137, oom=True)
    found = await seen(world, bot_id)
    assert (found.state, found.exit_code) == (ContainerState.RESTARTING, 137)
    assert found.oom_killed
    world.revive(bot_id)
    assert (await seen(world, bot_id)).state is ContainerState.RUNNING
    world.crash(bot_id, 1)
    await world.stop(bot_id, 1)
    assert (await seen(world, bot_id)).state is ContainerState.EXITED


async def test_a_policy_with_tries_gives_up(world: MemoryRuntime) -> None:
    """on-failure:N runs it again N times."""
    made = replace(spec(), restart="on-failure:2")
    await world.create(made)
    await world.start(made.bot_id)
    for _ in range(3):
        world.crash(made.bot_id, 1)
    found = await seen(world, made.bot_id)
    assert (found.state, found.restart_count) == (ContainerState.EXITED, 2)


async def test_runs_differ_even_where_the_clock_stands_still() -> None:
    """started_at names a run."""
    world = MemoryRuntime("still", images=["bot:1"], clock=lambda: 1000.0)
    world.host_has = lambda _: True
    bot_id = await running(world)
    before = await seen(world, bot_id)
    await world.restart(bot_id, 1)
    after = await seen(world, bot_id)
    assert before.started_at != after.started_at
    assert after.started_at.startswith("1970-01-01T00:16:40.000000")


async def test_images_can_be_pulled_where_that_is_said(world: MemoryRuntime) -> None:
    """pullable: a pull makes it known."""
    world.pullable.add("new:1")
    with pytest.raises(ImageMissing):
        await world.pin_image("new:1", "never")
    pinned = await world.pin_image("new:1", "missing")
    assert await world.pin_image("new:1", "never") == pinned


async def test_calls_are_counted_by_name(world: MemoryRuntime) -> None:
    """calls: for claims that the engine was not asked."""
    bot_id = await running(world)
    await world.observe(bot_id)
    assert world.calls == {"create": 1, "start": 1, "observe": 1}


async def test_a_start_can_take_its_time(world: MemoryRuntime) -> None:
    """start_delay."""
    made = spec()
    await world.create(made)
    world.start_delay = 0.05
    starting = asyncio.ensure_future(world.start(made.bot_id))
    await asyncio.sleep(0.01)
    assert (await seen(world, made.bot_id)).state is ContainerState.CREATED
    await starting
    assert (await seen(world, made.bot_id)).state is ContainerState.RUNNING


async def test_what_is_run_answers_as_told_and_is_noted(world: MemoryRuntime) -> None:
    """answer_execute, answer_rehearse, executed, rehearsed."""
    made = spec()
    world.answer_execute = lambda bot_id, command: ProbeResult(
        exit_code=len(command), output=bot_id
    )
    world.answer_rehearse = lambda asked, _: ProbeResult(exit_code=2, output=asked.image)
    tried = await world.rehearse(made, ("check",), 5)
    assert (tried.exit_code, tried.output) == (2, "bot:1")
    bot_id = await running(world)
    found = await world.execute(bot_id, ("a", "b"), 5)
    assert (found.exit_code, found.output) == (2, bot_id)
    assert world.rehearsed == [(made, ("check",))]
    assert world.executed == [(bot_id, ("a", "b"))]


async def test_what_is_run_inside_can_take_its_time(world: MemoryRuntime) -> None:
    """execute_delay: within the timeout it is run then, beyond it nobody knows."""
    bot_id = await running(world)
    world.execute_delay = 0.05
    with pytest.raises(OutcomeUnknown) as caught:
        await world.execute(bot_id, ("a",), 0.01)
    assert (caught.value.code, world.executed) == ("action-timeout", [])
    began = asyncio.ensure_future(world.execute(bot_id, ("a",), 5))
    await asyncio.sleep(0.01)
    assert world.executed == []
    await began
    assert world.executed == [(bot_id, ("a",))]


async def test_what_an_image_lacks_is_said(world: MemoryRuntime) -> None:
    """absent: paths in images too."""
    world.absent.add("/app/plugin")
    assert await world.image_has("bot:1", ("/app/plugin", "/app")) == {"/app"}


async def test_the_files_of_a_volume_can_be_looked_at_and_changed(world: MemoryRuntime) -> None:
    """seeded: by bot and path."""
    made = replace(spec(), state_path="/data", seeds=(SeedFile("a/b", "text"),))
    await world.create(made)
    assert world.seeded == {made.bot_id: {"a/b": "text"}}
    world.seeded[made.bot_id]["a/b"] = "the bot's"
    await world.remove(made.bot_id, 1)
    await world.create(made)
    assert world.seeded == {made.bot_id: {"a/b": "the bot's"}}


IMPOSSIBLE: dict[str, Callable[[MemoryRuntime, str], None]] = {
    "crash": lambda world, bot_id: world.crash(bot_id, 1),
    "pause": lambda world, bot_id: world.pause(bot_id),
    "print": lambda world, bot_id: world.write_log(bot_id, "hello"),
    "fall ill": lambda world, bot_id: world.set_health(bot_id, Health.UNHEALTHY, "no"),
}


@pytest.mark.parametrize("what", list(IMPOSSIBLE))
async def test_what_does_not_run_does_nothing(world: MemoryRuntime, what: str) -> None:
    """Neither what never ran, nor what was stopped, nor what is gone."""
    made = spec()
    with pytest.raises(ImpossibleWorldError):
        IMPOSSIBLE[what](world, made.bot_id)
    await world.create(made)
    with pytest.raises(ImpossibleWorldError):
        IMPOSSIBLE[what](world, made.bot_id)
    await world.start(made.bot_id)
    await world.stop(made.bot_id, 1)
    before = await seen(world, made.bot_id)
    with pytest.raises(ImpossibleWorldError):
        IMPOSSIBLE[what](world, made.bot_id)
    assert await seen(world, made.bot_id) == before


async def test_what_is_paused_does_nothing_either(world: MemoryRuntime) -> None:
    """Its program is frozen; it can only go on or be ended by somebody."""
    bot_id = await running(world)
    world.pause(bot_id)
    for do in IMPOSSIBLE.values():
        with pytest.raises(ImpossibleWorldError):
            do(world, bot_id)


async def test_a_container_without_a_check_has_no_verdict(world: MemoryRuntime) -> None:
    """And one with a check is never without."""
    bot_id = await running(world)
    with pytest.raises(ImpossibleWorldError):
        world.set_health(bot_id, Health.HEALTHY)


async def test_a_name_is_one_containers_and_one_volumes(world: MemoryRuntime) -> None:
    """Ours or somebody else's, given at the start or by a rename."""
    first, second = await running(world), await running(world)
    for name in (f"botmaker-{first}", f"botmaker-{second}"):
        with pytest.raises(ImpossibleWorldError):
            world.make_foreign(name)
        with pytest.raises(ImpossibleWorldError):
            world.rename_container(first, name)
    world.rename_container(first, "mine")
    with pytest.raises(ImpossibleWorldError):
        world.rename_container(second, "mine")
    world.make_foreign(f"botmaker-{first}")
    made = replace(spec(), state_path="/data")
    await world.create(made)
    with pytest.raises(ImpossibleWorldError):
        world.make_foreign_volume(made.name)

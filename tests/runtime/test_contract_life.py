"""The promise of `runtime.protocol` about a bot's life: starts, ends, volumes, crashes, health."""

from __future__ import annotations

import time
from contextlib import aclosing

import pytest

from controller.domain.errors import (
    BadSpec,
    Conflict,
    NotFound,
)
from controller.domain.events import LogQuery
from controller.domain.names import new_bot_id
from controller.domain.observation import ContainerState, Health
from controller.domain.spec import HealthSpec
from tests.runtime.rig import ABSENT_PROGRAM, Rig, eventually, every_call, seen, until

# Running


async def test_start_runs_it_and_again_changes_nothing(rig: Rig) -> None:
    """Starting what runs is nothing: the same run goes on."""
    spec = await rig.running()
    first = await seen(rig, spec.bot_id)
    assert first.state is ContainerState.RUNNING
    assert first.exit_code is None
    assert first.started_at
    await rig.runtime.start(spec.bot_id)
    assert await seen(rig, spec.bot_id) == first


async def test_start_unpauses(rig: Rig) -> None:
    """A paused container goes on with the run it had."""
    spec = await rig.running()
    before = await seen(rig, spec.bot_id)
    rig.pause(spec.bot_id)
    assert (await seen(rig, spec.bot_id)).state is ContainerState.PAUSED
    await rig.runtime.start(spec.bot_id)
    assert await seen(rig, spec.bot_id) == before


async def test_what_is_gone_cannot_be_started_or_read(rig: Rig) -> None:
    """start, restart and logs raise NotFound where there is no container."""
    calls = every_call(rig.runtime, new_bot_id())
    for name in ("start", "restart", "logs"):
        with pytest.raises(NotFound):
            await calls[name]()


async def test_a_program_that_does_not_exist_is_a_bad_spec(rig: Rig) -> None:
    """Without init the start is refused, and the look tells why."""
    spec = await rig.created(init=False, entrypoint=(ABSENT_PROGRAM,))
    with pytest.raises(BadSpec) as caught:
        await rig.runtime.start(spec.bot_id)
    assert ABSENT_PROGRAM in caught.value.message
    found = await seen(rig, spec.bot_id)
    assert found.state is ContainerState.CREATED
    assert found.exit_code == 127
    assert ABSENT_PROGRAM in found.error


async def test_a_program_that_init_cannot_find_ends_with_127(rig: Rig) -> None:
    """With init the start succeeds, and the end tells."""
    spec = await rig.running(entrypoint=(ABSENT_PROGRAM,), restart="no")

    async def ended() -> bool:
        return (await seen(rig, spec.bot_id)).state is ContainerState.EXITED

    await eventually(ended)
    assert (await seen(rig, spec.bot_id)).exit_code == 127


@pytest.mark.parametrize("paused", [False, True])
async def test_stop_ends_it_and_again_changes_nothing(rig: Rig, paused: bool) -> None:
    """stop returns when it ended, by the signal and not by the kill, also if it was paused; what
    does not run or exist is fine already."""
    spec = await rig.running()
    if paused:
        rig.pause(spec.bot_id)
    before = time.time()
    await rig.runtime.stop(spec.bot_id, 5)
    found = await seen(rig, spec.bot_id)
    assert found.state is ContainerState.EXITED
    assert found.exit_code == 143
    assert before - 1 < found.finished_at < time.time() + 1
    await rig.runtime.stop(spec.bot_id, 5)
    assert await seen(rig, spec.bot_id) == found
    await rig.runtime.stop(new_bot_id(), 5)


async def test_a_created_container_may_be_stopped(rig: Rig) -> None:
    """Stopping what never ran is nothing."""
    spec = await rig.created()
    await rig.runtime.stop(spec.bot_id, 1)
    assert (await seen(rig, spec.bot_id)).state is ContainerState.CREATED


async def test_a_stopped_bot_starts_again_with_its_log(rig: Rig) -> None:
    """A stop keeps the container; a start is a new run of it."""
    spec = await rig.running()
    first = await seen(rig, spec.bot_id)
    await rig.print(spec.bot_id, "before", "stdout")
    await rig.runtime.stop(spec.bot_id, 5)
    await rig.runtime.start(spec.bot_id)
    again = await seen(rig, spec.bot_id)
    assert again.container_id == first.container_id
    assert again.started_at != first.started_at
    lines = await rig.runtime.logs(spec.bot_id, LogQuery())
    assert "before" in [line.text for line in lines]


@pytest.mark.parametrize("paused", [False, True])
async def test_restart_is_a_new_run_of_the_same_container(rig: Rig, paused: bool) -> None:
    """restart keeps the container and its log."""
    spec = await rig.running()
    await rig.print(spec.bot_id, "before", "stdout")
    first = await seen(rig, spec.bot_id)
    if paused:
        rig.pause(spec.bot_id)
    await rig.runtime.restart(spec.bot_id, 5)
    again = await seen(rig, spec.bot_id)
    assert again.state is ContainerState.RUNNING
    assert again.container_id == first.container_id
    assert again.started_at != first.started_at
    assert [line.text for line in await rig.runtime.logs(spec.bot_id, LogQuery())] == ["before"]


async def test_remove_takes_the_container_and_leaves_the_volume(rig: Rig) -> None:
    """remove stops what runs; a second one is a success; the state stays."""
    spec = await rig.running(state_path="/data")
    await rig.runtime.remove(spec.bot_id, 5)
    assert await rig.runtime.observe(spec.bot_id) is None
    assert await rig.runtime.list_containers() == []
    assert await rig.runtime.has_volume(spec.bot_id) is True
    await rig.runtime.remove(spec.bot_id, 5)


# Volumes


async def test_a_volume_is_listed_with_its_bot_until_it_is_removed(rig: Rig) -> None:
    """The volume comes with the container, stays while that uses it, and goes when asked."""
    spec = await rig.created(state_path="/data")
    assert [(v.bot_id, v.name) for v in await rig.runtime.list_volumes()] == [
        (spec.bot_id, spec.name)
    ]
    with pytest.raises(Conflict):
        await rig.runtime.remove_volume(spec.bot_id)
    await rig.runtime.remove(spec.bot_id, 1)
    await rig.runtime.remove_volume(spec.bot_id)
    assert await rig.runtime.has_volume(spec.bot_id) is False
    assert await rig.runtime.list_volumes() == []
    await rig.runtime.remove_volume(spec.bot_id)


# Ends that nobody asked for


async def test_a_crash_is_followed_by_a_new_run(rig: Rig) -> None:
    """With unless-stopped the engine itself runs it again; the look tells that it did."""
    spec = await rig.running()
    first = await seen(rig, spec.bot_id)
    await rig.crash(spec.bot_id, 3)

    async def again() -> bool:
        found = await seen(rig, spec.bot_id)
        return found.state is ContainerState.RUNNING and found.restart_count == 1

    await eventually(again)
    found = await seen(rig, spec.bot_id)
    assert found.started_at != first.started_at
    assert found.finished_at > 0
    assert found.container_id == first.container_id


@pytest.mark.parametrize(("policy", "code"), [("no", 3), ("on-failure:2", 0)])
async def test_an_end_that_the_policy_accepts_stays_an_end(
    rig: Rig, policy: str, code: int
) -> None:
    """The look then tells the exit code."""
    spec = await rig.running(restart=policy)
    await rig.crash(spec.bot_id, code)

    async def ended() -> bool:
        return (await seen(rig, spec.bot_id)).state is ContainerState.EXITED

    await eventually(ended)
    found = await seen(rig, spec.bot_id)
    assert (found.exit_code, found.restart_count) == (code, 0)


async def test_a_sick_program_is_seen_as_unhealthy(rig: Rig) -> None:
    """The verdict is in the look, with the check's own words, in the list and in the events."""
    check = 'test ! -e /tmp/sick || { echo "I feel sick"; exit 1; }'
    health = HealthSpec(
        test=("CMD", "/bin/sh", "-c", check), interval=0.2, timeout=5, start_period=0, retries=1
    )
    async with aclosing(rig.runtime.events()) as events:
        assert (await anext(events)).action == "resync"
        spec = await rig.running(health=health)
        assert (await seen(rig, spec.bot_id)).health in {Health.STARTING, Health.HEALTHY}
        await rig.sicken(spec.bot_id)
        event = await until(events, "health_status: unhealthy")
        assert event.bot_id == spec.bot_id
    found = await seen(rig, spec.bot_id)
    assert found.health is Health.UNHEALTHY
    assert found.probe_output == "I feel sick"
    (row,) = await rig.runtime.list_containers()
    assert row.health is Health.UNHEALTHY
    await rig.runtime.stop(spec.bot_id, 1)
    assert (await seen(rig, spec.bot_id)).health is Health.NONE

"""What a runtime refuses or leaves alone because the engine does: for both, the same rules."""

from __future__ import annotations

import shutil
import uuid

import pytest

from controller.domain.errors import BadSpec, Conflict, NotReady, RuntimeTrouble
from controller.domain.observation import ContainerState
from tests.runtime.rig import Rig, eventually, seen


async def test_what_is_to_run_again_is_not_started_twice(rig: Rig) -> None:
    """The engine counts it as running: a start changes nothing, and no program can run inside."""
    spec = await rig.waiting_to_restart()
    before = await seen(rig, spec.bot_id)
    assert before.state is ContainerState.RESTARTING
    assert await rig.runtime.start(spec.bot_id) is False
    assert await seen(rig, spec.bot_id) == before
    with pytest.raises(NotReady):
        await rig.runtime.execute(spec.bot_id, ("/bin/true",), 5)


async def test_a_restart_that_is_given_up_moves_the_end_of_its_run(rig: Rig) -> None:
    """One run, one end, and two times for it: that of the restart, then that of the end itself."""
    while True:
        spec = await rig.waiting_to_restart()
        before = await seen(rig, spec.bot_id)
        await rig.runtime.stop(spec.bot_id, 1)
        after = await seen(rig, spec.bot_id)
        assert (after.state, after.exit_code) == (ContainerState.EXITED, 127)
        if after.restart_count == before.restart_count:
            break  # otherwise the engine was faster than the stop
    assert (after.started_at, after.restart_count) == (before.started_at, before.restart_count)
    assert before.finished_at - 5 < after.finished_at < before.finished_at
    await rig.runtime.remove(spec.bot_id, 1)


async def test_a_paused_program_takes_no_command_and_can_be_ended(rig: Rig) -> None:
    """An execution is refused; a stop and a removal thaw it first."""
    spec = await rig.running()
    rig.pause(spec.bot_id)
    with pytest.raises(NotReady):
        await rig.runtime.execute(spec.bot_id, ("/bin/true",), 5)
    await rig.runtime.stop(spec.bot_id, 5)
    found = await seen(rig, spec.bot_id)
    assert (found.state, found.exit_code) == (ContainerState.EXITED, 143)
    await rig.runtime.start(spec.bot_id)
    rig.pause(spec.bot_id)
    await rig.runtime.remove(spec.bot_id, 5)
    assert await rig.runtime.observe(spec.bot_id) is None


async def test_a_start_says_whether_it_thawed_the_program(rig: Rig) -> None:
    """Otherwise somebody would be said to have paused what nobody did."""
    spec = await rig.created()
    assert await rig.runtime.start(spec.bot_id) is False
    assert await rig.runtime.start(spec.bot_id) is False
    rig.pause(spec.bot_id)
    assert await rig.runtime.start(spec.bot_id) is True


async def test_a_rename_says_whether_there_was_another_name(rig: Rig) -> None:
    """Likewise."""
    spec = await rig.created()
    assert await rig.runtime.rename(spec.bot_id) is False
    rig.rename(spec.bot_id, f"somebodys-{uuid.uuid4().hex[:8]}")
    assert await rig.runtime.rename(spec.bot_id) is True


async def test_a_name_that_somebody_took_is_never_taken_back(rig: Rig) -> None:
    """The bot's own container goes by another name meanwhile; neither is touched."""
    spec = await rig.running()
    rig.rename(spec.bot_id, f"somebodys-{uuid.uuid4().hex[:8]}")
    rig.make_foreign(spec.name)
    for call in (rig.runtime.observe, rig.runtime.rename):
        with pytest.raises(Conflict):
            await call(spec.bot_id)
    with pytest.raises(Conflict):
        await rig.runtime.create(spec)
    assert rig.is_intact(spec.name)


async def test_a_start_without_what_it_mounts_leaves_no_trace(rig: Rig) -> None:
    """It's refused before anything begins: neither an exit code nor an error stays."""
    spec = await rig.created()
    before = await seen(rig, spec.bot_id)
    shutil.rmtree(spec.secrets_source)
    with pytest.raises(BadSpec):
        await rig.runtime.start(spec.bot_id)
    assert await seen(rig, spec.bot_id) == before


async def test_a_crash_without_what_it_mounts_is_the_end(rig: Rig) -> None:
    """The engine tries once to run it again, and then it stays as the crash left it."""
    spec = await rig.running()
    shutil.rmtree(spec.secrets_source)
    await rig.crash(spec.bot_id, 3)

    async def ended() -> bool:
        return (await seen(rig, spec.bot_id)).state is ContainerState.EXITED

    await eventually(ended)
    found = await seen(rig, spec.bot_id)
    assert (found.exit_code, found.restart_count) == (3, 1)
    assert found.error


async def test_a_volume_that_somebody_else_uses_stays(rig: Rig) -> None:
    """Also when the bot's own container is gone, and whether theirs runs or not."""
    spec = await rig.created(state_path="/data")
    rig.use_volume(spec.name)
    await rig.runtime.remove(spec.bot_id, 1)
    with pytest.raises(Conflict):
        await rig.runtime.remove_volume(spec.bot_id)
    assert await rig.runtime.has_volume(spec.bot_id)


async def test_a_network_that_is_not_ours_is_not_joined(rig: Rig) -> None:
    """A create says so, and makes nothing."""
    rig.make_foreign_network()
    spec = rig.spec(state_path="/data")
    with pytest.raises(Conflict) as caught:
        await rig.runtime.create(spec)
    assert caught.value.code == "foreign-network"
    assert await rig.runtime.observe(spec.bot_id) is None
    assert await rig.runtime.has_volume(spec.bot_id) is False


async def test_no_more_bots_run_than_the_network_has_room_for(rig: Rig) -> None:
    """The next start says so, and so does its container; once another has stopped, it works."""
    rig.narrow()
    first, second = await rig.running(), await rig.created()
    with pytest.raises(RuntimeTrouble) as caught:
        await rig.runtime.start(second.bot_id)
    assert caught.value.code == "network-full"
    found = await seen(rig, second.bot_id)
    assert (found.state, found.exit_code) == (ContainerState.CREATED, 128)
    assert "no available IPv4 addresses" in found.error
    await rig.runtime.stop(first.bot_id, 1)
    await rig.runtime.start(second.bot_id)
    assert (await seen(rig, second.bot_id)).state is ContainerState.RUNNING

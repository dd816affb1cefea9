"""The promise of `runtime.parking`: a former container is kept aside while another is tried."""

from __future__ import annotations

from dataclasses import replace

import pytest

from controller.domain.errors import Conflict, NotFound
from controller.domain.names import new_bot_id
from controller.domain.observation import ContainerState, Observation
from controller.domain.spec import ContainerSpec, SeedFile
from tests.runtime.rig import Rig, seen


async def parked(rig: Rig, bot_id: str) -> Observation:
    """What is seen of a parked container that has to be there."""
    found = await rig.runtime.observe_previous(bot_id)
    assert found is not None
    return found


async def parked_one(rig: Rig, **changes: object) -> tuple[ContainerSpec, Observation]:
    """A bot whose container ran and is parked, and how that was seen before."""
    spec = await rig.running(**changes)
    before = await seen(rig, spec.bot_id)
    await rig.runtime.park(spec.bot_id, 2)
    return spec, before


async def test_a_parked_container_is_stopped_disarmed_and_out_of_the_way(rig: Rig) -> None:
    """Neither listed nor the bot's any more; a second park changes nothing."""
    spec, before = await parked_one(rig)
    for _ in range(2):
        found = await parked(rig, spec.bot_id)
        assert (found.container_id, found.spec) == (before.container_id, before.spec)
        assert (found.state, found.armed) == (ContainerState.EXITED, False)
        assert found.misnamed == ""
        await rig.runtime.park(spec.bot_id, 2)
    assert await rig.runtime.observe(spec.bot_id) is None
    assert await rig.runtime.list_containers() == []
    assert await rig.runtime.list_parked() == [spec.bot_id]
    with pytest.raises(NotFound):
        await rig.runtime.start(spec.bot_id)


async def test_another_is_created_beside_it(rig: Rig) -> None:
    """With its release; a park then leaves the new one alone, and a removal the parked one."""
    spec, before = await parked_one(rig, release=1)
    assert before.release == 1
    fresh = rig.spec(bot_id=spec.bot_id, release=2, pids=99)
    assert await rig.runtime.create(fresh) != before.container_id
    await rig.runtime.start(spec.bot_id)
    await rig.runtime.park(spec.bot_id, 2)
    found = await seen(rig, spec.bot_id)
    assert (found.state, found.release) == (ContainerState.RUNNING, 2)
    assert (await parked(rig, spec.bot_id)).container_id == before.container_id
    with pytest.raises(Conflict):
        await rig.runtime.unpark(spec.bot_id, "unless-stopped")
    await rig.runtime.remove(spec.bot_id, 1)
    assert (await parked(rig, spec.bot_id)).container_id == before.container_id


@pytest.mark.parametrize("restart", ["unless-stopped", "on-failure:2", "no"])
async def test_what_comes_back_is_as_it_was(rig: Rig, restart: str) -> None:
    """Its name and its restart policy; it runs when it is started."""
    spec, before = await parked_one(rig, restart=restart)
    for _ in range(2):
        await rig.runtime.unpark(spec.bot_id, restart)
    assert await rig.runtime.observe_previous(spec.bot_id) is None
    assert await rig.runtime.list_parked() == []
    found = await seen(rig, spec.bot_id)
    assert (found.container_id, found.armed) == (before.container_id, restart != "no")
    assert found.state is ContainerState.EXITED
    await rig.runtime.start(spec.bot_id)
    after = await seen(rig, spec.bot_id)
    assert (after.state, after.spec) == (ContainerState.RUNNING, before.spec)
    assert after.started_at != before.started_at


async def test_it_keeps_the_volume_until_it_is_removed(rig: Rig) -> None:
    """What it would come back to isn't taken from under it."""
    spec, _ = await parked_one(rig, state_path="/data")
    with pytest.raises(Conflict):
        await rig.runtime.remove_volume(spec.bot_id)
    for _ in range(2):
        await rig.runtime.remove_previous(spec.bot_id)
    assert await rig.runtime.observe_previous(spec.bot_id) is None
    await rig.runtime.remove_volume(spec.bot_id)


async def test_seeds_can_be_put_back(rig: Rig) -> None:
    """What another container of the bot wrote over them goes; a seed that is kept stays."""
    seeds = (SeedFile("own.md", "mine"), SeedFile("fixed.md", "first", keep=False))
    spec, _ = await parked_one(rig, state_path="/data", seeds=seeds)
    fresh = (SeedFile("own.md", "other"), SeedFile("fixed.md", "second", keep=False))
    await rig.runtime.create(replace(spec, seeds=fresh))
    assert rig.state_file(spec, "fixed.md") == "second"
    for _ in range(2):
        await rig.runtime.reseed(spec)
    assert rig.state_file(spec, "fixed.md") == "first"
    assert rig.state_file(spec, "own.md") == "mine"
    await rig.runtime.reseed(replace(spec, seeds=()))


async def test_where_nothing_is_parked_nothing_happens(rig: Rig) -> None:
    """Each call is a success for a bot that has neither container."""
    bot_id = new_bot_id()
    await rig.runtime.park(bot_id, 1)
    await rig.runtime.unpark(bot_id, "no")
    await rig.runtime.remove_previous(bot_id)
    assert await rig.runtime.observe_previous(bot_id) is None


async def test_somebody_elses_container_of_that_name_is_in_the_way(rig: Rig) -> None:
    """It's left alone, and so is the bot's own."""
    spec = await rig.running()
    name = f"{spec.name}-previous"
    rig.make_foreign(name)
    for call in (
        rig.runtime.observe_previous(spec.bot_id),
        rig.runtime.park(spec.bot_id, 1),
        rig.runtime.unpark(spec.bot_id, "no"),
        rig.runtime.remove_previous(spec.bot_id),
    ):
        with pytest.raises(Conflict):
            await call
    assert rig.is_intact(name)
    assert (await seen(rig, spec.bot_id)).state is ContainerState.RUNNING

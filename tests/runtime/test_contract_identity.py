"""A bot's container is known by its labels: another name makes it neither lost nor doubled."""

from __future__ import annotations

import asyncio
import uuid

import pytest

from controller.domain.events import LogQuery
from controller.domain.observation import ContainerState
from controller.domain.spec import BOT_LABEL
from tests.runtime.rig import EngineRig, Rig, until


def other_name() -> str:
    return f"somebodys-{uuid.uuid4().hex[:8]}"


async def test_a_renamed_container_is_found_and_gets_its_name_back(rig: Rig) -> None:
    """A look says what it's called; the list leaves it out until then."""
    spec, name = await rig.running(), other_name()
    rig.rename(spec.bot_id, name)
    found = await rig.runtime.observe(spec.bot_id)
    assert found is not None
    assert (found.misnamed, found.state) == (name, ContainerState.RUNNING)
    assert [row.bot_id for row in await rig.runtime.list_containers()] == []
    for _ in range(2):
        await rig.runtime.rename(spec.bot_id)
    again = await rig.runtime.observe(spec.bot_id)
    assert again is not None
    assert (again.misnamed, again.container_id) == ("", found.container_id)
    assert [row.bot_id for row in await rig.runtime.list_containers()] == [spec.bot_id]


async def test_a_renamed_container_is_never_replaced_by_a_second_one(rig: Rig) -> None:
    """A create adopts it, and every other call reaches it too."""
    spec = await rig.running(state_path="/data", prepare_volume=True)
    before = await rig.runtime.observe(spec.bot_id)
    assert before is not None
    rig.rename(spec.bot_id, other_name())
    assert await rig.runtime.create(spec) == before.container_id
    await rig.runtime.logs(spec.bot_id, LogQuery())
    await rig.runtime.restart(spec.bot_id, 1)
    await rig.runtime.stop(spec.bot_id, 1)
    await rig.runtime.start(spec.bot_id)
    await rig.runtime.remove(spec.bot_id, 1)
    assert await rig.runtime.observe(spec.bot_id) is None
    await rig.runtime.remove_volume(spec.bot_id)


async def test_a_renaming_is_told(rig: Rig) -> None:
    """So that nobody has to wait for the next patrol."""
    spec = await rig.running()
    events = rig.runtime.events()
    await anext(events)
    rig.rename(spec.bot_id, other_name())
    event = await until(events, "rename")
    assert event.bot_id == spec.bot_id
    await events.aclose()


async def test_a_stop_by_hand_is_told_from_a_crash(rig: Rig) -> None:
    """Before the end of the program, by an event that a crash doesn't have."""
    spec = await rig.running()
    events = rig.runtime.events()
    await anext(events)
    await rig.crash(spec.bot_id, 3)
    died = await until(events, "die")
    assert not died.ending
    assert not (await until(events, "start")).ending
    await rig.runtime.stop(spec.bot_id, 1)
    told = [await until(events, "kill")]
    while {"die", "stop"} - {event.action for event in told}:  # 20.10 and 26.1 differ in the order
        told.append(await asyncio.wait_for(anext(events), 20))
    assert {event.action for event in told if event.ending} == {"kill", "stop"}
    await events.aclose()


@pytest.mark.engine
async def test_labels_that_come_from_an_image_prove_nothing(engine_rig: EngineRig) -> None:
    """After a `docker commit` anybody's container has them: it isn't taken for the bot's."""
    spec = await engine_rig.running()
    name = other_name()
    made = engine_rig.docker.commit(f"botmaker-{spec.bot_id}", repository=name, tag="1")
    try:
        await engine_rig.runtime.remove(spec.bot_id, 1)
        copy = engine_rig.make({"Image": made["Id"], "Cmd": ["/bin/act"]}, name)
        labels = engine_rig.docker.inspect_container(copy)["Config"]["Labels"]
        assert labels[BOT_LABEL] == spec.bot_id
        assert await engine_rig.runtime.observe(spec.bot_id) is None
        await engine_rig.runtime.remove(spec.bot_id, 1)
        assert engine_rig.docker.inspect_container(copy)
        engine_rig.docker.remove_container(copy)
    finally:
        engine_rig.docker.remove_image(f"{name}:1")

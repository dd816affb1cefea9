"""A caller that gave up in the middle of several requests: the thread creates nothing more."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from controller.domain.names import new_bot_id
from controller.domain.observation import ContainerState
from controller.domain.spec import BOT_LABEL, INSTANCE_LABEL, MANAGED_LABEL, ContainerSpec
from controller.runtime import Probe
from controller.runtime.engine import EngineRuntime
from tests.runtime.fakeengine import INSTANCE, Exchange, FakeEngine
from tests.runtime.rig import Rig, eventually

ID = "c" * 64


def works(fake: FakeEngine, bot_id: str) -> dict[str, Any]:
    """Let the fake engine create a container, step by step; returns the rules by their paths."""
    labels = {MANAGED_LABEL: "true", INSTANCE_LABEL: INSTANCE, BOT_LABEL: bot_id}
    answers: dict[str, tuple[int, Any]] = {
        "/images/test:1/json": (200, {"Id": f"sha256:{'a' * 64}"}),
        "/networks": (200, []),
        "/networks/create": (201, {"Id": "n" * 64}),
        "/volumes/create": (201, {"Name": f"botmaker-{bot_id}", "Labels": labels}),
        "/containers/create": (201, {"Id": ID}),
        f"/{ID}/archive": (200, None),
        f"/containers/{ID}/start": (204, None),
        f"/containers/{ID}/json": (200, {"State": {"Running": True, "ExitCode": 0}}),
    }
    for end, (status, body) in answers.items():
        fake.rules[end] = lambda ex, status=status, body=body: ex.answer(status, body)
    return answers


def spec_of(bot_id: str) -> ContainerSpec:
    return ContainerSpec(
        bot_id=bot_id,
        image="test:1",
        user="1000:1000",
        secrets_source="/absent",
        state_path="/data",
        prepare_volume=True,
    )


def writes_after(fake: FakeEngine, mark: int) -> list[str]:
    """The requests since then that create or start anything."""
    return [line for line in fake.requests[mark:] if line.startswith(("POST", "PUT"))]


STEPS = [
    "/images/test:1/json", "/networks", "/networks/create", "/volumes/create", f"/{ID}/archive",
]  # fmt: skip


@pytest.mark.parametrize("slow", STEPS)
async def test_a_create_that_nobody_waits_for_stops_at_the_next_request(
    fake_engine: FakeEngine, runtime: EngineRuntime, slow: str
) -> None:
    """Wherever it was when its bot was forgotten."""
    bot_id = new_bot_id()
    status, body = works(fake_engine, bot_id)[slow]
    reached: list[int] = []

    def wait(exchange: Exchange) -> None:
        reached.append(len(fake_engine.requests))
        fake_engine.released.wait(20)
        exchange.answer(status, body)

    fake_engine.rules[slow] = wait
    creating = asyncio.ensure_future(runtime.create(spec_of(bot_id)))
    await eventually(lambda: reached)
    creating.cancel()
    await asyncio.gather(creating, return_exceptions=True)
    fake_engine.released.set()
    await asyncio.sleep(0.4)
    assert writes_after(fake_engine, reached[0]) == []


async def test_a_create_that_somebody_waits_for_goes_through(
    fake_engine: FakeEngine, runtime: EngineRuntime
) -> None:
    """The same world without a caller that gives up."""
    bot_id = new_bot_id()
    works(fake_engine, bot_id)
    assert await runtime.create(spec_of(bot_id)) == ID


@pytest.mark.parametrize("kind", ["probe", "rehearse"])
async def test_a_throwaway_container_is_removed_as_soon_as_nobody_waits(
    fake_engine: FakeEngine, runtime: EngineRuntime, kind: str
) -> None:
    """It holds the bot's secrets, and would run until its own time limit."""
    bot_id = new_bot_id()
    works(fake_engine, bot_id)

    probe = Probe(image="test:1", user="1000:1000", command=("x",), secrets_source="/absent")
    asked = (
        runtime.probe(probe) if kind == "probe" else runtime.rehearse(spec_of(bot_id), ("x",), 60)
    )
    running = asyncio.ensure_future(asked)
    await eventually(lambda: [line for line in fake_engine.requests if line.endswith("/start")])
    before = len(fake_engine.requests)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await eventually(
        lambda: [ln for ln in fake_engine.requests[before:] if ln.startswith("DELETE")], 15
    )


async def test_a_container_that_never_ran_is_removed(rig: Rig) -> None:
    """By its labels and its state; without one there's nothing to do."""
    spec = await rig.created()
    assert await rig.runtime.remove_unstarted(spec.bot_id)
    assert await rig.runtime.observe(spec.bot_id) is None
    assert await rig.runtime.remove_unstarted(spec.bot_id)


@pytest.mark.parametrize("stopped", [True, False])
async def test_a_container_that_has_run_stays(rig: Rig, stopped: bool) -> None:
    """It may be somebody's, whatever the rows say."""
    spec = await rig.running()
    if stopped:
        await rig.runtime.stop(spec.bot_id, 1)
    assert not await rig.runtime.remove_unstarted(spec.bot_id)
    found = await rig.runtime.observe(spec.bot_id)
    assert found is not None
    assert found.state is (ContainerState.EXITED if stopped else ContainerState.RUNNING)


async def test_a_foreign_container_is_no_stray(rig: Rig) -> None:
    """Only what carries this installation's labels is removed."""
    bot_id = new_bot_id()
    rig.make_foreign(f"botmaker-{bot_id}")
    with pytest.raises(Exception, match="didn't create"):
        await rig.runtime.remove_unstarted(bot_id)
    assert rig.is_intact(f"botmaker-{bot_id}")

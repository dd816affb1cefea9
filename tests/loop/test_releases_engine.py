"""Changes on a real engine: what replaces what, and what comes back, compared field by field."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import docker
import pytest

from controller.catalog.loading import BUILTIN
from controller.domain.bot import Bot
from controller.domain.phase import Phase
from controller.domain.release import Outcome
from controller.runtime.engine import EngineRuntime
from controller.runtime.options import engine_options
from tests.conftest import remove_everything_of
from tests.manager.rig import Rig, eventually

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]
WITHIN = 40.0  # seconds, on a busy machine
# The demo bot, which proves itself quickly and whose image checks its settings.
TEMPLATE = (
    (
        (BUILTIN / "demo.toml")
        .read_text()
        .replace('id = "demo"', 'id = "proof"')
        .replace("interval = 2\ntimeout = 3", "interval = 1\ntimeout = 3")
        .replace("start_period = 5", "start_period = 2")
        .replace("stop_timeout = 5", "stop_timeout = 1")
        .replace("[update]\nhealthy_for = 5\n", "")
    )
    + """
[validation]
command = ["/bin/sh", "-c", "! grep -q exit /etc/proof/proof.json || { echo no exit; exit 1; }"]

[[files]]
path = "/etc/proof/proof.json"
format = "json"
content = { behaviour = "{{field.behaviour}}" }

[update]
healthy_for = 1.5
deadline = 12
"""
)


class Real:
    """An installation on the engine, and what the engine itself says of its bots."""

    def __init__(self, rig: Rig, engine: docker.APIClient) -> None:
        self.rig, self.engine = rig, engine
        self.bot: Bot

    @property
    def row(self) -> Bot:
        return self.rig.view(self.bot).bot

    def containers(self) -> dict[str, dict[str, Any]]:
        """Every container of the bot, by what follows the bot's name."""
        label = f"botmaker.bot-id={self.bot.id}"
        rows = self.engine.containers(all=True, filters={"label": label})
        found = []
        for row in rows:
            with contextlib.suppress(docker.errors.NotFound):  # it went meanwhile
                found.append(self.engine.inspect_container(row["Id"]))
        return {one["Name"].partition(self.bot.id)[2]: one for one in found}

    async def look(self) -> dict[str, dict[str, Any]]:
        return await asyncio.to_thread(self.containers)

    async def edit(self, behaviour: str) -> None:
        await self.rig.edit(self.row, behaviour=behaviour)

    async def decided(self, number: int) -> dict[str, Any]:
        """Wait until that release is the one and runs alone; its container."""
        await eventually(
            lambda: (self.row.release, self.row.candidate) == (number, 0),
            f"release {number} is the one",
            WITHIN,
        )
        end = time.monotonic() + WITHIN
        while set(found := await self.look()) != {""} or not found[""]["State"]["Running"]:
            assert time.monotonic() < end, list(found)
            await asyncio.sleep(0.05)
        await self.rig.becomes(self.bot, Phase.RUNNING, WITHIN)
        return found[""]

    async def outcomes(self) -> list[Outcome]:
        return [one.outcome for one in await self.rig.store.releases(self.bot.id)][::-1]


def form(container: dict[str, Any]) -> dict[str, Any]:
    """All that decides how a container runs, but for what its release changes."""
    host = {key: value for key, value in container["HostConfig"].items() if key != "Mounts"}
    mounts = sorted((m["Destination"], m["RW"], m["Type"]) for m in container["Mounts"])
    config = container["Config"]
    labels = {k: v for k, v in config["Labels"].items() if k.startswith("botmaker.")}
    for name in ("botmaker.spec", "botmaker.release"):
        labels.pop(name, None)
    env = sorted(one for one in config["Env"] if not one.startswith("DEMO_BEHAVIOUR"))
    parts = ("User", "Cmd", "Entrypoint", "Healthcheck", "StopTimeout", "WorkingDir")
    named = {part: config.get(part) for part in parts}
    networks = sorted(container["NetworkSettings"]["Networks"])
    return {"host": host, "mounts": mounts, "labels": labels, "env": env, **named, "n": networks}


@pytest.fixture
async def real(
    tmp_path: Path, docker_client: docker.APIClient, demo_image: str
) -> AsyncIterator[Real]:
    """A bot on the engine whose first release has proved itself."""
    del demo_image
    rig = Rig(tmp_path)
    rig.template(TEMPLATE, "proof")
    await rig.open()
    instance = rig.house.instance
    await rig.kill()
    options = engine_options({k: v for k, v in os.environ.items() if k.startswith("DOCKER_")})
    rig.door = EngineRuntime(instance, options)
    await rig.open()
    rig.run()
    world = Real(rig, docker_client)
    try:
        world.bot = await rig.create("proof")
        await rig.submit(world.bot)
        await world.decided(1)
        yield world
    finally:
        await rig.kill()
        await rig.door.close()  # type: ignore[attr-defined]
        await asyncio.to_thread(remove_everything_of, docker_client, instance)


async def test_a_change_that_works_carries_everything_over(real: Real) -> None:
    """Another container with the same limits, mounts, labels and network; the former one goes."""
    before = await real.decided(1)
    await real.edit("flood")
    after = await real.decided(2)
    assert after["Id"] != before["Id"]
    assert form(after) == form(before)
    assert after["Config"]["Labels"]["botmaker.release"] == "2"
    assert await real.outcomes() == [Outcome.GOOD, Outcome.GOOD]


async def test_a_change_that_the_image_refuses_touches_nothing(real: Real) -> None:
    """The same run of the same container goes on."""
    before = await real.decided(1)
    await real.edit("exit")
    await eventually(lambda: real.row.setback, "it is taken back", WITHIN)
    after = await real.decided(1)
    assert (after["Id"], after["State"]["StartedAt"]) == (
        before["Id"],
        before["State"]["StartedAt"],
    )
    assert real.row.setback is not None
    assert real.row.setback.message.endswith("refuses the bot's settings: no exit")


@pytest.mark.parametrize("behaviour", ["crash", "fatal"])
async def test_a_change_that_fails_gives_way_to_the_former_container(
    real: Real, behaviour: str
) -> None:
    """It runs again as it was, with its restart policy; never two at once."""
    before = await real.decided(1)
    await real.edit(behaviour)
    most = 0
    while not real.row.setback:
        found = await real.look()
        most = max(most, sum(one["State"]["Running"] for one in found.values()))
    after = await real.decided(1)
    assert most <= 1
    assert after["Id"] == before["Id"]
    assert form(after) == form(before)
    assert await real.outcomes() == [Outcome.GOOD, Outcome.FAILED]


async def test_a_controller_that_dies_meanwhile_leaves_what_the_next_one_decides(
    real: Real,
) -> None:
    """Killed while the former container is parked: the change still proves itself."""
    before = await real.decided(1)
    await real.edit("hostile")
    end = time.monotonic() + WITHIN
    while "-previous" not in await real.look():
        assert time.monotonic() < end
    parked = (await real.look())["-previous"]
    await real.rig.restart()
    after = await real.decided(2)
    assert parked["Id"] == before["Id"] != after["Id"]
    assert form(after) == form(before)

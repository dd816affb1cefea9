"""Changes on a real engine: what replaces what, and what comes back, compared field by field."""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import AsyncIterator
from io import BytesIO
from pathlib import Path
from typing import Any

import docker
import pytest

from controller.catalog.loading import BUILTIN
from controller.domain.bot import Bot
from controller.domain.errors import ControllerError, ImageMissing
from controller.domain.phase import Phase
from controller.domain.release import Outcome
from controller.runtime.engine import EngineRuntime
from controller.runtime.options import engine_options
from tests.conftest import remove_everything_of
from tests.manager.rig import ANN_ASKS, Rig, eventually

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]
ABSENT = "localhost:1/absent:1"
WITHIN = 40.0  # seconds, on a busy machine
HEALTH = "[ $DEMO_WELL = yes ] && /bin/demo-bot check && ! grep -q wrong /run/secrets/api_key"
# The demo bot, which proves itself quickly and whose image checks its settings.
TEMPLATE = (
    (
        (BUILTIN / "demo.toml")
        .read_text()
        .replace('id = "demo"', 'id = "proof"')
        .replace("interval = 2\ntimeout = 3", "interval = 1\ntimeout = 3")
        .replace('["CMD", "/bin/demo-bot", "check"]', f'["CMD-SHELL", "{HEALTH}"]')
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

[[fields]]
name = "well"
label = "Whether its health check succeeds"
default = "yes"
env = "DEMO_WELL"

[update]
healthy_for = 1.5
deadline = 8
"""
)


class Real:
    """An installation on the engine, and what the engine itself says of its bots."""

    def __init__(self, rig: Rig, engine: docker.APIClient, image: str) -> None:
        self.rig, self.engine, self.image = rig, engine, image
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

    async def edit(self, behaviour: str, **more: str) -> None:
        await self.rig.edit(self.row, behaviour=behaviour, **more)

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

    async def another_template(self, old: str, new: str) -> None:
        """A new controller, with another template."""
        text = (self.rig.templates / "proof.toml").read_text()
        assert old in text
        self.rig.template(text.replace(old, new), "proof")
        await self.rig.restart()
        await self.decided(self.row.release)

    def build(self) -> str:
        """Give the image's name to another image; its id."""
        text = f"FROM {self.image}\nLABEL test.number={os.urandom(8).hex()}\n"
        built = self.engine.build(fileobj=BytesIO(text.encode()), tag=self.image, rm=True)
        assert list(built)
        return str(self.engine.inspect_image(self.image)["Id"])

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
    env = sorted(one for one in config["Env"] if not one.startswith("DEMO_"))
    parts = ("User", "Cmd", "Entrypoint", "Healthcheck", "StopTimeout", "WorkingDir")
    named = {part: config.get(part) for part in parts}
    networks = sorted(container["NetworkSettings"]["Networks"])
    return {"host": host, "mounts": mounts, "labels": labels, "env": env, **named, "n": networks}


@pytest.fixture
async def real(
    tmp_path: Path, docker_client: docker.APIClient, demo_image: str
) -> AsyncIterator[Real]:
    """A bot on the engine whose first release has proved itself."""
    rig = Rig(tmp_path)
    await rig.open()
    instance = rig.house.instance
    image = f"botmaker-proof:{instance}"
    docker_client.tag(demo_image, *image.split(":"))
    rig.template(TEMPLATE.replace(demo_image, image), "proof")
    await rig.kill()
    options = engine_options({k: v for k, v in os.environ.items() if k.startswith("DOCKER_")})
    rig.door = EngineRuntime(instance, options)
    await rig.open()
    rig.run()
    world = Real(rig, docker_client, image)
    try:
        world.bot = await rig.create("proof")
        await rig.submit(world.bot)
        await world.decided(1)
        yield world
    finally:
        await rig.kill()
        await rig.door.close()  # type: ignore[attr-defined]
        await asyncio.to_thread(remove_everything_of, docker_client, instance)
        docker_client.remove_image(image)


async def test_a_change_that_works_carries_everything_over(real: Real) -> None:
    """Another container with the same limits, mounts, labels and network; the former one goes."""
    before = await real.decided(1)
    await real.edit("flood")
    after = await real.decided(2)
    assert after["Id"] != before["Id"]
    assert form(after) == form(before)
    assert after["Config"]["Labels"]["botmaker.release"] == "2"
    assert await real.outcomes() == [Outcome.GOOD, Outcome.GOOD]
    limits = {"memory": "96m", "cpus": "0.25", "pids": "40"}
    await real.rig.manager.edits.choose(ANN_ASKS, real.row, limits=limits)
    limited, host = await real.decided(3), form(after)["host"]
    size = 96 * 1024**2
    host |= {"Memory": size, "MemorySwap": size, "NanoCpus": 250_000_000, "PidsLimit": 40}
    assert form(limited) == form(after) | {"host": host}


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


@pytest.mark.parametrize(
    ("behaviour", "well"), [("crash", "yes"), ("fatal", "yes"), ("flood", "never")]
)
async def test_a_change_that_fails_gives_way_to_the_former_container(
    real: Real, behaviour: str, well: str
) -> None:
    """It runs again as it was, with its restart policy; never two at once. Whether the change
    crashes after a second, refuses to start, or never becomes healthy."""
    before = await real.decided(1)
    await real.edit(behaviour, well=well)
    most = 0
    while not real.row.setback:
        found = await real.look()
        most = max(most, sum(one["State"]["Running"] for one in found.values()))
    after = await real.decided(1)
    assert most <= 1
    assert after["Id"] == before["Id"]
    assert form(after) == form(before)
    assert await real.outcomes() == [Outcome.GOOD, Outcome.FAILED]


async def test_a_wrong_key_gives_way_to_the_former_one_in_the_same_container(real: Real) -> None:
    """Its health check fails with it; nothing of the container changes."""
    before = await real.decided(1)
    path = real.rig.secrets / real.bot.id / "api_key"
    former = path.read_text()
    await real.rig.submit(real.bot, rotate=True, api_key="wrong-provider-key")
    await eventually(lambda: path.read_text() != former)
    await eventually(lambda: real.row.setback, "it is taken back", WITHIN)
    after = await real.decided(1)
    assert path.read_text() == former
    assert after["Id"] == before["Id"]
    assert form(after) == form(before)
    assert list((real.rig.data / "sets").iterdir()) == []
    assert await real.outcomes() == [Outcome.GOOD, Outcome.FAILED]


async def test_an_update_to_an_image_that_is_missing_touches_nothing(real: Real) -> None:
    """It's refused before anything ends; so is a restart that would need it."""
    before = await real.decided(1)
    await real.another_template(real.image, ABSENT)
    with pytest.raises(ImageMissing) as caught:
        await real.rig.manager.releases.update(ANN_ASKS, real.row)
    assert ABSENT in caught.value.message
    await real.rig.manager.lifecycle.restart(ANN_ASKS, real.row)
    await eventually(lambda: real.row.setback, "the restart is taken back", WITHIN)
    after = await real.decided(1)
    assert (after["Id"], after["State"]["StartedAt"]) == (
        before["Id"],
        before["State"]["StartedAt"],
    )


async def test_an_update_and_a_rollback_carry_everything_over(real: Real) -> None:
    """To another image and back: each time one container runs, with the same limits, mounts,
    labels and network; the image that it came from is kept for the way back. Of two that update
    at once the second is told that somebody was faster, or that it's up to date."""
    before = await real.decided(1)
    newer = await asyncio.to_thread(real.build)
    update = real.rig.manager.releases.update
    mark = (await real.rig.manager.releases.preview(ANN_ASKS, real.row)).mark
    found = await asyncio.gather(
        *(update(ANN_ASKS, real.row, mark) for _ in range(2)), return_exceptions=True
    )
    (refused,) = (one for one in found if isinstance(one, ControllerError))
    assert refused.code in {"changed-meanwhile", "up-to-date"}
    updated = await real.decided(2)
    assert updated["Image"] == newer != before["Image"]
    assert form(updated) == form(before)
    await real.rig.manager.releases.rollback(ANN_ASKS, real.row)
    back = await real.decided(3)
    assert back["Image"] == before["Image"]
    assert form(back) == form(before)


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

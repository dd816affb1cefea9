"""What really goes wrong on a real engine: each is told soon, rightly and once, and ends."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import docker
import pytest

from controller.domain.incident import Pace
from controller.domain.phase import Phase
from controller.runtime import Runtime
from controller.runtime.memory import MemoryRuntime
from demo.world import World
from tests.chat.acting import incidents, until_incident, until_phase
from tests.chat.house import House, built
from tests.chat.test_incidents import pings
from tests.conftest import DEMO_IMAGE, remove_everything_of

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]
TOLD_WITHIN = 5.0  # seconds
TEMPLATE = """
schema = 1
id = "{name}"
title = "{name}"
description = "Goes wrong."
image = {{ ref = "{image}", pull = "never" }}
[run]
user = "1000:1000"
entrypoint = ["/bin/sh", "-c"]
command = ['''{script}''']
stop_timeout = 1
resources = {{ memory = "16m", cpus = 0.5, pids = 32 }}
"""
CHECK = """
[health]
test = ["CMD", "/bin/sh", "-c", "! cat /tmp/ill"]
interval = 1
timeout = 2
start_period = 1
retries = 1
"""
STEADY = "echo ready; exec sleep 600"
SCRIPTS = {
    "killed": STEADY,
    "removed": STEADY,
    "ill": STEADY,
    "eater": "sleep 4; echo reading; exec tail /dev/zero",
    "looper": "sleep 1; echo 'Error: no route to the shop' >&2; exit 3",
}


class RealHouse(House):
    """The same place on the real engine."""

    __slots__ = ()

    @property
    def runtime(self) -> Runtime | None:
        """The engine that the settings name."""
        return None


@pytest.fixture
async def world(
    tmp_path: Path, demo_image: str, docker_client: docker.APIClient
) -> AsyncIterator[World]:
    """BotMaker on the real engine, in whose incidents two seconds of running well are enough."""
    assert demo_image == DEMO_IMAGE
    templates = tmp_path / "templates"
    templates.mkdir()
    for name, script in SCRIPTS.items():
        text = TEMPLATE.format(name=name, script=script, image=DEMO_IMAGE)
        (templates / f"{name}.toml").write_text(text + (CHECK if name == "ill" else ""))
    async with built(tmp_path, templates, MemoryRuntime(images=())) as house:
        real = RealHouse(
            *(house.env, house.guild, house.channel, house.admin, house.settings, house.engine),
            pace=Pace(steady=2.0),
        )
        instance = ""
        try:
            async with real.controller() as world:
                instance = world.application.installation.instance
                yield world
        finally:
            await asyncio.to_thread(remove_everything_of, docker_client, instance)


async def made(world: World, name: str) -> str:
    """A bot of the template of its name; its container's name."""
    await world.admin.slash(world.channel, "bot create", name=name, template=name)
    view = await until_phase(world, name, Phase.RUNNING, 30)
    return f"botmaker-{view.bot.id}"


async def test_what_really_goes_wrong_is_told_within_five_seconds_and_closed(
    world: World, docker_client: docker.APIClient
) -> None:
    """Killed, removed behind our back, unhealthy, out of memory, and a loop of crashes: five bots
    at once are five messages, each with its own reason, and each pinged once."""
    await world.admin.slash(world.channel, "fleet alerts me")
    names = {name: await made(world, name) for name in SCRIPTS}
    began = time.monotonic()
    await asyncio.to_thread(docker_client.kill, names["killed"])
    await asyncio.to_thread(docker_client.remove_container, names["removed"], force=True)
    ill = docker_client.exec_create(names["ill"], ["/bin/sh", "-c", "echo 'no answer' > /tmp/ill"])
    await asyncio.to_thread(docker_client.exec_start, ill)
    # A busy machine slows the engine as well: four calls that take half a second when it's idle.
    within = max(TOLD_WITHIN, 8 * (time.monotonic() - began))
    for words in ("killed was stopped outside BotMaker", "removed was removed outside BotMaker"):
        await until_incident(world, words, within)
    message = await until_incident(world, "ill isn't healthy", within)
    assert time.monotonic() - began < within
    assert "> no answer" in message.content
    eaten = await until_incident(world, "exit 137: out of memory (limit 16 MiB)", 20)
    assert "**eater " in eaten.content
    down = await until_incident(world, "looper is down: BotMaker gave up", 40)
    assert "5 crashes · exit 3" in down.content
    assert "> Gave up after 5 crashes in ten minutes" in down.content
    # The last lines are read after the message was sent.
    telling = await until_incident(world, "Error: no route to the shop", within)
    assert telling.id == down.id
    for name in ("killed", "removed"):
        await until_incident(world, f"✅ **{name} recovered**", 15)
    well = docker_client.exec_create(names["ill"], ["rm", "/tmp/ill"])
    await asyncio.to_thread(docker_client.exec_start, well)
    await until_incident(world, "✅ **ill recovered**", 15)
    assert len(incidents(world)) == len(SCRIPTS)
    assert pings(world) == [([world.admin.id], [])] * len(SCRIPTS)

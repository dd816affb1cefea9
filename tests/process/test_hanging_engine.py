"""The engine hangs or goes away: every answer is in time and true, and all recovers afterwards.
Next door: engineproxy.py is the proxy that hangs."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from pathlib import Path

import docker
import pytest

from tests.loopback import Invocation
from tests.process.engineproxy import EngineProxy
from tests.process.process import Place, eventually, open_place, said

pytestmark = pytest.mark.engine
GONE = ("Nothing is left", "— removed")


@pytest.fixture
async def door(tmp_path: Path) -> AsyncIterator[EngineProxy]:
    """An open proxy to the engine."""
    proxy = EngineProxy(tmp_path / "engine.sock")
    await proxy.open()
    yield proxy
    await proxy.close()


@pytest.fixture
async def place(
    tmp_path: Path, docker_client: docker.APIClient, demo_image: str, door: EngineProxy
) -> AsyncIterator[Place]:
    """A place whose controller reaches the engine through the proxy; the bot shop is running."""
    folder = tmp_path / "place"
    folder.mkdir()
    async with open_place(folder, docker_client, DOCKER_HOST=door.url) as found:
        await found.bot("shop")
        await found.card_says("shop", "running")
        yield found
        door.thaw()


async def _pages(place: Place) -> float:
    """Fetch both HTTP pages; returns the seconds that the slower one took."""
    slowest = 0.0
    for path in ("/health", "/metrics"):
        began = time.monotonic()
        status, _ = await place.controller.get(path)
        assert status == 200
        slowest = max(slowest, time.monotonic() - began)
    return slowest


async def test_while_the_engine_hangs_every_answer_comes_in_time_and_is_true(
    place: Place, door: EngineProxy
) -> None:
    """Each command is acknowledged within 3 s and then says that the engine doesn't answer; nothing
    is called removed; /health and /metrics answer at once; after the thaw the state is right."""
    ann, controller = place.ann, place.controller
    run = controller.started_at(controller.bot_id("shop"))
    door.freeze()
    commands: dict[str, dict[str, str]] = {
        "bot list": {},
        "bot show": {"name": "shop"},
        "bot logs": {"name": "shop"},
        "bot history": {"name": "shop"},
        "fleet status": {},
        "fleet orphans": {},
        "fleet doctor": {},
        "bot restart": {"name": "shop"},
    }
    asked: dict[str, Invocation] = {}
    for command, options in commands.items():
        asked[command] = await ann.slash(command, **options)
        assert await _pages(place) < 0.5
    made = await ann.slash("bot create", name="fresh", template="brisk")
    await said(made, "direct message")
    for command in ("bot logs", "fleet orphans", "fleet doctor"):
        await said(asked[command], "Docker doesn't answer", 25)
    assert "running" not in asked["bot restart"].text
    notice = await place.channel_says("Docker stopped answering", 25)
    assert "last known state" in notice.content
    assert "Docker" not in place.card("shop").content
    health = await controller.health()
    assert (health["status"], health["engine"]["reachable"]) == ("degraded", False)
    assert "botmaker_engine_up 0.0" in (await controller.get("/metrics"))[1]
    for command in ("bot list", "bot show", "fleet status"):
        await said(await ann.slash(command, **commands[command]), "Docker doesn't answer")
    delete = await ann.slash("bot delete", name="shop")
    pressed = await ann.click(delete, label="Delete shop")
    await said(pressed, "being removed", 6)
    everything = [*(inv.text for inv in asked.values()), pressed.text, place.card("shop").content]
    assert not [text for text in everything if any(word in text for word in GONE)]
    assert controller.started_at(controller.bot_id("shop")) == run
    door.thaw()
    began = time.monotonic()
    await place.card_says("shop", "removed", 5)
    await eventually(lambda: not controller.containers() and not controller.volumes(), 5)
    await place.card_says("fresh", "waiting for secrets", 5)
    assert time.monotonic() - began < 5
    await eventually(lambda: "Docker" not in place.card("fresh").content, 5)
    assert (await controller.health())["status"] == "ok"


@pytest.mark.parametrize("how", ["freeze", "close"])
async def test_what_was_asked_for_while_the_engine_was_away_is_done_when_it_is_back(
    place: Place, door: EngineProxy, how: str
) -> None:
    """Secrets entered and a stop ordered meanwhile take effect within 5 s of its return."""
    controller = place.controller
    await place.create("fresh")
    form = await place.open_form("fresh")
    if how == "freeze":
        door.freeze()
    else:
        await door.close()
    done = await place.submit(form)
    await done.wait()
    await said(done, "fingerprint")
    stopped = await place.ann.slash("bot stop", name="shop")
    await said(stopped, "shop", 6)
    assert "— stopped" not in stopped.text
    assert "running" not in done.text
    await place.channel_says("Docker stopped answering", 25)
    if how == "freeze":
        door.thaw()
    else:
        await door.open()
    began = time.monotonic()
    await place.card_says("fresh", "running", 6)
    await place.card_says("shop", "stopped", 6)
    assert time.monotonic() - began < 5
    assert controller.started_at(controller.bot_id("fresh"))
    found = controller.inspect(controller.bot_id("shop"))
    assert found is not None
    assert found["State"]["ExitCode"] == 0
    assert not found["State"]["Running"]
    assert "crash" not in place.card("shop").content.lower()


async def test_a_short_absence_of_the_engine_changes_nothing_about_a_running_bot(
    place: Place, door: EngineProxy
) -> None:
    """All connections break and come back: the run is the same, and events arrive again."""
    controller = place.controller
    bot_id = controller.bot_id("shop")
    run = controller.started_at(bot_id)
    await door.close()
    await asyncio.sleep(0.2)
    await door.open()
    await said(await place.ann.slash("bot logs", name="shop"), "demo bot starting")
    assert controller.started_at(bot_id) == run
    before = door.connections
    await eventually(lambda: door.connections > before or "running" in place.card("shop").content)
    controller.engine.stop(f"botmaker-{bot_id}", timeout=1)
    await eventually(lambda: controller.started_at_or_none(bot_id) not in (None, run), 20)
    await place.card_says("shop", "running")


async def test_a_frozen_engine_does_not_keep_the_controller_from_ending(
    place: Place, door: EngineProxy
) -> None:
    """SIGTERM while calls hang: status 0 within a few seconds."""
    door.freeze()
    await place.ann.slash("bot logs", name="shop")
    await place.ann.slash("bot list")
    try:
        await place.controller.end(signal.SIGTERM, 5)
    except TimeoutError:
        await place.controller.kill()
        raise

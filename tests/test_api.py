"""Health and metrics, over a real port: from memory, never by asking the engine."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from prometheus_client.parser import text_string_to_metric_families

import controller
from controller.api import serve
from controller.domain.errors import BadSetting
from controller.domain.phase import Phase
from tests.manager.rig import ANN_ASKS, Rig, eventually


class Discord:
    """Whether Discord is connected."""

    connected = True

    def __call__(self) -> bool:
        return self.connected


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    rig = Rig(tmp_path)
    await rig.open()
    rig.run()
    await eventually(lambda: rig.fleet.engine.reachable)
    yield rig
    await rig.kill()


@pytest.fixture
def discord() -> Discord:
    return Discord()


@pytest.fixture
async def url(rig: Rig, discord: Discord) -> AsyncIterator[str]:
    port = free_port()
    server = asyncio.create_task(serve(rig.manager, discord, f"127.0.0.1:{port}"))
    base = f"http://127.0.0.1:{port}"
    async with aiohttp.ClientSession() as session:
        for _ in range(200):
            with contextlib.suppress(aiohttp.ClientConnectionError):
                async with session.get(f"{base}/health"):
                    break
            await asyncio.sleep(0.005)
    yield base
    server.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await server


async def get(url: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return answer.status, await answer.text()


async def health(url: str) -> dict[str, Any]:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/health") as answer:
        assert answer.content_type == "application/json"
        return dict(await answer.json())


async def test_health_says_what_there_is(rig: Rig, url: str) -> None:
    """Status, version, uptime, both connections, and a number for every phase."""
    await rig.running()
    bot = await rig.running()
    await rig.manager.lifecycle.stop(ANN_ASKS, bot)
    found = await health(url)
    assert found["status"] == "ok"
    assert found["version"] == controller.__version__
    assert 0 <= found["uptime_seconds"] < 60
    assert found["discord"] == {"connected": True}
    assert found["engine"]["reachable"] is True
    assert set(found["bots"]) == {phase.value for phase in Phase}
    assert (found["bots"]["running"], found["bots"]["stopped"]) == (1, 1)
    assert sum(found["bots"].values()) == 2


async def test_health_is_degraded_without_discord_or_engine(
    rig: Rig, url: str, discord: Discord
) -> None:
    """And says which, with the engine's reason."""
    discord.connected = False
    assert (await health(url))["status"] == "degraded"
    discord.connected = True
    rig.runtime.go_away()
    await rig.loop.watcher.resync()
    found = await health(url)
    assert found["status"] == "degraded"
    assert found["engine"]["reachable"] is False
    assert "Can't reach Docker" in found["engine"]["reason"]
    rig.runtime.come_back()
    await eventually(lambda: rig.fleet.engine.reachable)
    assert (await health(url))["status"] == "ok"


async def test_metrics_are_what_prometheus_reads(rig: Rig, url: str) -> None:
    """Every line parses; bots by phase, both connections, version and process are there."""
    await rig.running()
    status, text = await get(f"{url}/metrics")
    assert status == 200
    found = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    for phase in Phase:
        assert found["botmaker_bots", phase.value] == (phase is Phase.RUNNING)
    assert found["botmaker_build_info", controller.__version__] == 1
    assert found["botmaker_engine_up",] == found["botmaker_discord_up",] == 1
    assert found["botmaker_start_time_seconds",] == pytest.approx(rig.manager.started_at)
    assert found["process_resident_memory_bytes",] > 0


async def test_no_page_asks_the_engine(rig: Rig, url: str) -> None:
    """A hundred scrapes reach it not once, and a hanging engine does not slow them."""
    await rig.running()
    await asyncio.sleep(0.05)
    before = rig.runtime.calls.total()
    rig.runtime.hang()
    for _ in range(50):
        assert (await get(f"{url}/health"))[0] == 200
        assert (await get(f"{url}/metrics"))[0] == 200
    assert rig.runtime.calls.total() == before
    rig.runtime.release()


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/", 404), ("POST", "/health", 405), ("GET", "/health/../../etc/passwd", 404)],
)
async def test_there_is_nothing_else(url: str, method: str, path: str, status: int) -> None:
    """Two read-only pages."""
    async with aiohttp.ClientSession() as session, session.request(method, url + path) as answer:
        assert answer.status == status


async def test_a_taken_port_is_a_setting_to_change(rig: Rig, discord: Discord) -> None:
    """BadSetting names the variable and the way out."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        held.listen()
        port = held.getsockname()[1]
        with pytest.raises(BadSetting, match="BOTMAKER_HTTP_LISTEN") as caught:
            await serve(rig.manager, discord, f"127.0.0.1:{port}")
    assert "empty" in caught.value.hint

"""The Worker is killed before and after whatever changes its D1: nothing is lost, and nothing is
there twice."""

from __future__ import annotations

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import aiohttp
import pytest
from aiohttp import web

from tests.edge_worker.conftest import Site, ask, ended
from tests.edge_worker.kill_points import WORKER, worker_points
from tests.edge_worker.node import PROGRAMS, LocalWorker
from tests.manager.rig import eventually
from tests.prove.crash_points import Point

DOOR = "kill_door.js"


@dataclass
class Points:
    """Hears of each point that the Worker passes, and kills it at the one that is armed."""

    worker: LocalWorker
    armed: str = ""
    passed: list[str] = field(default_factory=list)
    died: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.Request) -> web.Response:
        """One point."""
        name = request.path.lstrip("/")
        self.passed.append(name)
        if name == self.armed:
            self.armed = ""
            await self.worker.kill()
            self.died.set()
        return web.Response()


@pytest.fixture
async def points(worker: LocalWorker) -> AsyncIterator[Points]:
    """The Worker with its points."""
    found = Points(worker)
    app = web.Application()
    app.router.add_get("/{name}", found.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    worker.bindings["POINTS"] = f"http://127.0.0.1:{runner.addresses[0][1]}"
    worker.modules[DOOR] = (PROGRAMS / DOOR).read_text()
    worker.main = DOOR
    await worker.serve()
    yield found
    await runner.cleanup()


@pytest.mark.parametrize("point", worker_points(), ids=str)
async def test_the_worker_is_killed_around_a_change_of_its_d1(
    points: Points, site: Site, point: Point
) -> None:
    """And comes back: all is as if nothing had been."""
    bot = await site.rig.running()
    await site.drained()
    points.armed = point.name
    wish = str(uuid.uuid4())
    if point.operation == "wish":
        await wished(site, wish, bot.name)
    numbers = await site.happen(150)
    cron = asyncio.create_task(site.worker.ask(do="cron")) if point.operation == "cron" else None
    await asyncio.wait_for(points.died.wait(), 15)
    if cron is not None:
        with contextlib.suppress(AssertionError):
            await cron
    await site.worker.open()
    if point.operation == "wish":
        await wished(site, wish, bot.name)
        assert (await ended(site.worker, wish, "ops"))["result"] == "done"
        rows = await site.worker.rows("SELECT id FROM wishes")
        assert rows == [{"id": wish}]
    await site.drained()
    there = await site.in_d1()
    assert there == list(range(there[0], await site.rig.store.newest() + 1))
    assert set(numbers) <= set(there)


async def test_the_table_has_every_change_that_the_worker_makes(points: Points, site: Site) -> None:
    """Of all that can be asked of it, and of its cron."""
    bot = await site.rig.running()
    await wished(site, str(uuid.uuid4()), bot.name)
    await site.happen()
    await eventually(lambda: "events+wishes:after" in points.passed, seconds=20)
    await site.worker.ask(do="cron")
    wanted = {point.name for point in worker_points()}
    assert set(points.passed) == wanted, WORKER


async def wished(site: Site, wish: str, bot: str) -> None:
    """Leave a wish of that id, or again if the Worker died over it."""
    body = {"id": wish, "action": "restart", "bot": bot}
    url = f"{site.worker.url}/api/v1/wishes"
    with contextlib.suppress(aiohttp.ClientConnectionError):
        said = await ask(url, "POST", body, subject="ops")
        assert said.status == 202, said.json

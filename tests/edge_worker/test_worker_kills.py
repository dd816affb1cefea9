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

from controller.domain.journal import Kind
from tests.edge_worker.conftest import Site, ask, ended
from tests.edge_worker.kill_points import worker_points
from tests.edge_worker.node import PROGRAMS, LocalWorker
from tests.prove.crash_points import Point

DOOR = "kill_door.js"


@dataclass
class Points:
    """Hears of each point that the Worker passes, and kills it at the one that is armed."""

    worker: LocalWorker
    armed: str = ""
    passed: list[str] = field(default_factory=list)
    died: asyncio.Event = field(default_factory=asyncio.Event)

    def arm(self, name: str) -> None:
        """Kill it at the next point that is about these tables, or more."""
        self.armed = name
        self.died.clear()

    async def answer(self, request: web.Request) -> web.Response:
        """One point."""
        name = request.path.lstrip("/")
        self.passed.append(name)
        side = name.partition(":")[2]
        if self.armed.endswith(f":{side}") and parts(self.armed) <= parts(name):
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


@pytest.mark.timeout(300)
async def test_the_worker_is_killed_around_each_change_of_its_d1(
    points: Points, site: Site
) -> None:
    """And comes back: all is as if nothing had been. The table has every change that it makes, of
    all that can be asked of it and of its cron."""
    bot = await site.rig.running()
    for point in worker_points():
        await site.drained()
        await one_kill(points, site, point, bot.name)
    tables = {part for name in points.passed for part in parts(name)}
    assert tables == {part for point in worker_points() for part in parts(point.name)}


async def one_kill(points: Points, site: Site, point: Point, bot: str) -> None:
    """At that point; and what is there afterwards."""
    points.arm(point.name)
    wish = str(uuid.uuid4())
    if point.operation == "wish":
        await wished(site, wish, bot)
    if point.operation == "start":
        await site.restart()
    numbers = await site.happen(150)
    cron = asyncio.create_task(site.worker.ask(do="cron")) if point.operation == "cron" else None
    async with asyncio.timeout(20):
        await points.died.wait()
    if cron is not None:
        with contextlib.suppress(AssertionError):
            await cron
    await site.worker.open()
    if point.operation == "wish":
        await wished(site, wish, bot)
        await site.happen()  # whose answer tells the controller that there is a wish
        assert (await ended(site.worker, wish, "ops"))["result"] == "done"
        rows = await site.worker.rows("SELECT count(*) AS n FROM wishes WHERE id = ?", wish)
        assert rows == [{"n": 1}]
        told = [one.data["wish"] for one in await site.rig.entries(Kind.EDGE_WISH)]
        assert told.count(wish) == 1
    await site.drained()
    there = await site.in_d1()
    assert there == list(range(there[0], await site.rig.store.newest() + 1)), point
    assert set(numbers) <= set(there)


def parts(name: str) -> set[str]:
    """The tables that a point is about."""
    return set(name.partition(":")[0].split("+"))


async def wished(site: Site, wish: str, bot: str) -> None:
    """Leave a wish of that id, or again if the Worker died over it."""
    body = {"id": wish, "action": "restart", "bot": bot}
    url = f"{site.worker.url}/api/v1/wishes"
    with contextlib.suppress(aiohttp.ClientConnectionError):
        said = await ask(url, "POST", body, subject="ops")
        assert said.status == 202, said.json

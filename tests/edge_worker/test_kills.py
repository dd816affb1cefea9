"""Controller and Worker are killed before and after each of their writes, and of each call between
them: nothing is lost, nothing is in D1 twice, each wish is applied once and has its outcome."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator

import docker
import pytest
import pytest_asyncio

from tests.conftest import ROOT
from tests.edge_worker.conftest import ask, ended, left
from tests.edge_worker.kill_points import CONTROLLER, WIRE, controller_points
from tests.edge_worker.town import PATIENCE, Town, open_town
from tests.edge_worker.wire import Instead
from tests.process.process import eventually
from tests.prove.crash_points import Point

pytestmark = [
    pytest.mark.engine,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(180),
]
OUTGOING = ROOT / "controller/manager/outgoing_events.py"
POISONED = "request"  # the kind that an older Worker doesn't know


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(
    tmp_path_factory: pytest.TempPathFactory, docker_client: docker.APIClient, demo_image: str
) -> AsyncIterator[Town]:
    """Shared by this file's tests, which leave it as they found it."""
    async with open_town(tmp_path_factory.mktemp("town"), docker_client) as town:
        yield town


async def test_every_write_of_the_edge_is_in_the_table() -> None:
    """So that a new one gets its points, too."""
    written = set()
    for path in (*(ROOT / "controller/edge").glob("*.py"), OUTGOING):
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Attribute(value=ast.Name(id="write"), attr=name) if name != "append":
                    written.add(f"store.{name}")
    assert written
    assert written <= {name for names in CONTROLLER.values() for name in names.split()}


@pytest.mark.parametrize("point", controller_points(), ids=str)
async def test_the_controller_is_killed_around_a_write(town: Town, point: Point) -> None:
    """And started again: all is as if nothing had been."""
    await ACTS[point.operation](town, point)
    await whole(town)


@pytest.mark.parametrize("path", WIRE)
@pytest.mark.parametrize("moment", ["before", "after"])
async def test_the_controller_is_killed_while_a_call_is_on_its_way(
    town: Town, path: str, moment: str
) -> None:
    """Before the Worker has it, and after it took it."""
    died = asyncio.Event()

    async def die() -> None:
        await town.armed.kill()
        died.set()

    killing = Instead(before=die) if moment == "before" else Instead(after=die)
    town.out.script = [Instead(path=path, drop=True, before=killing.before, after=killing.after)]
    wish = await left(town.worker, "restart", "shop")
    await town.event()
    await asyncio.wait_for(died.wait(), PATIENCE)
    await town.armed.start()
    await applied_once(town, wish)
    await whole(town)


async def first(town: Town, point: Point) -> None:
    """The exporter's first start."""
    await town.drained()
    await town.armed.stop()
    with contextlib.closing(sqlite3.connect(town.armed.database)) as base, base:
        base.execute("DELETE FROM webhook WHERE id = 'edge'")
    await town.armed.dies_at_its_start(point)
    await town.armed.start()
    await eventually(lambda: town.armed.rows("SELECT 1 FROM webhook WHERE id = 'edge'"))
    assert len(town.armed.rows("SELECT 1 FROM webhook")) == 1


async def start(town: Town, point: Point) -> None:
    """Any other start."""
    await town.armed.stop()
    await town.armed.dies_at_its_start(point)
    await town.armed.start()


async def event(town: Town, point: Point) -> None:
    """Something happens, and is told."""
    town.armed.arm(point)
    await town.event()
    await town.armed.dies(point)
    await town.armed.start()


async def away(town: Town, point: Point) -> None:
    """It can't be told."""
    town.out.script = [Instead(500)]
    await event(town, point)


async def poison(town: Town, point: Point) -> None:
    """It is told, and rejected."""
    module = town.worker.modules["intake.js"]
    town.worker.modules["intake.js"] = module.replace(f'"{POISONED}", ', "")
    assert module != town.worker.modules["intake.js"]
    await town.worker.serve()
    await event(town, point)
    await town.drained()
    town.worker.modules["intake.js"] = module
    await town.worker.serve()


async def wish(town: Town, point: Point) -> None:
    """A wish was left while the controller was away."""
    await town.armed.stop()
    wish = await left(town.worker, "restart", "shop")
    await town.armed.dies_at_its_start(point)
    await town.armed.start()
    await applied_once(town, wish)


async def call(town: Town, point: Point) -> None:
    """A caller asks for something, and asks again with the same key when no answer comes: it was
    done once, or the answer says that it was cut short. It's never done twice."""
    town.armed.arm(point)
    key = f"key-of-{point.name.replace(':', '-')}"
    order = (f"{town.api}/bots/shop/restart", "POST")
    await ask(*order, subject="ops", **{"Idempotency-Key": key})
    await town.armed.dies(point)
    await town.armed.start()
    said = await ask(*order, subject="ops", **{"Idempotency-Key": key, "Prefer": "wait=10"})
    cut_short = said.json.get("code") == "cut-short"
    assert said.status in ({409} if cut_short else {200, 202}), said.json
    acted = "SELECT count(*) FROM journal WHERE kind = 'wish' AND request LIKE ?"
    ((times,),) = town.armed.rows(acted, f"%{key}%")
    assert times in ({0, 1} if cut_short else {1})


ACTS = {one.__name__: one for one in (first, start, event, away, poison, wish, call)}


async def applied_once(town: Town, wish: str) -> None:
    """It has its outcome at the Worker, changed the bot once, and ended once."""
    assert (await ended(town.worker, wish))["result"] == "done"
    acted = "SELECT count(*) FROM journal WHERE kind = 'wish' AND request LIKE ?"
    assert town.armed.rows(acted, f"edge:{wish}:%") == [(1,)]
    told = (
        "SELECT count(*) FROM journal WHERE kind = 'edge-wish' AND json_extract(data, '$.wish') = ?"
    )
    assert town.armed.rows(told, wish) == [(1,)]


async def whole(town: Town) -> None:
    """The journal's every entry is in D1 once, or a dead letter; and the bot runs."""
    await town.event()
    await town.drained()
    there = await town.in_d1()
    dead = {row[0] for row in town.armed.rows("SELECT seq FROM dead_letter")}
    assert not dead & set(there)
    entries = [row[0] for row in town.armed.rows("SELECT seq FROM journal ORDER BY seq")]
    assert sorted({*there, *dead}) == entries
    assert len(there) == len(set(there))
    async with asyncio.timeout(20):
        while (await ask(f"{town.api}/bots/shop")).json["phase"] != "running":
            await asyncio.sleep(0.05)

"""A whole installation at the edge: a real controller with its engine, its Worker, and the way from
the one to the other.

Next door: conftest.py has an installation in memory, which is faster."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import docker

from tests.edge_worker.conftest import ask
from tests.edge_worker.node import LocalWorker, new_key
from tests.edge_worker.wire import Wire
from tests.process.process import Place, eventually, open_place
from tests.prove.crash_driver import Armed
from tests.prove.crash_points import Point

PATIENCE = 60.0  # seconds
GAVE_UP = "webhook edge-worker: the Worker rejected it"  # which is what the poison is for
SETTLED = "SELECT cursor FROM webhook WHERE id = 'edge'"


class Patient(Armed):
    """The controller with points; a start may take as long as a busy machine needs for it."""

    async def wait_ready(self, sessions: int = 1) -> None:
        await self.world.wait_ready(timeout=PATIENCE, sessions=sessions)

    async def dies(self, point: Point) -> None:
        """Wait until it is dead."""
        assert self.process is not None
        try:
            await asyncio.wait_for(self.process.wait(), PATIENCE)
        except TimeoutError:
            self.disarm()
            raise AssertionError(f"{point} was never reached") from None

    async def dies_at_its_start(self, point: Point) -> None:
        """Start it, and have it killed at that point."""
        self._at_start = point
        await self.launch()
        await self.dies(point)


@dataclass
class Town:
    """A controller with its engine, its Worker, and the way from the one to the other."""

    place: Place
    worker: LocalWorker
    wire: Wire  # from the Worker to the controller
    out: Wire  # from the controller to the Worker
    bot: str

    @property
    def api(self) -> str:
        return f"{self.worker.url}/api/v1/orchestrator"

    @property
    def armed(self) -> Patient:
        """The controller, with points at which it can be killed."""
        assert isinstance(self.place.controller, Patient)
        return self.place.controller

    async def event(self) -> None:
        """Have something happen that is written down each time: a deployment without an account is
        asked for, and refused. (A mere refusal is written down now and then.)"""
        await ask(f"{self.api}/edge/deploy", "POST")

    async def drained(self, seconds: float = 30.0) -> None:
        """Wait until the Worker has all that the journal has."""
        rows = self.place.controller.rows
        newest = "SELECT max(seq) FROM journal"
        await eventually(lambda: rows(SETTLED)[0][0] >= rows(newest)[0][0], seconds)

    async def in_d1(self) -> list[int]:
        """The numbers of the events there, in order."""
        rows = await self.worker.rows("SELECT seq FROM events ORDER BY seq")
        return [row["seq"] for row in rows]


@contextlib.asynccontextmanager
async def open_town(folder: Path, engine: docker.APIClient) -> AsyncIterator[Town]:
    """A town with one bot, `shop`."""
    (folder / "cloud").mkdir()
    key = new_key()
    (folder / "edge.keys").write_text(key)
    async with contextlib.AsyncExitStack() as stack:
        place = await stack.enter_async_context(open_place(folder, engine, start=False))
        controller = Patient(place.world, engine, folder)
        controller.env, controller.port = place.controller.env, place.controller.port
        place.controller = controller
        stack.push_async_callback(_kill, controller)
        wire = await stack.enter_async_context(Wire(f"http://127.0.0.1:{controller.port}"))
        worker = await stack.enter_async_context(LocalWorker(folder / "cloud", key, wire.url))
        out = await stack.enter_async_context(Wire(worker.url))
        controller.env |= {
            "BOTMAKER_API": "1",
            "BOTMAKER_EDGE_URL": out.url,
            "BOTMAKER_EDGE_KEYS_FILE": str(folder / "edge.keys"),
            "BOTMAKER_EDGE_ROLES": "deploy=admin,ops=operator,look=viewer",
            "BOTMAKER_EDGE_ORIGIN": "https://tunnel.example.org",
        }
        controller.entered.append(key)
        await controller.start()
        await place.welcomed()
        yield Town(place, worker, wire, out, await place.bot("shop"))
        assert not controller.leaks(), "a secret is where it must not be"
        await _kill(controller)
        told = controller.log.splitlines(keepends=True)
        controller.log_path.write_text("".join(line for line in told if GAVE_UP not in line))
        assert not controller.trouble(), controller.trouble()


async def _kill(controller: Patient) -> None:
    if controller.running:
        await controller.kill()

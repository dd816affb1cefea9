"""An installation in memory whose journal goes to a real Worker with a real D1."""

from __future__ import annotations

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest

from controller.domain.journal import Entry, Kind
from controller.domain.roles import Role
from controller.domain.webhooks import Pace, Timing, Webhook
from controller.edge.edge_tasks import Edge, EdgePlan, build_edge
from controller.store import Store
from controller.vault import Fingerprints
from tests.edge_worker.node import ISSUER, JWT_KEYS, LocalWorker, new_key
from tests.manager.rig import INSTALL_KEY, Rig

PACE = Pace(first=0.01, most=0.1, asked_most=5.0)
ROLES = {"deploy": Role.ADMIN, "ops": Role.OPERATOR, "look": Role.VIEWER}


def token(subject: str = "deploy", **more: object) -> str:
    """A caller's token."""
    claims = {"iss": ISSUER, "aud": "botmaker-edge", "sub": subject, "exp": int(time.time()) + 60}
    return jwt.encode(claims | more, JWT_KEYS["k1"], "HS256", {"kid": "k1"})


@dataclass
class Site:
    """An installation, its edge, and its Worker. What it sends goes to `url`."""

    rig: Rig
    worker: LocalWorker
    key: str
    url: str
    skew: float = 0.0  # seconds by which the controller's clock is off
    edge: Edge = field(init=False)
    _work: asyncio.Task[None] | None = None

    def clock(self) -> float:
        return time.time() + self.skew

    async def begin(self) -> None:
        """Open the installation, and its edge."""
        await self.rig.open()
        timing = Timing(clock=self.clock, chance=lambda: 0.5, pace=PACE)
        keys = self.rig.folder / "edge.keys"
        keys.write_text(self.key)
        plan = EdgePlan(url=self.url, keys_file=keys, roles=ROLES, timing=timing)
        self.edge = build_edge(plan, self.rig.house, Fingerprints(INSTALL_KEY), lambda: True)
        self.rig.run()
        self._work = asyncio.create_task(self.edge.run())
        while await self.rig.store.webhook("edge") is None:
            await asyncio.sleep(0.01)

    async def die(self) -> None:
        """End it wherever it stands."""
        if self._work is not None:
            self._work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._work
        await self.rig.kill()

    async def restart(self) -> None:
        await self.die()
        await self.begin()

    async def happen(self, count: int = 1, **data: Any) -> list[int]:
        """So many crashes of a bot; the numbers of their entries."""
        return await happen(self.rig.store, count, **data)

    async def row(self) -> Webhook:
        """How far it has come."""
        found = await self.rig.store.webhook("edge")
        assert found is not None
        return found

    async def until(self, true: Callable[[Webhook], bool], seconds: float = 20.0) -> Webhook:
        """Wait until the row is so."""
        async with asyncio.timeout(seconds):
            while not true(found := await self.row()):
                await asyncio.sleep(0.01)
        return found

    async def drained(self, seconds: float = 30.0) -> None:
        """Wait until D1 has all that the journal has."""
        async with asyncio.timeout(seconds):
            while (await self.row()).cursor < await self.rig.store.newest():
                await asyncio.sleep(0.01)

    async def in_d1(self) -> list[int]:
        """The numbers of the events there, in order."""
        rows = await self.worker.rows("SELECT seq FROM events ORDER BY seq")
        return [row["seq"] for row in rows]


async def happen(store: Store, count: int, **data: Any) -> list[int]:
    """So many crashes of a bot, written down as they are in earnest."""
    facts = {"exit_code": 1, "oom_killed": False} | data
    entry = Entry(at=time.time(), kind=Kind.CRASH, bot_id="b", bot_name="shop", data=facts)
    async with store.transaction() as write:
        return [(await write.append(entry)).seq for _ in range(count)]


@dataclass(frozen=True)
class Said:
    """An answer of the Worker's."""

    status: int
    json: Any
    headers: Mapping[str, str]


async def ask(
    url: str, method: str = "GET", body: Any = None, *, subject: str = "deploy", **headers: str
) -> Said:
    """Ask the Worker with a caller's token."""
    given = {"Authorization": f"Bearer {token(subject)}"} | headers
    limit = aiohttp.ClientTimeout(total=20)
    async with aiohttp.ClientSession(timeout=limit) as session:
        async with session.request(method, url, json=body, headers=given) as answer:
            said = await answer.json(content_type=None) if answer.status != 204 else None
            return Said(answer.status, said, answer.headers)


async def left(
    worker: LocalWorker, action: str, bot: str, *, subject: str = "ops", **more: Any
) -> str:
    """Leave a wish; its id."""
    body = {"action": action, "bot": bot, "id": str(uuid.uuid4())} | more
    said = await ask(f"{worker.url}/api/v1/wishes", "POST", body, subject=subject)
    assert said.status == 202, said.json
    return str(said.json["id"])


async def ended(worker: LocalWorker, wish: str, subject: str = "ops", seconds: float = 30.0) -> Any:
    """Its outcome, as whoever left it reads it."""
    async with asyncio.timeout(seconds):
        while True:
            said = await ask(f"{worker.url}/api/v1/wishes/{wish}", subject=subject)
            if said.json["outcome"] is not None:
                return said.json["outcome"]
            await asyncio.sleep(0.1)


@pytest.fixture
async def worker(tmp_path: Path) -> AsyncIterator[LocalWorker]:
    """A Worker of the test's own."""
    folder = tmp_path / "cloud"
    folder.mkdir()
    async with LocalWorker(folder, new_key()) as found:
        yield found


@pytest.fixture
async def site(tmp_path: Path, worker: LocalWorker) -> AsyncIterator[Site]:
    """An installation that tells it what happens."""
    folder = tmp_path / "site"
    folder.mkdir()
    found = Site(Rig(folder), worker, worker.bindings["EDGE_KEYS"], worker.url)
    await found.begin()
    yield found
    await found.die()

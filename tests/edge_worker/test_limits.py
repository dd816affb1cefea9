"""How often the Worker may be asked, and what it says of itself and of what is behind it."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from tests.edge_worker.conftest import Site, ask
from tests.edge_worker.node import LocalWorker, bound

NOBODY = "http://127.0.0.1:9"
WELL = {"worker": "ok", "d1": "ok", "tunnel": "ok", "orchestrator": "ok"}
SIGNED = ("webhook-id", "webhook-timestamp", "webhook-signature")


@dataclass
class Origin:
    """Stands where the controller is, and answers as it is told."""

    port: int = 0
    status: int = 200
    body: Any = field(default_factory=dict)
    pause: float = 0.0
    asked: list[web.Request] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        """Whatever is asked."""
        self.asked.append(request)
        await asyncio.sleep(self.pause)
        return web.json_response(self.body, status=self.status)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@pytest.fixture
async def origin() -> AsyncIterator[Origin]:
    """What is behind the Worker."""
    found = Origin()
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", found.answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    found.port = runner.addresses[0][1]
    yield found
    await runner.cleanup()


async def got(worker: LocalWorker, path: str, **headers: str) -> tuple[int, Any, Any]:
    """The status, the answer and its headers, without a token."""
    async with aiohttp.ClientSession() as session:
        async with session.get(worker.url + path, headers=headers) as answer:
            return answer.status, await answer.json(content_type=None), answer.headers


def a_minute(limit: int) -> dict[str, object]:
    """So many."""
    return {"simple": {"limit": limit, "period": 60}}


async def test_a_subject_that_asks_too_often_gets_429_and_when_to_come_again(
    worker: LocalWorker, origin: Origin
) -> None:
    """From wherever it asks; others are still answered."""
    worker.limits = {"LIMIT_SUBJECT": a_minute(5), "LIMIT_ADDRESS": a_minute(100)}
    worker.bindings["ORIGIN_URL"] = origin.url
    await worker.serve()
    url = f"{worker.url}/api/v1/orchestrator/bots"
    said = [await ask(url, subject="ops") for _ in range(8)]
    assert Counter(one.status for one in said) == {200: 5, 429: 3}
    assert (said[-1].json["code"], said[-1].headers["retry-after"]) == ("too-many-requests", "60")
    assert len(origin.asked) == 5
    assert (await ask(url, subject="look")).status == 200


async def test_an_address_is_counted_before_anybody_looks_at_its_token(
    worker: LocalWorker,
) -> None:
    """So tokens can't be guessed, and `/health` can't be worn out. Other addresses aren't."""
    worker.limits = {"LIMIT_ADDRESS": a_minute(5), "LIMIT_CONTROLLER": a_minute(3)}
    await worker.serve()
    here = {"CF-Connecting-IP": "203.0.113.7"}
    wrong = {"Authorization": "Bearer a.b.c"} | here
    assert [(await got(worker, "/status", **wrong))[0] for _ in range(3)] == [401] * 3
    assert [(await got(worker, "/health", **here))[0] for _ in range(4)] == [200, 200, 429, 429]
    status, said, headers = await got(worker, "/status", **wrong)
    assert (status, said["code"], headers["retry-after"]) == (429, "too-many-requests", "60")
    assert (await got(worker, "/health", **{"CF-Connecting-IP": "203.0.113.8"}))[0] == 200


async def test_what_is_internal_has_a_limit_of_its_own(site: Site) -> None:
    """The controller waits as long as it is told to, loses nothing, and takes nobody's share."""
    await site.drained()
    site.worker.limits = {"LIMIT_CONTROLLER": a_minute(2), "LIMIT_ADDRESS": a_minute(2)}
    await site.worker.serve()
    url = f"{site.worker.url}/internal/events"
    for wanted in (401, 401, 429):
        async with aiohttp.ClientSession() as session, session.post(url) as answer:
            assert answer.status == wanted
    assert (await got(site.worker, "/health"))[0] == 200
    numbers = await site.happen(3)
    row = await site.until(lambda found: found.failures > 0)
    assert row.reason.endswith("to wait (429)")
    site.worker.limits = {}
    await site.worker.serve()
    await site.drained()
    assert set(numbers) <= set(await site.in_d1())


async def test_an_unsigned_call_is_refused_before_its_body_is_read(worker: LocalWorker) -> None:
    """A megabyte that never comes keeps nobody waiting."""
    reader, writer = await asyncio.open_connection("127.0.0.1", worker.port)
    writer.write(
        b"POST /internal/events HTTP/1.1\r\nHost: edge\r\nContent-Length: 1000000\r\n\r\n{"
    )
    async with asyncio.timeout(5):
        assert b" 401 " in await reader.readline()
    writer.close()


@pytest.mark.parametrize(
    ("status", "body", "tunnel", "orchestrator"),
    [
        (200, {"success": True, "data": {"status": "ok"}}, "ok", "ok"),
        (200, {"success": True, "data": {"status": "degraded"}}, "ok", "degraded"),
        (200, "not ours", "ok", "degraded"),
        (503, {}, "ok", "down"),
        (404, {}, "ok", "down"),
        (401, {"error": {"code": "not-signed"}}, "ok", "refused"),
        (401, {"error": {"code": "clock-off"}}, "ok", "clock-off"),
        (530, {}, "down", "unknown"),
    ],
)
async def test_health_names_the_part_that_is_unwell(
    worker: LocalWorker, origin: Origin, status: int, body: Any, tunnel: str, orchestrator: str
) -> None:
    """Each by itself. The controller is asked by a signed call, which no proxy keeps to itself."""
    origin.status, origin.body = status, body
    worker.bindings["ORIGIN_URL"] = origin.url
    await worker.serve()
    found, said, _ = await got(worker, "/health")
    wanted = WELL | {"tunnel": tunnel, "orchestrator": orchestrator}
    assert {name: said[name] for name in WELL} == wanted
    assert said["status"] == ("ok" if wanted == WELL else "degraded")
    assert found == 200
    (asked,) = origin.asked
    assert (asked.method, asked.path) == ("GET", "/internal/health")
    assert all(asked.headers[name] for name in SIGNED)
    await got(worker, "/health")
    assert len(origin.asked) == 1, "it is remembered for some seconds"


async def test_health_waits_for_nobody(worker: LocalWorker, origin: Origin) -> None:
    """A controller that hangs, or isn't there; and a D1 that isn't: that alone is down."""
    origin.pause = 20.0
    worker.bindings["ORIGIN_URL"] = origin.url
    await worker.serve()
    began = time.monotonic()
    status, said, _ = await got(worker, "/health")
    assert (status, said["tunnel"], said["orchestrator"]) == (200, "down", "unknown")
    assert time.monotonic() - began < 4
    worker.bindings["ORIGIN_URL"] = NOBODY
    await worker.serve(d1=False)
    status, said, _ = await got(worker, "/health")
    assert (status, said["status"], said["d1"], said["worker"]) == (503, "down", "down", "ok")


async def test_a_service_binding_takes_the_place_of_the_address(
    worker: LocalWorker, origin: Origin
) -> None:
    """Under the name that the controller knows; signed in the same way."""
    del worker.bindings["ORIGIN_URL"]
    worker.services = {"ORIGIN": bound(f"127.0.0.1:{origin.port}")}
    origin.body = {"data": {"status": "ok"}}
    await worker.serve()
    assert (await got(worker, "/health"))[1]["orchestrator"] == "ok"
    said = await ask(f"{worker.url}/api/v1/orchestrator/bots?phase=running")
    assert (said.status, said.json) == (200, origin.body)
    last = origin.asked[-1]
    assert (last.raw_path, last.host) == ("/api/v1/bots?phase=running", "controller.internal")
    assert last.headers["botmaker-subject"] == "deploy"

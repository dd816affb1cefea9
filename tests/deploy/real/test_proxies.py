"""nginx and Caddy in front, with https: requests, live streams, limits and headers go through."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

import aiohttp
import pytest

from controller.api.raw_bodies import BODY_MOST
from controller.api.request_rates import Rates
from tests.api.client import GENEROUS
from tests.deploy.real.proxies import HOST, Front, fronted
from tests.manager.rig import Rig

pytestmark = pytest.mark.timeout(120)
STREAM_SECONDS = 62
JSON = {"Content-Type": "application/json"}


async def asked(
    session: aiohttp.ClientSession, url: str, method: str = "GET", **more: Any
) -> aiohttp.ClientResponse:
    """The whole answer."""
    async with session.request(method, url, **more) as answer:
        await answer.read()
        return answer


async def test_requests_go_through_and_the_answers_are_the_same(rig: Rig, front: Front) -> None:
    """Lists, orders with a wait, problems with their code, and an address with encoded parts."""
    bot = await rig.running()
    (seen,) = (await front.api.get("/bots")).json["items"]
    assert seen["name"] == bot.name
    stopped = await front.api.post(f"/bots/{bot.name}/stop", headers={"Prefer": "wait=5"})
    assert (stopped.status, stopped.json["state"]) == (200, "done")
    for path in ("/bots/nobody", "/bots/a%2Fb", "/bots/a%0Ab"):
        through, past = await front.api.get(path), await front.inner.get(path)
        assert (through.status, through.code) == (past.status, past.code)
    assert (await front.api.get("/bots", token="bm_x_y")).status == 401


async def test_a_live_stream_goes_on_for_a_minute_and_events_come_at_once(
    rig: Rig, front: Front
) -> None:
    """Nothing is held back by the proxy, and nobody ends what is quiet between two pings."""
    bot = await rig.running()
    began, pings = time.monotonic(), 0
    async with front.api.stream("/events") as reader:
        assert (await reader.next()).name == "snapshot"
        await front.inner.post(f"/bots/{bot.name}/stop")
        changed = time.monotonic()
        await reader.next("bot")
        assert time.monotonic() - changed < 1
        while time.monotonic() - began < STREAM_SECONDS:
            event = await reader.next(seconds=20)
            pings += event.name == "ping"
        await front.inner.post(f"/bots/{bot.name}/start")
        await reader.next("bot")
    assert pings >= 3


async def test_what_is_too_large_is_refused(front: Front) -> None:
    """A body that BotMaker takes reaches it; a larger one doesn't, and the head has its bound."""
    fits = await front.api.ask("POST", "/bots", data=b" " * BODY_MOST, headers=JSON)
    assert fits.code not in ("", "too-large")
    large = await asked(
        front.session,
        f"{front.api.url}/api/v1/bots",
        "POST",
        data=b" " * (2 * BODY_MOST),
        headers={"Authorization": f"Bearer {front.api.token}"} | JSON,
    )
    assert large.status == 413
    long = {"X-Long": "x" * 20_000}
    head = await asked(front.session, f"{front.api.url}/api/v1/bots", headers=long)
    assert head.status in (400, 431, 494)


async def test_whoever_asks_too_often_gets_429_and_when_to_come_again(
    kind: str, rig: Rig, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """With the limits as they are."""
    folder = tmp_path_factory.mktemp("proxy")
    async with fronted(kind, rig, folder, Rates()) as front:
        answers = await asyncio.gather(*(front.api.get("/bots") for _ in range(150)))
        counted = Counter(answer.status for answer in answers)
        assert counted.keys() == {200, 429}
        assert counted[200] >= 50
        refused = next(answer for answer in answers if answer.status == 429)
        assert refused.code == "too-many-requests"
        assert int(refused.headers["Retry-After"]) >= 1
        await asyncio.sleep(1.5)
        assert (await front.api.get("/bots")).status == 200


async def test_an_address_that_somebody_claims_is_dropped(
    kind: str, rig: Rig, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Ten tries to sign in are for the address that the proxy sees, whatever the header says."""
    folder = tmp_path_factory.mktemp("proxy")
    async with fronted(kind, rig, folder, Rates(GENEROUS.reads, GENEROUS.writes)) as front:
        found = []
        for number in range(12):
            claimed = {"X-Forwarded-For": f"203.0.113.{number}", "Sec-Fetch-Site": "same-origin"}
            answer = await asked(
                front.session,
                f"{front.api.url}/api/v1/session",
                "POST",
                json={"code": f"code{number:022}"},
                headers=claimed,
            )
            found.append(answer.status)
        assert found[-1] == 429, found
        assert found.count(429) == 2, found


async def test_plain_http_leads_to_https_and_stays_there(front: Front) -> None:
    """By a redirect, and from then on by the browser itself."""
    plain = await asked(front.session, f"http://{HOST}:{front.plain}/x?y=1", allow_redirects=False)
    assert plain.status == 308
    assert plain.headers["Location"].startswith(f"https://{HOST}")
    assert plain.headers["Location"].endswith("/x?y=1")
    page = await asked(front.session, f"{front.api.url}/")
    assert page.status == 200
    assert page.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    assert not any(character.isdigit() for character in page.headers.get("Server", ""))


async def test_health_and_metrics_stay_inside(front: Front) -> None:
    """Past the proxy they answer, through it they don't exist."""
    for path in ("/health", "/metrics"):
        async with aiohttp.ClientSession() as session:
            assert (await asked(session, f"{front.inner.url}{path}")).status == 200
        assert (await asked(front.session, f"{front.api.url}{path}")).status == 404

"""Callers reach a real controller with a real engine through the Worker, and nobody else does."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import docker
import pytest
import pytest_asyncio

from controller.edge import signing
from controller.edge.signing import Direction
from tests.api.client import Reader
from tests.edge_worker.conftest import ask, token
from tests.edge_worker.node import bound, new_key
from tests.edge_worker.town import Town, open_town
from tests.process.console import botmaker

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(120)]
STREAM_SECONDS = 33


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(
    tmp_path_factory: pytest.TempPathFactory, docker_client: docker.APIClient, demo_image: str
) -> AsyncIterator[Town]:
    """Shared by this file's tests."""
    async with open_town(tmp_path_factory.mktemp("town"), docker_client) as town:
        yield town


async def test_a_callers_token_reaches_the_engine_and_back(town: Town) -> None:
    """Listed, restarted, and really another run of the container."""
    said = await ask(f"{town.api}/bots")
    assert [one["name"] for one in said.json["items"]] == ["shop"]
    controller = town.place.controller
    before = controller.started_at(town.bot)
    headers = {"Prefer": "wait=20"}
    said = await ask(f"{town.api}/bots/shop/restart", "POST", subject="ops", **headers)
    assert said.status == 200, said.json
    assert controller.started_at(town.bot) != before


async def test_rights_are_those_of_the_subject(town: Town) -> None:
    """A viewer may look and not act; who has no role may nothing; no token, no way."""
    assert (await ask(f"{town.api}/bots", subject="look")).status == 200
    said = await ask(f"{town.api}/bots/shop/stop", "POST", subject="look")
    assert (said.status, said.json["code"]) == (403, "denied")
    assert (await ask(f"{town.api}/bots", subject="stranger")).status == 403
    for header in ("", "Bearer", f"Bearer {token()}x", f"Basic {token()}"):
        said = await ask(f"{town.api}/bots", Authorization=header)
        assert said.status == 401, header
    said = await ask(f"{town.api}/bots", Authorization=f"Bearer {token(exp=1)}")
    assert said.json["code"] == "token-expired"


async def test_the_worker_passes_nothing_on_to_what_is_internal(town: Town) -> None:
    """However the path is written."""
    taken = len(town.wire.taken)
    for path in (
        "/internal/orchestrator",
        "/internal/deploy",
        "/api/v1/orchestrator/../../../internal/deploy",
    ):
        assert (await ask(f"{town.worker.url}{path}", "POST", {})).status in {401, 404}
    assert [one for one in town.wire.taken[taken:] if "internal" in one[1]] == []


async def test_a_caller_cannot_bring_a_signature_of_their_own(town: Town) -> None:
    """The subject is the token's, whatever headers came along."""
    said = await ask(
        f"{town.api}/bots/shop/stop", "POST", subject="look", **{"botmaker-subject": "deploy"}
    )
    assert said.status == 403


async def test_an_overheard_call_serves_nobody(town: Town) -> None:
    """As it was, to another route, and after a restart of the controller: refused."""
    said = await ask(f"{town.api}/bots/shop/restart", "POST", subject="ops")
    assert said.status == 202
    call = next(one for one in town.wire.taken[::-1] if one[1].endswith("/restart"))
    await town.place.card_says("shop", "running", 30)
    await town.place.controller.restart()
    for path, code in ((call[1], "call-repeated"), ("/api/v1/bots/shop/stop", "not-signed")):
        assert await sent(town, call[0], path, call[2], call[3]) == (401, code)
    headers = {k: v for k, v in call[3].items() if k.lower() != "webhook-signature"}
    assert (await sent(town, call[0], call[1], call[2], headers))[0] == 401


async def sent(
    town: Town, method: str, path: str, body: bytes, headers: dict[str, str]
) -> tuple[int, str]:
    """Sent to the controller itself: the status, and the code of the refusal."""
    url = f"http://127.0.0.1:{town.place.controller.port}{path}"
    async with aiohttp.ClientSession() as session:
        async with session.request(method, url, data=body, headers=headers) as answer:
            said = await answer.json(content_type=None)
            return answer.status, str((said.get("error") or said).get("code"))


async def internal(
    town: Town, order: Any, path: str = "/internal/orchestrator", *, subject: str = "deploy",
    skew: float = 0.0, raw: bytes | None = None,
) -> tuple[int, Any]:  # fmt: skip
    """A signed call of what is internal."""
    body = raw if raw is not None else json.dumps(order).encode()
    keys = signing.keys_in(town.worker.bindings["EDGE_KEYS"])
    headers = signing.signed_headers(
        keys, Direction.TO_CONTROLLER, "POST", path, body, time.time() + skew, subject
    )
    url = f"http://127.0.0.1:{town.place.controller.port}{path}"
    async with aiohttp.ClientSession() as session:
        async with session.post(url, data=body, headers=headers) as answer:
            return answer.status, await answer.json()


async def test_internal_calls_have_one_form(town: Town) -> None:
    """`{action, payload, siteId}` in, `{success, data, error, timestamp}` out."""
    site = town.place.controller.instance
    status, said = await internal(town, {"action": "get_status", "siteId": site})
    assert (status, set(said)) == (200, {"success", "data", "error", "timestamp"})
    assert (said["success"], said["error"]) == (True, None)
    assert said["data"]["parts"] == {"discord": "ok", "engine": "ok", "secrets": "ok"}
    for order, code in (
        ({"action": "get_status", "siteId": "another"}, "wrong-site"),
        ({"action": "drop", "siteId": site}, "bad-input"),
        ({"action": "get_status", "siteId": site, "x": 1}, "bad-input"),
        ({"action": "deploy_worker", "siteId": site}, "bad-setting"),
        ({"action": "update_config", "siteId": site, "payload": {"bot": "none"}}, "no-such-bot"),
        (
            {
                "action": "update_config",
                "siteId": site,
                "payload": {"bot": "shop", "settings": {"x": "y"}},
            },
            "bad-field",
        ),
    ):
        status, said = await internal(town, order)
        assert (said["success"], said["error"]["code"]) == (False, code), order
    status, said = await internal(town, {"action": "get_status", "siteId": site}, skew=600)
    assert (status, said["error"]["code"]) == (401, "clock-off")
    assert "600 seconds" in said["error"]["message"]
    status, said = await internal(town, {"action": "deploy_worker", "siteId": site}, subject="ops")
    assert (status, said["error"]["code"]) == (403, "denied")
    status, said = await internal(
        town, {"action": "get_status", "siteId": site}, "/internal/deploy"
    )
    assert (status, said["error"]["code"]) == (422, "bad-input")
    for raw in (b"", b"[]", b"\xff", b"{" * 5000, b"0" * 70_000):
        assert (await internal(town, None, raw=raw))[0] == 422
    assert await sent(town, "POST", "/internal/orchestrator", b"{}", {}) == (401, "not-signed")


async def test_the_console_says_how_the_worker_is(town: Town) -> None:
    """All well: status 0."""
    status, out, _ = await botmaker(town.place.controller, "edge", "status")
    assert status == 0, out
    assert "worker        ok, version here" in out
    assert "orchestrator  ok" in out
    assert "events        ok: 0 waiting, 0 given up, 0 lost" in out
    status, out, _ = await botmaker(town.place.controller, "webhook", "list")
    assert "edge-worker" in out


async def test_a_way_that_is_down_is_a_502_and_never_hangs(town: Town) -> None:
    """The tunnel's end is gone; what is known is still told."""
    town.worker.bindings["ORIGIN_URL"] = "http://127.0.0.1:9"
    await town.worker.serve()
    said = await ask(f"{town.api}/bots")
    assert (said.status, said.json["code"]) == (502, "controller-away")
    assert (await ask(f"{town.worker.url}/status")).json["fleet"]["bots"][0]["name"] == "shop"
    town.worker.bindings["ORIGIN_URL"] = town.wire.url
    await town.worker.serve()


async def test_the_controller_is_reached_over_a_service_binding(town: Town) -> None:
    """Instead of the tunnel's address; and by no name that isn't its own."""
    port = town.place.controller.port
    address = town.worker.bindings.pop("ORIGIN_URL")
    town.worker.services = {"ORIGIN": bound(f"127.0.0.1:{port}")}
    await town.worker.serve()
    said = await ask(f"{town.api}/bots")
    assert (said.status, said.json["items"][0]["name"]) == (200, "shop")
    town.worker.bindings["ORIGIN_URL"], town.worker.services = address, {}
    await town.worker.serve()
    keys = signing.keys_in(town.worker.bindings["EDGE_KEYS"])
    for host, wanted in (
        ("controller.internal", 200),
        ("tunnel.example.org", 200),
        ("strange.example.org", 421),
    ):
        target = "/api/v1/bots"
        headers = signing.signed_headers(
            keys, Direction.TO_CONTROLLER, "GET", target, b"", time.time(), "look"
        )
        status, _ = await sent(town, "GET", target, b"", headers | {"Host": host})
        assert status == wanted, host


async def test_a_live_stream_goes_through_as_it_comes(town: Town) -> None:
    """For longer than an answer may take; each event at once, and the pings between them."""
    began, pings = time.monotonic(), 0
    headers = {"Authorization": f"Bearer {token()}", "Accept": "text/event-stream"}
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=None)) as session,
        session.get(f"{town.api}/events", headers=headers) as answer,
    ):
        assert (answer.status, answer.content_type) == (200, "text/event-stream")
        reader = Reader(answer, "/events")
        assert (await reader.next()).name == "snapshot"
        for what in ("stop", "start"):
            assert (await ask(f"{town.api}/bots/shop/{what}", "POST")).status == 202
            changed = time.monotonic()
            await reader.next("bot")
            assert time.monotonic() - changed < 1
        while time.monotonic() - began < STREAM_SECONDS:
            pings += (await reader.next(seconds=20)).name == "ping"
        assert pings >= 2
    await town.place.card_says("shop", "running", 30)


async def test_the_key_is_replaced_while_both_run(town: Town) -> None:
    """Step by step as the page says: nothing is refused on the way, in either direction; then
    whatever is signed with the old one is."""
    file = town.place.controller.folder / "edge.keys"
    old, new = town.worker.bindings["EDGE_KEYS"], new_key()
    for lines in (f"{old}\n{new}", f"{new}\n{old}", new):
        file.write_text(lines)  # the controller has it at once
        await both_ways(town)
        town.worker.bindings["EDGE_KEYS"] = lines  # and the Worker by a deployment
        await town.worker.serve()
        await both_ways(town)
    town.place.controller.entered.append(new)
    for key, taken in ((old, False), (new, True)):
        keys = signing.keys_in(key)
        for direction, base, method, target, body in (
            (Direction.TO_CONTROLLER, town.wire.url, "GET", "/api/v1/bots", b""),
            (Direction.TO_WORKER, town.worker.url, "POST", "/internal/wishes", b"{}"),
        ):
            headers = signing.signed_headers(
                keys, direction, method, target, body, time.time(), "look"
            )
            async with aiohttp.ClientSession() as session:
                async with session.request(
                    method, base + target, data=body, headers=headers
                ) as answer:
                    assert (answer.status == 200) is taken, (key == old, direction)
    town.worker.bindings["EDGE_KEYS"] = old
    await town.worker.serve()
    async with aiohttp.ClientSession() as session:
        async with session.get(f"{town.worker.url}/health") as answer:
            assert (await answer.json())["orchestrator"] == "refused"
    town.worker.bindings["EDGE_KEYS"] = new
    await town.worker.serve()


async def both_ways(town: Town) -> None:
    """A call reaches the controller, and what it writes down reaches the Worker."""
    await town.event()
    assert (await ask(f"{town.api}/bots")).status == 200
    await town.drained()
    failing = "SELECT failures, stopped FROM webhook WHERE id = 'edge'"
    assert town.place.controller.rows(failing) == [(0, 0)]

"""What somebody sends who wants past the checks: paths in disguise, far too much of anything."""

from __future__ import annotations

import asyncio
import json

import pytest
from aiohttp.test_utils import make_mocked_request

from controller.api.problems import problem_of
from controller.api.reading import wait_of
from controller.api.request_rates import Rate, Rates
from controller.domain.journal import Kind
from controller.domain.phase import Phase
from tests.api.client import Api, serving, token_of
from tests.manager.rig import Rig


async def send(api: Api, *parts: bytes, pause: float = 0.0) -> bytes:
    """Send these bytes as they are; what comes back, until it ends or for a second."""
    port = int(api.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = b""
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        async with asyncio.timeout(1.0):
            while chunk := await reader.read(65536):
                found += chunk
    except (TimeoutError, ConnectionError):
        pass
    finally:
        writer.close()
    return found


def request(api: Api, line: bytes, *headers: bytes, body: bytes = b"") -> bytes:
    """A request with Ann's token: whatever reaches a use-case is carried out."""
    fixed = [b"Host: 127.0.0.1", b"Authorization: Bearer " + api.token.encode()]
    length = [b"Content-Length: %d" % len(body)] if body else []
    return b"\r\n".join([line, *fixed, *length, *headers, b"Connection: close", b"", body])


TRICKS = [
    b"POST /%61pi/v1/bots/NAME/stop HTTP/1.1",
    b"POST /api/v1/bots/NAME/%73top HTTP/1.1",
    b"POST /api/v1/bots%2fNAME/stop HTTP/1.1",
    b"POST /api/v1/bots/NAME%2Fstop HTTP/1.1",
    b"POST //api/v1/bots/NAME/stop HTTP/1.1",
    b"POST /api//v1/bots/NAME/stop HTTP/1.1",
    b"POST /api/v1//bots/NAME/stop HTTP/1.1",
    b"POST /api/v1/bots/NAME/stop/ HTTP/1.1",
    b"POST /api/v1/fleet/../bots/NAME/stop HTTP/1.1",
    b"POST /api/v1/./bots/NAME/stop HTTP/1.1",
    b"POST /health/../api/v1/bots/NAME/stop HTTP/1.1",
    b"POST /api/v1/bots/NAME/stop%00 HTTP/1.1",
    b"POST /api/v1/bots/NAME/stop;x=1 HTTP/1.1",
    b"POST /api/v1/bots\\NAME\\stop HTTP/1.1",
    b"POST /API/V1/bots/NAME/stop HTTP/1.1",
    b"POST http://127.0.0.1/api/v1/bots/NAME/stop HTTP/1.1",
    b"GET /api/v1/bots/NAME/stop HTTP/1.1",
    b"STOP /api/v1/bots/NAME/stop HTTP/1.1",
    b"PUT /api/v1/bots/NAME/stop HTTP/1.1",
    b"POST /api/v1/bots/NAME/stop?x=1 HTTP/1.1",
    b"POST /api/v1/bots/NAME/stop HTTP/9.9",
    b"POST /api/v1/bots/NAME/stop",
]


async def nothing_was_asked(rig: Rig) -> bool:
    """Whether no request to stop anything was written down."""
    return not [e for e in await rig.entries(Kind.ASKED) if e.data["act"] == "bot.stop"]


async def test_a_path_in_disguise_reaches_no_use_case(rig: Rig, api: Api) -> None:
    """A path counts as it is sent; nothing is decoded, joined or folded."""
    bot = await rig.running()
    reached = []
    for trick in TRICKS:
        line = trick.replace(b"NAME", bot.name.encode())
        answer = await send(api, request(api, line) + b"\r\n")
        status = answer.split(b" ", 2)[1:2]
        if status and status[0][:1] not in {b"4", b"5"}:
            reached.append((trick, answer[:60]))
    assert reached == []
    assert await nothing_was_asked(rig)
    assert rig.active(bot)
    # And the honest form does.
    honest = request(api, b"POST /api/v1/bots/%b/stop HTTP/1.1" % bot.name.encode())
    assert b" 202 " in await send(api, honest)
    await rig.becomes(bot, Phase.STOPPED)


async def test_far_too_much_of_anything_reaches_no_use_case(
    rig: Rig, api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    """A huge body, 10,000 bytes of a header, very many headers, a line without an end; and nobody
    fills the log with it."""
    bot = await rig.running()
    line = b"POST /api/v1/bots/%b/stop HTTP/1.1" % bot.name.encode()
    huge = b'{"x": "' + b"x" * 2_000_000 + b'"}'
    sent = {
        "body": request(api, line, b"Content-Type: application/json", body=huge),
        "header": request(api, line, b"X-Long: " + b"x" * 10_000),
        "headers": request(api, line, *(b"X-%d: 1" % number for number in range(1000))),
        "line": b"POST /" + b"a" * 20_000,
    }
    for what, data in sent.items():
        status = (await send(api, data)).split(b" ", 2)[1:2]
        assert status in ([], [b"400"], [b"413"], [b"431"]), (what, status)
    assert await nothing_was_asked(rig)
    assert "xxxx" not in caplog.text
    assert "Traceback" not in caplog.text
    assert (await api.get(f"/bots/{bot.name}")).json["phase"] == "running"


async def test_slow_headers_reach_no_use_case_and_hold_nobody_up(rig: Rig, api: Api) -> None:
    """While fifty connections send a byte now and then, others are answered."""
    bot = await rig.running()
    whole = request(api, b"POST /api/v1/bots/%b/stop HTTP/1.1" % bot.name.encode())
    begun = [whole[:40], *(bytes([byte]) for byte in whole[40:45])]
    slow = [asyncio.create_task(send(api, *begun, pause=0.05)) for _ in range(50)]
    for _ in range(10):
        assert (await api.get("/bots")).status == 200
    assert set(await asyncio.gather(*slow)) == {b""}
    assert await nothing_was_asked(rig)


@pytest.mark.parametrize(
    ("body", "content_type", "status"),
    [
        (b"name=x&template=plain", "application/x-www-form-urlencoded", 415),
        (b'{"name": "x", "template": "plain"}', "text/plain", 415),
        (b'{"name": "x", "template": ', "application/json", 422),
        (b"\xff\xfe", "application/json", 422),
        (b"[]", "application/json", 422),
        (b"[" * 100_000, "application/json", 422),
        (b"", "application/json", 422),
    ],
)
async def test_only_json_of_the_right_form_is_read(
    rig: Rig, api: Api, body: bytes, content_type: str, status: int
) -> None:
    """A form that a page could send is refused; so is what can't be parsed."""
    sent = {"Content-Type": content_type}
    refused = await api.ask("POST", "/bots", data=body, headers=sent)
    assert refused.status == status, refused.raw
    assert refused.code in {"not-json", "bad-input"}
    assert list(rig.fleet) == []


async def test_too_many_requests_are_told_when_to_come_back(rig: Rig) -> None:
    """429 with Retry-After for one key; another key and another kind of request are not held up."""
    few = Rates(Rate(1.0, 3), Rate(0.1, 1), Rate(1.0, 100))
    async with serving(rig, rates=few) as api:
        answers = [await api.get("/bots") for _ in range(5)]
        limited = [one for one in answers if one.status == 429]
        assert limited
        assert limited[0].code == "too-many-requests"
        assert limited[0].json["retryable"] is True
        assert 1 <= int(limited[0].headers["Retry-After"]) <= 2
        other = await token_of(rig, "other")
        assert (await api.get("/bots", token=other)).status == 200
        order = {"name": "one", "template": "plain"}
        assert (await api.post("/bots", order)).status == 201
        again = await api.post("/bots", order | {"name": "two"})
        assert (again.status, len(list(rig.fleet))) == (429, 1)
        assert int(again.headers["Retry-After"]) >= 5


def test_an_unexpected_error_shows_a_number_and_none_of_its_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """They may hold anything; the log has them, under that number."""
    answer = problem_of(OSError("can't open /srv/private"), "4f2a")
    assert isinstance(answer.body, bytes)
    told = json.loads(answer.body)
    assert (answer.status, told["code"]) == (500, "internal")
    assert told["detail"] == "Something went wrong inside BotMaker."
    assert "4f2a" in told["hint"]
    assert b"private" not in answer.body
    assert "request 4f2a" in caplog.text
    assert "/srv/private" in caplog.text


@pytest.mark.parametrize(
    ("sent", "seconds"), [("", 0), ("wait=5", 5), ("respond-async, wait=9999", 30), ("wait=x", 0)]
)
def test_an_answer_is_held_back_for_half_a_minute_at_most(sent: str, seconds: float) -> None:
    """Whatever somebody prefers."""
    request = make_mocked_request("GET", "/", headers={"Prefer": sent} if sent else {})
    assert wait_of(request) == seconds

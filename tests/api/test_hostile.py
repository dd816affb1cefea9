"""What somebody sends who wants past the checks: paths in disguise, far too much of anything."""

from __future__ import annotations

import asyncio
import contextlib
import json

import pytest
from aiohttp.test_utils import make_mocked_request

from controller.api.problems import problem_of
from controller.api.reading import wait_of
from controller.api.request_rates import Pace, Rate, Rates
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
    b"POST /api/v1/bots/NAME/stop%0A HTTP/1.1",
    b"POST /api/v1/bots/%0ANAME/stop HTTP/1.1",
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


@pytest.mark.parametrize("path", ["/%0A", "/bots/%0A/logs", "/bots/a%0D%0Ab", "/%85/%E2%80%A8"])
async def test_every_path_below_ours_is_answered_by_us(api: Api, path: str) -> None:
    """Also one with line breaks in it, which stand decoded where a path is looked up."""
    answer = await send(api, request(api, f"GET /api/v1{path} HTTP/1.1".encode()))
    assert b" 404 " in answer
    assert b"no-such-path" in answer


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


HASTE = Pace(head=0.5, body=0.5)  # seconds


async def dribbled(api: Api, begun: bytes, rest: bytes) -> tuple[bytes, float]:
    """Send the beginning at once, then a byte in 50 ms; what came back until it was cut off, and
    after how many seconds that was. The last byte is never sent."""
    port = int(api.url.rpartition(":")[2])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    start = asyncio.get_running_loop().time()

    async def send_on() -> None:
        writer.write(begun)
        for byte in rest[:-1]:
            await asyncio.sleep(0.05)
            writer.write(bytes([byte]))
            await writer.drain()

    sending = asyncio.create_task(send_on())
    found = b""
    with contextlib.suppress(ConnectionError):
        async with asyncio.timeout(20.0):
            while chunk := await reader.read(65536):
                found += chunk
    seconds = asyncio.get_running_loop().time() - start
    sending.cancel()
    await asyncio.gather(sending, return_exceptions=True)
    writer.close()
    return found, seconds


async def test_nobody_is_waited_for_for_ever(rig: Rig) -> None:
    """Who connects and says nothing, who dribbles a head, also as a second request, or a body: each
    is cut off in time, however busily they send, and reaches no use-case."""
    bot = await rig.running()
    async with serving(rig, pace=HASTE) as api:
        path = f"/api/v1/bots/{bot.name}/stop".encode()
        whole = request(api, b"POST %b HTTP/1.1" % path)
        good = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
        long = b"X: " + b"x" * 400
        kinds = {
            "silent": (b"", b" "),
            "head": (whole[:40], whole[40:-2] + long),
            "second head": (good + whole[:40], whole[40:-2] + long),
            "body": (
                request(api, b"POST %b HTTP/1.1" % path, b"Content-Length: 400"),
                b"{" + b" " * 398 + b"}",
            ),
        }
        done = await asyncio.gather(*(dribbled(api, *kind) for kind in kinds.values()))
        for kind, (found, seconds) in zip(kinds, done, strict=True):
            assert 0.4 < seconds < 5.0, (kind, seconds)
            answers = found.count(b"HTTP/1.1 ")
            assert answers == {"silent": 0, "head": 0}.get(kind, 1), (kind, found)
        assert b" 200 " in done[2][0]
        assert b" 408 " in done[3][0]
        assert b"too-slow" in done[3][0]
        assert (await api.get("/bots")).status == 200
    assert await nothing_was_asked(rig)
    assert rig.active(bot)


@pytest.mark.parametrize("spread", [1, 2, 20, 100])
async def test_ten_thousand_bytes_of_headers_are_refused(rig: Rig, api: Api, spread: int) -> None:
    """In one header or in many."""
    bot = await rig.running()
    more = [b"X-%d: " % number + b"x" * (10_000 // spread) for number in range(spread)]
    sent = request(api, b"POST /api/v1/bots/%b/stop HTTP/1.1" % bot.name.encode(), *more)
    answer = await send(api, sent)
    assert answer.split(b" ", 2)[1] == (b"400" if spread == 1 else b"431")
    assert (b"head-too-large" in answer) is (spread > 1)
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


async def test_a_body_that_is_cut_off_is_no_fault_of_ours(
    rig: Rig, api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    """The connection ends in its middle: nothing is asked, and no traceback is logged."""
    bot = await rig.running()
    line = f"POST /api/v1/bots/{bot.name}/stop HTTP/1.1".encode()
    port = int(api.url.rpartition(":")[2])
    _, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request(api, line, b"Content-Length: 400") + b"{")
    await writer.drain()
    await asyncio.sleep(0.1)
    writer.transport.abort()
    await asyncio.sleep(0.2)
    assert (await api.get("/bots")).status == 200
    assert not [record for record in caplog.records if record.exc_info]
    assert await nothing_was_asked(rig)

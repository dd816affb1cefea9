"""Posting one event: bounded in time and size, checked, never led elsewhere, no URL told."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import ssl
import threading
import time
from pathlib import Path

import pytest
from aiohttp import web

from controller.services import Parcel, Postman, Receipt, Silence
from controller.services.webhook_post import ANSWER_MAX, wait_of
from tests.manager.rig import eventually
from tests.webhooks.receiver import Receiver, Reply, certificate


def parcel(url: str) -> Parcel:
    return Parcel(url, b"{}", {"Content-Type": "application/json"})


async def test_the_answer_is_the_status_and_its_beginning() -> None:
    """However long it is, no more than 2,000 bytes are read; the path comes as it was given."""
    async with Receiver() as receiver:
        receiver.script = [Reply(202, text="thanks"), Reply(500, text="x" * 5_000_000)]
        assert await Postman().post(parcel(receiver.url + "?a=%2F")) == Receipt(202, "thanks")
        long = await Postman().post(parcel(receiver.url))
        assert isinstance(long, Receipt)
        assert (long.status, len(long.text)) == (500, ANSWER_MAX)
        first = receiver.seen[0]
        assert first.content == b"{}"
        assert first.headers["User-Agent"].startswith("BotMaker/")
        assert "Cookie" not in first.headers


async def test_an_answer_without_an_end_is_left_after_its_beginning() -> None:
    """Nobody fills our memory, or keeps us reading."""

    async def endless(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        with contextlib.suppress(OSError):
            while True:
                writer.write(b"x" * 4096)
                await writer.drain()
                await asyncio.sleep(0.001)
        writer.close()
        left.set()

    left = asyncio.Event()
    server = await asyncio.start_server(endless, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    assert await Postman().post(parcel(url)) == Receipt(200, "x" * ANSWER_MAX)
    await left.wait()
    server.close()


async def test_a_redirect_is_an_answer_and_not_followed() -> None:
    """Nobody is led to an address that no admin gave."""
    async with Receiver() as elsewhere, Receiver() as receiver:
        for status in (301, 302, 303, 307, 308):
            receiver.script = [Reply(status, {"Location": elsewhere.url})]
            answer = await Postman().post(parcel(receiver.url))
            assert isinstance(answer, Receipt)
            assert answer.status == status
        assert elsewhere.seen == []


async def test_a_slow_receiver_costs_its_time_and_no_more() -> None:
    """Before its answer, or in the middle of it; the limit is 10 s unless a test says otherwise."""
    async with Receiver() as receiver:
        receiver.script = [Reply(delay=30)]
        began = time.monotonic()
        answer = await Postman(seconds=0.2).post(parcel(receiver.url))
        assert answer == Silence("it didn't answer within 0.2 seconds")
        assert time.monotonic() - began < 2.0

    async def dripping(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")
        for _ in range(8):
            writer.write(b"x")
            await asyncio.sleep(0.05)
        writer.close()
        ended.set()

    ended = asyncio.Event()
    server = await asyncio.start_server(dripping, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    answer = await Postman(seconds=0.2).post(parcel(url))
    assert answer == Silence("it didn't answer within 0.2 seconds")
    await ended.wait()
    server.close()


@pytest.mark.parametrize(
    ("host", "days", "trusted"),
    [
        ("127.0.0.1", 1, True),
        ("127.0.0.1", 1, False),  # signed only by itself
        ("127.0.0.1", -1, True),  # over
        ("hooks.example.org", 1, True),  # of somebody else
    ],
)
async def test_a_certificate_counts_or_nothing_is_sent(
    tmp_path: Path, host: str, days: int, trusted: bool
) -> None:
    """Trusted, in time and for that host; otherwise the receiver sees no request at all."""
    file = tmp_path / "receiver.pem"
    trust = ssl.create_default_context()
    async with Receiver(certificate(file, host, days=days)) as receiver:
        if trusted:
            trust.load_verify_locations(file)
        answer = await Postman(trust).post(parcel(receiver.url))
        if (host, days, trusted) == ("127.0.0.1", 1, True):
            assert answer == Receipt(200, "")
        else:
            assert answer == Silence("its certificate isn't trusted")
            assert receiver.seen == []


async def test_what_cant_be_reached_is_said_without_its_url(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Nobody listens, no such name, no TLS, no HTTP, a connection that ends."""

    async def rude(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"220 mail.example.org ESMTP\r\n")
        writer.close()

    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        said = [await Postman().post(parcel(f"http://127.0.0.1:{port}/secret-part"))]
    server = await asyncio.start_server(rude, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    said += [
        await Postman().post(parcel(f"http://127.0.0.1:{port}/secret-part")),
        await Postman().post(parcel(f"https://127.0.0.1:{port}/secret-part")),
        await Postman().post(parcel("http://nowhere.invalid/secret-part")),
    ]
    server.close()
    assert said == [
        Silence("it can't be reached"),
        Silence("the connection to it broke"),
        Silence("a secure connection to it failed"),
        Silence("its name can't be found"),
    ]
    assert "secret-part" not in caplog.text + repr(said) + repr(parcel("http://a/secret-part"))


@pytest.mark.parametrize(
    ("spelt", "reason"),
    [
        ("0xa9.0xfe.0xa9.0xfe", "its name leads to an address that no receiver has"),
        ("0xa9fea9fe", "its name leads to an address that no receiver has"),
        ("2852039166", "its address can't be used"),
        ("0", "its address can't be used"),
    ],
)
async def test_a_name_that_leads_to_a_clouds_keys_is_not_asked(spelt: str, reason: str) -> None:
    """What a resolver reads as 169.254.169.254, or as no address, is found out there."""
    assert await Postman().post(parcel(f"http://{spelt}/latest/meta-data")) == Silence(reason)


def looking_up() -> list[threading.Thread]:
    """The lookups that are under way."""
    return [one for one in threading.enumerate() if one.name == "webhook name"]


async def test_a_name_server_that_hangs_holds_up_no_other(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """While many names are looked up, another receiver is reached at once, and so is the loop."""
    async with Receiver() as receiver:
        postman = Postman(seconds=0.5)
        hanging = [
            asyncio.create_task(postman.post(parcel(f"http://name-{n}.invalid/")))
            for n in range(40)
        ]
        await asyncio.sleep(0)
        began = time.monotonic()
        local = receiver.url.replace("127.0.0.1", "localhost")
        assert await postman.post(parcel(local)) == Receipt(200, "")
        assert time.monotonic() - began < 2.0
        assert all(isinstance(one, Silence) for one in await asyncio.gather(*hanging))
    await eventually(lambda: not looking_up(), "no lookup is left for other tests", 30.0)
    assert [r for r in caplog.records if r.levelno >= logging.ERROR] == []


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, 0.0),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": " 0.35 "}, 0.35),  # Discord's
        ({"Retry-After": "-5"}, 0.0),
        ({"Retry-After": "nan"}, 0.0),
        ({"Retry-After": "inf"}, 0.0),
        ({"Retry-After": "soon"}, 0.0),
        (
            {
                "Retry-After": "Wed, 21 Oct 2015 07:28:30 GMT",
                "Date": "Wed, 21 Oct 2015 07:28:00 GMT",
            },
            30.0,
        ),
        ({"Retry-After": "Wed, 21 Oct 2099 07:28:30 GMT"}, 0.0),  # by a clock that isn't ours
        ({"Retry-After": "Wed, 21 Oct 2015 07:28:30 -0000", "Date": "nonsense"}, 0.0),
    ],
)
def test_how_long_a_receiver_asks_us_to_wait(headers: dict[str, str], seconds: float) -> None:
    """In seconds, or by its own clock; nonsense asks for nothing."""
    assert wait_of(headers) == seconds


def test_a_real_answers_headers_are_read_in_any_case() -> None:
    """As HTTP has it."""
    assert wait_of(web.Response(headers={"retry-after": "3"}).headers) == 3.0

"""A checked value is in no log line, exception, repr or verdict, whatever fails.

Here everything logs at DEBUG, asyncio's debug mode is on, and uncaught exceptions count too.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from controller.domain.live import CHECKS, Verdict
from controller.services import LiveChecks
from controller.services.questions import questions
from tests.services.standin import Reply, Standin

CANARY = "CANARY7f3a"
VALUE = f"123456789:{CANARY}-fake-token"
EVERY = {f"the_{kind}": (kind, VALUE) for kind in sorted(CHECKS)}


class Listener(logging.Handler):
    """Keeps every line that anything logs, with tracebacks, and everything the loop reports."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.heard: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record as the most talkative formatter would write it."""
        self.heard.append(f"{self.format(record)} {record.__dict__!r}")
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            self.heard += traceback.TracebackException.from_exception(
                error, capture_locals=True
            ).format()

    def report(self, _: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        """Keep an exception that nobody caught."""
        error = context.get("exception")
        self.heard.append(f"{context!r} {error!r}")


@pytest.fixture
def listener() -> Iterator[Listener]:
    """A listener on the root logger, with every logger at DEBUG."""
    made, root = Listener(), logging.getLogger()
    before, levels = root.level, {}
    root.addHandler(made)
    root.setLevel(logging.DEBUG)
    for name in ("aiohttp", "aiohttp.client", "asyncio", "controller"):
        levels[name] = logging.getLogger(name).level
        logging.getLogger(name).setLevel(logging.DEBUG)
    yield made
    root.removeHandler(made)
    root.setLevel(before)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


async def quietly(listener: Listener, url: str, timeout: float = 4.0) -> dict[str, Verdict]:
    """Check every kind; fail if the canary appears in anything that was said."""
    loop = asyncio.get_running_loop()
    loop.set_debug(True)
    loop.set_exception_handler(listener.report)
    live = LiveChecks(url, timeout)
    verdicts = dict(await live.check(EVERY))
    await live.close()
    for _ in range(3):
        gc.collect()
        await asyncio.sleep(0)
    said = "\n".join([*listener.heard, repr(verdicts), repr(vars(live))])
    assert CANARY not in said
    return verdicts


async def test_the_listener_hears_what_it_should(listener: Listener) -> None:
    """Otherwise the tests below prove nothing."""
    try:
        raise ValueError(VALUE)
    except ValueError:
        logging.getLogger("aiohttp.client").debug("it broke", exc_info=True)
    assert CANARY in "".join(listener.heard)


@pytest.mark.parametrize(
    "reply",
    [
        None,
        Reply(401, VALUE),
        Reply(400, {"error": VALUE}),
        Reply(500, VALUE),
        Reply(302, "", {"Location": f"http://127.0.0.1:1/{VALUE}"}),
        Reply(200, b"x" * 1_000_000),
        Reply(200, "", {"Content-Encoding": "gzip"}),
        Reply(200, "", {"Set-Cookie": f"a={VALUE}"}),
        Reply(200, "", {"X-Long": "x" * 20_000}),
        Reply(delay=5),
    ],
    ids=lambda reply: "good" if reply is None else f"{reply.status}",
)
async def test_no_answer_makes_it_speak(listener: Listener, reply: Reply | None) -> None:
    """Not even a service that repeats the value."""
    async with Standin() as standin:
        for kind in (*CHECKS, "discord-application") if reply else ():
            standin.answers[kind] = reply
        slow = reply is not None and reply.delay
        verdicts = await quietly(listener, standin.url, 0.3 if slow else 4.0)
    assert len(verdicts) == len(CHECKS)
    assert CANARY in standin.secrets["telegram"], "it was asked"


async def test_a_service_that_is_not_there_makes_it_not_speak(listener: Listener) -> None:
    """A refused connection, an unknown host name and a malformed URL reveal nothing."""
    for url in ("http://127.0.0.1:1", "http://nowhere.invalid", "http://[::1", "gopher://x"):
        verdicts = await quietly(listener, url, 2.0)
        assert {one.state for one in verdicts.values()} == {"unknown"}


@pytest.mark.parametrize("words", [b"", b"220 mail\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Le"])
async def test_a_connection_that_breaks_makes_it_not_speak(
    listener: Listener, words: bytes
) -> None:
    """It breaks before, instead of, or in the middle of an answer."""

    async def broken(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(words)
        writer.close()

    async with await asyncio.start_server(broken, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        verdicts = await quietly(listener, f"http://127.0.0.1:{port}")
    assert {one.state for one in verdicts.values()} == {"unknown"}


async def test_a_certificate_that_is_not_trusted_makes_it_not_speak(
    listener: Listener, self_signed: str
) -> None:
    """Neither do asyncio's and aiohttp's messages about it."""
    verdicts = await quietly(listener, self_signed)
    assert {one.state for one in verdicts.values()} == {"unknown"}


async def test_a_check_that_breaks_in_itself_makes_it_not_speak(listener: Listener) -> None:
    """Half a surrogate pair, which JSON allows: Python's own error contains the whole value."""
    value = f"{CANARY}\ud800"
    live = LiveChecks("http://127.0.0.1:1")
    verdicts = await live.check({kind: (kind, value) for kind in CHECKS})
    await live.close()
    assert {one.state for one in verdicts.values()} == {"unknown"}
    assert "BotMaker's own check failed" in verdicts["telegram"].message
    assert "UnicodeEncodeError" in "".join(listener.heard), "the log says what broke"
    assert CANARY not in "".join(listener.heard) + repr(verdicts)


async def test_a_check_that_is_given_up_makes_it_not_speak(listener: Listener) -> None:
    """A check is cancelled midway, as when the program ends; none of its requests goes on."""
    async with Standin() as standin:
        for kind in (*CHECKS, "discord-application"):
            standin.answers[kind] = Reply(delay=5)
        live = LiveChecks(standin.url)
        checking = asyncio.create_task(live.check(EVERY))
        while len(standin.seen) < len(CHECKS) + 1:
            await asyncio.sleep(0.01)
        before = {task for task in asyncio.all_tasks() if _is_ours(task)}
        checking.cancel()
        await asyncio.wait({checking})
        await live.close()
        assert before
        assert not {task for task in asyncio.all_tasks() if _is_ours(task)}
    assert checking.cancelled()
    assert CANARY not in "".join(listener.heard)


@pytest.mark.parametrize("kind", sorted(CHECKS))
def test_a_question_shows_nothing_of_itself(kind: str) -> None:
    """Its URL or its headers hold the value, so neither is in its repr."""
    for one in questions(kind, VALUE, ""):
        assert CANARY in one.url + repr(one.headers)
        assert CANARY not in f"{one}{one!r}"


@pytest.mark.parametrize("kind", sorted(CHECKS))
def test_the_services_themselves_are_asked_over_tls(kind: str) -> None:
    """Without a stand-in every URL is https."""
    assert all(one.url.startswith("https://") for one in questions(kind, VALUE, ""))


def _is_ours(task: asyncio.Task[Any]) -> bool:
    return "Door.ask" in repr(task.get_coro())

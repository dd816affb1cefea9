"""What is run inside, on an engine that hangs, breaks off and refuses: on a private socket."""

from __future__ import annotations

import asyncio
import struct
import time
from collections.abc import Callable
from typing import Any

import pytest

from controller.domain.errors import (
    ControllerError,
    EngineUnavailable,
    NotReady,
    OutcomeUnknown,
    RuntimeTrouble,
)
from controller.domain.names import new_bot_id
from controller.runtime.engine import EngineRuntime
from tests.runtime.fakeengine import Exchange, FakeEngine
from tests.runtime.rig import eventually
from tests.runtime.test_engine_faults import has

EXEC = "e" * 64
RAW = b"HTTP/1.1 200 OK\r\nContent-Type: application/vnd.docker.raw-stream\r\n\r\n"


@pytest.fixture
def bot_id(fake_engine: FakeEngine) -> str:
    """A bot whose container runs on the fake engine, which takes what is to be run in it."""
    made = new_bot_id()
    has(fake_engine, made, Status="running")
    fake_engine.rules[f"/containers/{'c' * 64}/exec"] = lambda e: e.answer(201, {"Id": EXEC})
    return made


def printing(data: bytes, then: Callable[[Exchange], None] = Exchange.reset) -> Any:
    """A rule: answer as the engine does where it hands the connection over, then do that."""

    def rule(exchange: Exchange) -> None:
        exchange.wfile.write(RAW + data)
        exchange.wfile.flush()
        then(exchange)

    return rule


def framed(text: bytes) -> bytes:
    return struct.pack(">BxxxL", 1, len(text)) + text


def ends(fake: FakeEngine, **state: Any) -> None:
    """Let the engine tell that of the program."""
    fake.rules[f"/exec/{EXEC}/json"] = lambda e: e.answer(200, state)


async def test_an_engine_that_breaks_off_is_asked_how_it_ended(
    fake_engine: FakeEngine, runtime: EngineRuntime, bot_id: str
) -> None:
    """What had come is told, with the exit code that the engine knows."""
    fake_engine.rules["/start"] = printing(framed(b"half") + b"\1\0\0\0\0")
    ends(fake_engine, Running=False, ExitCode=5)
    result = await runtime.execute(bot_id, ("x",), 5)
    assert (result.exit_code, result.output) == (5, "half")


async def test_a_program_that_ended_behind_a_silent_connection_is_told(
    fake_engine: FakeEngine, runtime: EngineRuntime, bot_id: str
) -> None:
    """Its child may hold the pipe: at the timeout the engine's word counts, not the silence."""
    fake_engine.rules["/start"] = printing(framed(b"done\n"), fake_engine.hang)
    ends(fake_engine, Running=False, ExitCode=0)
    result = await runtime.execute(bot_id, ("x",), 0.4)
    assert (result.exit_code, result.output) == (0, "done")


async def test_a_program_that_outlives_its_output_is_waited_for(
    fake_engine: FakeEngine, runtime: EngineRuntime, bot_id: str
) -> None:
    """The engine ends the stream a moment before it knows how the program ended."""
    states = [{"Running": True, "ExitCode": None}] * 3 + [{"Running": False, "ExitCode": 9}]
    fake_engine.rules["/start"] = printing(framed(b"first\n"))
    fake_engine.rules[f"/exec/{EXEC}/json"] = lambda e: e.answer(200, states.pop(0))
    result = await runtime.execute(bot_id, ("x",), 5)
    assert (result.exit_code, result.output, states) == (9, "first", [])


@pytest.mark.parametrize("pieces", [[], [framed(b"a"), b"\1\0\0"]])
async def test_an_engine_that_hangs_is_left_in_time(
    fake_engine: FakeEngine, runtime: EngineRuntime, bot_id: str, pieces: list[bytes]
) -> None:
    """With or without a beginning; the outcome is unknown."""
    fake_engine.rules["/start"] = printing(b"".join(pieces), fake_engine.hang)
    ends(fake_engine, Running=True, ExitCode=None)
    began = time.monotonic()
    with pytest.raises(OutcomeUnknown) as caught:
        await runtime.execute(bot_id, ("x",), 0.4)
    assert caught.value.code == "action-timeout"
    assert time.monotonic() - began < 3


async def test_a_cancelled_wait_hangs_up(
    fake_engine: FakeEngine, runtime: EngineRuntime, bot_id: str
) -> None:
    """The socket is closed at once, so that the thread comes back long before the timeout."""
    hung_up: list[float] = []

    def watch(exchange: Exchange) -> None:
        exchange.connection.recv(1)  # answers when the other side is gone
        hung_up.append(time.monotonic())

    fake_engine.rules["/start"] = printing(b"", watch)
    ends(fake_engine, Running=True, ExitCode=None)
    waiting = asyncio.ensure_future(runtime.execute(bot_id, ("x",), 300))
    await eventually(lambda: any(line.endswith("/start") for line in fake_engine.requests))
    await asyncio.sleep(0.1)
    assert not hung_up
    began = time.monotonic()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    await eventually(lambda: hung_up)
    assert hung_up[0] - began < 2


async def test_programs_that_hang_leave_looks_and_stops_alone(
    fake_engine: FakeEngine, runtime: EngineRuntime, bot_id: str
) -> None:
    """However many wait inside, a bot can be seen and stopped; who comes too late is told so."""
    fake_engine.rules["/exec/" + EXEC + "/start"] = printing(b"", fake_engine.hang)
    fake_engine.rules["/stop"] = lambda exchange: exchange.answer(204, None)
    ends(fake_engine, Running=True, ExitCode=None)
    waiting = [asyncio.ensure_future(runtime.execute(bot_id, ("x",), 300)) for _ in range(20)]
    await asyncio.sleep(0.3)
    began = time.monotonic()
    assert await runtime.observe(bot_id) is not None
    await runtime.stop(bot_id, 1)
    assert time.monotonic() - began < 2
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)


@pytest.mark.parametrize(
    ("status", "expected"), [(409, NotReady), (500, RuntimeTrouble), (404, ControllerError)]
)
@pytest.mark.parametrize("where", [f"/containers/{'c' * 64}/exec", "/start"])
async def test_a_refusal_is_told_in_the_domains_words(
    fake_engine: FakeEngine,
    runtime: EngineRuntime,
    bot_id: str,
    where: str,
    status: int,
    expected: type[ControllerError],
) -> None:
    """A container that just stopped is "not ready", as one that was seen to have stopped."""
    fake_engine.rules[where] = lambda e: e.answer(status, {"message": "refused: /var/lib/x"})
    with pytest.raises(expected) as caught:
        await runtime.execute(bot_id, ("x",), 5)
    assert "/var/lib" not in str(caught.value)


async def test_a_newer_engine_that_refuses_the_program_is_told_as_an_older_one(
    fake_engine: FakeEngine, runtime: EngineRuntime, bot_id: str
) -> None:
    """One begins it and lets it end with 126, the other answers 400: both are its end."""
    reason = 'OCI runtime exec failed: exec: "x": executable file not found in $PATH'
    fake_engine.rules["/start"] = lambda e: e.answer(400, {"message": reason})
    result = await runtime.execute(bot_id, ("x",), 5)
    assert result.exit_code == 127
    assert "executable file not found" in result.output


async def test_a_container_that_is_removed_meanwhile_leaves_the_outcome_unknown(
    fake_engine: FakeEngine, runtime: EngineRuntime, bot_id: str
) -> None:
    """The engine forgets the program with it."""
    fake_engine.rules["/start"] = printing(b"")
    with pytest.raises(OutcomeUnknown):
        await runtime.execute(bot_id, ("x",), 5)


@pytest.mark.parametrize("lost", ["/archive", "/containers/create"])
async def test_a_look_into_an_image_that_loses_an_answer_is_unavailable_and_cleaned_up(
    fake_engine: FakeEngine, runtime: EngineRuntime, lost: str
) -> None:
    """Nothing was changed, so nothing is unknown. The container is removed by its name: it may
    exist although nobody heard so."""
    fake_engine.rules["/images/bot:1/json"] = lambda e: e.answer(200, {"Id": "sha256:1"})
    fake_engine.rules["/containers/create"] = lambda e: e.answer(201, {"Id": "d" * 64})
    fake_engine.rules[lost] = Exchange.reset
    with pytest.raises(EngineUnavailable):
        await runtime.image_has("bot:1", ("/x",))
    removed = [line for line in fake_engine.requests if line.startswith("DELETE")]
    assert len(removed) == 1
    assert "/containers/botmaker-probe-" in removed[0]

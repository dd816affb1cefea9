"""A log that is followed while its engine stammers, goes away or is faster than its reader."""

from __future__ import annotations

import asyncio
import struct
import threading
from contextlib import aclosing

import pytest

from controller.domain.errors import EngineUnavailable
from controller.domain.events import LogLine
from controller.domain.names import new_bot_id
from controller.runtime.engine import EngineRuntime
from controller.runtime.log_mailbox import LINE_COST, TEXT_MAX, LogMailbox
from tests.runtime.fakeengine import INSTANCE, Exchange, FakeEngine
from tests.runtime.rig import eventually

CONTAINER = "c" * 64


class FakeLog:
    """A container's log on a fake engine, to which a test writes byte by byte."""

    def __init__(self, engine: FakeEngine) -> None:
        self.bot_id = new_bot_id()
        self.open: list[Exchange] = []
        self.over = threading.Event()
        name = f"botmaker-{self.bot_id}"
        labels = {
            "botmaker.managed": "true",
            "botmaker.instance": INSTANCE,
            "botmaker.bot-id": self.bot_id,
        }
        found = {"Id": CONTAINER, "Name": f"/{name}", "Config": {"Labels": labels}}
        engine.rules[f"/containers/{name}/json"] = lambda exchange: exchange.answer(200, found)
        engine.rules[f"/containers/{CONTAINER}/logs"] = self._serve

    def _serve(self, exchange: Exchange) -> None:
        exchange.begin_stream()
        self.open.append(exchange)
        self.over.wait(60)
        exchange.wfile.write(b"0\r\n\r\n")

    def send(self, data: bytes, size: int = 0) -> None:
        """Send these bytes, in chunks of that size."""
        size = size or len(data)
        for at in range(0, len(data), size):
            piece = data[at : at + size]
            self.open[-1].wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.open[-1].wfile.flush()


def entry(text: str, second: int, pipe: int = 1) -> bytes:
    """A log entry as the engine frames it."""
    payload = f"2026-11-28T02:00:{second:02}.000000001Z {text}".encode()
    return struct.pack(">BxxxL", pipe, len(payload)) + payload


@pytest.mark.parametrize("size", [1, 3, 1000])
async def test_lines_are_joined_however_their_bytes_arrive(
    fake_engine: FakeEngine, runtime: EngineRuntime, size: int
) -> None:
    """Whole lines only, each pipe by itself; the first of each may be the rest of one."""
    log = FakeLog(fake_engine)
    async with aclosing(runtime.follow(log.bot_id, 0)) as stream:
        waiting = asyncio.ensure_future(anext(stream))
        await eventually(lambda: log.open)
        data = entry("begin", 1) + entry("in between\n", 2, pipe=2) + entry("ning ä\n", 1)
        await asyncio.to_thread(log.send, data + entry("next\n", 3) + entry("open", 4), size)
        found = list((await waiting).lines)
        while len(found) < 3:
            found += (await asyncio.wait_for(anext(stream), 5)).lines
        assert [(line.text, line.stream, line.begins) for line in found] == [
            ("in between", "stderr", False),
            ("beginning ä", "stdout", False),
            ("next", "stdout", True),
        ]
        log.over.set()
        (last,) = (await asyncio.wait_for(anext(stream), 5)).lines
        assert (last.text, last.ends) == ("open", False)
        with pytest.raises(StopAsyncIteration):
            await asyncio.wait_for(anext(stream), 5)


async def test_what_is_asked_for_is_bounded_and_nothing_older_comes(
    fake_engine: FakeEngine, runtime: EngineRuntime
) -> None:
    """The engine is asked for a tail, whatever the log's size."""
    log = FakeLog(fake_engine)
    # 2026-11-28T02:00:02Z
    async with aclosing(runtime.follow(log.bot_id, 1795831202.0)) as stream:
        waiting = asyncio.ensure_future(anext(stream))
        await eventually(lambda: log.open)
        assert "tail=5008" in fake_engine.urls[-1]
        assert "since=1795831201.999" in fake_engine.urls[-1]
        log.send(entry("older\n", 1) + entry("newer\n", 3))
        assert [line.text for line in (await waiting).lines] == ["newer"]
        log.over.set()


async def test_closing_gives_thread_and_connection_back(
    fake_engine: FakeEngine, runtime: EngineRuntime
) -> None:
    """At once, though the engine says nothing: each who follows would hold one of each."""
    log = FakeLog(fake_engine)
    stream = runtime.follow(log.bot_id, 0)
    waiting = asyncio.ensure_future(anext(stream))
    await eventually(lambda: log.open)
    assert "engine-log" in [thread.name for thread in threading.enumerate()]
    await stream.aclose()
    with pytest.raises(StopAsyncIteration):
        await waiting
    await eventually(lambda: "engine-log" not in [thread.name for thread in threading.enumerate()])
    log.over.set()


async def test_an_engine_that_goes_away_is_said_after_what_it_sent(
    fake_engine: FakeEngine, runtime: EngineRuntime
) -> None:
    """The lines first, then EngineUnavailable, for whoever asks from then on."""
    log = FakeLog(fake_engine)
    stream = runtime.follow(log.bot_id, 0)
    waiting = asyncio.ensure_future(anext(stream))
    await eventually(lambda: log.open)
    log.send(entry("last words\n", 1))
    assert [line.text for line in (await waiting).lines] == ["last words"]
    fake_engine.down()
    for _ in range(2):
        with pytest.raises(EngineUnavailable):
            await asyncio.wait_for(anext(stream), 5)
    log.over.set()


async def test_what_nobody_takes_is_dropped_and_counted() -> None:
    """The oldest lines beyond the bound; the rest comes in batches, in its order."""
    mailbox = LogMailbox()
    fits = TEXT_MAX // (100 + LINE_COST)
    lines = [LogLine(float(n), "stdout", f"{n:0100}") for n in range(fits + 500)]
    mailbox.put(lines)
    mailbox.finish()
    found: list[LogLine] = []
    dropped = []
    while (batch := await mailbox.take()) is not None:
        assert len(batch.lines) <= 500
        found += batch.lines
        dropped.append(batch.dropped)
    assert dropped[0] == 500
    assert not any(dropped[1:])
    assert found == lines[500:]


async def test_one_line_that_is_larger_than_a_batch_comes_alone() -> None:
    """Nothing waits for ever."""
    mailbox = LogMailbox()
    long = [LogLine(1.0, "stdout", "x" * 200_000), LogLine(2.0, "stdout", "y" * 200_000)]
    mailbox.put(long)
    for line in long:
        batch = await mailbox.take()
        assert batch is not None
        assert batch.lines == (line,)


def line_of(number: int, second: int = 1) -> bytes:
    """A line of a flood."""
    return entry(f"line {number} of a flood that never ends, with some text\n", second)


async def test_a_flood_beyond_the_budget_is_counted_and_its_end_is_shown(
    fake_engine: FakeEngine, runtime: EngineRuntime
) -> None:
    """What the log begins with comes whole. Of the rest each line is either there or counted, in
    its place, and what was written last is there."""
    log = FakeLog(fake_engine)
    written = 60_000
    async with aclosing(runtime.follow(log.bot_id, 0)) as stream:
        waiting = asyncio.ensure_future(anext(stream))
        await eventually(lambda: log.open)
        flood = b"".join(map(line_of, range(written)))
        sending = asyncio.ensure_future(asyncio.to_thread(log.send, flood, 100_000))
        batches = [await waiting]
        while sum(batch.dropped + len(batch.lines) for batch in batches) < written:
            batches.append(await asyncio.wait_for(anext(stream), 10))
        await sending
        log.over.set()
    assert sum(batch.dropped for batch in batches) > written / 2
    numbers = [int(line.text.split()[1]) for batch in batches for line in batch.lines]
    assert numbers[:5000] == list(range(5000))
    assert numbers[-1] == written - 1
    expected = 0
    for batch in batches:
        expected += batch.dropped
        for line in batch.lines:
            assert int(line.text.split()[1]) == expected
            expected += 1


async def test_a_quiet_log_loses_nothing_beside_a_flood(
    fake_engine: FakeEngine, runtime: EngineRuntime
) -> None:
    """Each log has a little of its own."""
    loud, quiet = FakeLog(fake_engine), None
    async with aclosing(runtime.follow(loud.bot_id, 0)) as flooded:
        first = asyncio.ensure_future(anext(flooded))
        await eventually(lambda: loud.open)
        flood = b"".join(map(line_of, range(40_000)))
        sending = asyncio.ensure_future(asyncio.to_thread(loud.send, flood, 100_000))
        await first
        quiet = FakeLog(fake_engine)
        async with aclosing(runtime.follow(quiet.bot_id, 0)) as stream:
            waiting = asyncio.ensure_future(anext(stream))
            await eventually(lambda: quiet.open)
            for number in range(20):
                await asyncio.to_thread(quiet.send, line_of(number))
                await asyncio.sleep(0.01)
            found = list((await waiting).lines)
            while len(found) < 20:
                batch = await asyncio.wait_for(anext(stream), 2)
                assert batch.dropped == 0
                found += batch.lines
            quiet.over.set()
        await sending
        loud.over.set()
    assert [int(line.text.split()[1]) for line in found] == list(range(20))


async def test_what_is_missing_is_said_where_it_is_missing() -> None:
    """Behind the lines that wait already: redaction must know where the text doesn't go on."""
    mailbox = LogMailbox()
    mailbox.put([LogLine(1.0, "stdout", "before")])
    mailbox.skip(3)
    mailbox.skip(4)
    mailbox.put([LogLine(2.0, "stdout", "after")])
    mailbox.skip(1)
    mailbox.finish()
    found = []
    while (batch := await mailbox.take()) is not None:
        found.append((batch.dropped, [line.text for line in batch.lines]))
    assert found == [(0, ["before"]), (7, ["after"]), (1, [])]

"""The stream of events when its engine goes, comes, stammers or falls silent: a private socket."""

from __future__ import annotations

import asyncio
from contextlib import aclosing, suppress
from email.utils import formatdate
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from controller.domain.events import ContainerEvent
from controller.domain.names import new_bot_id
from controller.runtime.calls import Calls
from controller.runtime.engine import EngineRuntime
from controller.runtime.event_feed import QUEUE_MAX, RESYNC, EventFeed
from controller.runtime.options import EngineOptions
from tests.runtime.fakeengine import INSTANCE, Exchange, FakeEngine
from tests.runtime.rig import eventually


async def test_an_engine_that_comes_back_is_told_by_a_resync(
    fake_engine: FakeEngine, runtime: EngineRuntime
) -> None:
    """Away, the stream waits; back, it begins with a resync, and goes on for ever."""
    bot_id = new_bot_id()
    async with aclosing(runtime.events()) as events:
        assert await anext(events) == RESYNC
        await eventually(lambda: fake_engine.streams)
        fake_engine.emit(bot_id, "start", INSTANCE, 1_000_000_000)
        assert (await anext(events)).action == "start"
        for number in range(2):
            fake_engine.down()
            fake_engine.streams.clear()
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(anext(events), 0.3)
            fake_engine.up()
            assert await asyncio.wait_for(anext(events), 10) == RESYNC
            await eventually(lambda: fake_engine.streams)
            fake_engine.emit(bot_id, "die", INSTANCE, 2_000_000_000 + number, exitCode="7")
            event = await asyncio.wait_for(anext(events), 5)
            assert event == ContainerEvent(
                action="die", bot_id=bot_id, at=(2_000_000_000 + number) / 1e9, exit_code=7
            )


async def test_a_stream_may_begin_while_the_engine_is_away(
    fake_engine: FakeEngine, runtime: EngineRuntime
) -> None:
    """The first event is the resync of its coming."""
    fake_engine.down()
    async with aclosing(runtime.events()) as events:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(events), 0.3)
        fake_engine.up()
        assert await asyncio.wait_for(anext(events), 10) == RESYNC


async def test_an_engine_that_breaks_every_stream_is_asked_less_and_less(
    fake_engine: FakeEngine, runtime: EngineRuntime
) -> None:
    """At once, then after 0.1, 0.2 and 0.4 seconds: an engine in trouble isn't kept busy."""
    fake_engine.rules["/_ping"] = Exchange.reset
    async with aclosing(runtime.events()) as events:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(events), 1.2)
        asked = [line for line in fake_engine.requests if "/_ping" in line]
        assert 1 < len(asked) <= 5
        del fake_engine.rules["/_ping"]
        assert await asyncio.wait_for(anext(events), 10) == RESYNC


async def test_what_a_new_subscription_repeats_is_told_once(
    fake_engine: FakeEngine, runtime: EngineRuntime
) -> None:
    """The engine replays the last second on every reconnection."""
    bot_id = new_bot_id()
    async with aclosing(runtime.events()) as events:
        await anext(events)
        await eventually(lambda: fake_engine.streams)
        for at in (5, 5, 6):
            fake_engine.emit(bot_id, "start", INSTANCE, at)
        found = [await asyncio.wait_for(anext(events), 5) for _ in range(2)]
        assert [event.at for event in found] == [5e-9, 6e-9]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(events), 0.2)


def asked_since(fake: FakeEngine) -> list[float]:
    """From when on each subscription asked for events, in seconds."""
    asked = [urlsplit(line).query for line in fake.urls if "/events" in line]
    return [float(parse_qs(query)["since"][0]) for query in asked]


def says(fake: FakeEngine, at: float) -> None:
    """Let the engine's clock show that time."""

    def pong(exchange: Exchange) -> None:
        exchange.send_response_only(200)
        exchange.send_header("Date", formatdate(at, usegmt=True))
        exchange.send_header("Content-Length", "0")
        exchange.end_headers()

    fake.rules["/_ping"] = pong


@pytest.mark.parametrize(
    ("last", "since"),
    [(60, 59), (None, -1), (3500, 3499), (7200, 3599)],
    ids=["long ago", "no event yet", "just now", "a clock that was set back"],
)
async def test_a_new_subscription_asks_for_what_happened_in_the_gap(
    fake_engine: FakeEngine, runtime: EngineRuntime, last: float | None, since: float
) -> None:
    """Since the last event that came, however long ago, by the engine's own clock."""
    began = 1_700_000_000.0
    says(fake_engine, began)
    async with aclosing(runtime.events()) as events:
        await anext(events)
        await eventually(lambda: fake_engine.streams)
        if last is not None:
            fake_engine.emit(new_bot_id(), "start", INSTANCE, int((began + last) * 1e9))
            assert (await asyncio.wait_for(anext(events), 5)).action == "start"
        says(fake_engine, began + 3600)
        fake_engine.down()
        fake_engine.up()
        assert await asyncio.wait_for(anext(events), 10) == RESYNC
    assert asked_since(fake_engine)[-1] == began + since


def keepalive_timers(port: int) -> list[bool]:
    """For each of this machine's connections to that port: whether a keepalive timer runs."""
    found = []
    for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        words = line.split()
        if words[2].endswith(f":{port:04X}") and words[3] == "01":
            found.append(words[5].startswith("02:"))
    return found


async def test_a_stream_over_tcp_is_kept_alive(fake_engine: FakeEngine) -> None:
    """A connection that a firewall dropped without a word is noticed by the kernel."""

    async def relay(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        up_reader, up_writer = await asyncio.open_unix_connection(str(fake_engine.path))
        pairs = ((reader, up_writer), (up_reader, writer))
        try:
            await asyncio.gather(*(pump(*pair) for pair in pairs))
        except OSError:
            pass
        finally:
            for one in (writer, up_writer):
                one.close()
                with suppress(OSError):
                    await one.wait_closed()
            relayed.append(port)

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while piece := await source.read(4096):
            sink.write(piece)
            await sink.drain()
        sink.close()

    relayed: list[int] = []
    async with await asyncio.start_server(relay, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        made = EngineRuntime(INSTANCE, EngineOptions(base_url=f"tcp://127.0.0.1:{port}"))
        async with aclosing(made.events()) as events:
            assert await anext(events) == RESYNC
            assert any(keepalive_timers(port))
        fake_engine.released.set()
        await made.close()
        fake_engine.down()
        await eventually(lambda: relayed)
        await asyncio.sleep(0.1)


async def test_rubbish_in_the_stream_does_not_end_it(
    fake_engine: FakeEngine, runtime: EngineRuntime
) -> None:
    """It is opened anew, which a resync tells."""
    async with aclosing(runtime.events()) as events:
        await anext(events)
        await eventually(lambda: fake_engine.streams)
        stream = fake_engine.streams.pop()
        stream.wfile.write(b"3\r\n{x\n\r\n")
        stream.wfile.flush()
        assert await asyncio.wait_for(anext(events), 10) == RESYNC


async def test_a_flood_becomes_one_resync(fake_engine: FakeEngine, calls: Calls) -> None:
    """Whoever does not keep up is told to look at everything, and memory stays bounded."""
    feed = EventFeed(calls, INSTANCE)
    async with aclosing(feed):
        assert await anext(feed) == RESYNC
        await eventually(lambda: fake_engine.streams)
        bot_id = new_bot_id()
        for number in range(QUEUE_MAX + 10):
            fake_engine.emit(bot_id, "start", INSTANCE, number + 1)
        await asyncio.sleep(0.5)
        assert await anext(feed) == RESYNC


async def test_a_half_dead_connection_is_found_out(fake_engine: FakeEngine, calls: Calls) -> None:
    """Silence is normal, but an engine that does not answer a ping either is gone."""
    feed = EventFeed(calls, INSTANCE, ping_after=0.2)
    async with aclosing(feed):
        assert await anext(feed) == RESYNC
        with pytest.raises(TimeoutError):  # silent and alive: nothing happens
            await asyncio.wait_for(anext(feed), 0.7)
        assert len(fake_engine.streams) == 1
        fake_engine.rules["/_ping"] = lambda exchange: exchange.answer(500, {"message": "ill"})
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(feed), 0.7)
        del fake_engine.rules["/_ping"]
        assert await asyncio.wait_for(anext(feed), 10) == RESYNC
        assert len(fake_engine.streams) == 2

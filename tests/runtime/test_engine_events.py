"""The stream of events when its engine goes, comes, stammers or falls silent: a private socket."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from controller.domain.events import ContainerEvent
from controller.domain.names import new_bot_id
from controller.runtime.calls import Calls
from controller.runtime.engine import EngineRuntime
from controller.runtime.event_feed import QUEUE_MAX, RESYNC, EventFeed
from tests.runtime.fakeengine import INSTANCE, FakeEngine
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

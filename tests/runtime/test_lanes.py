"""The threads of calls: who waits for whom, and what a caller is told who got none."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import docker
import pytest

from controller.domain.errors import EngineBusy, EngineUnavailable, RegistryUnavailable
from controller.domain.events import LogQuery
from controller.domain.names import new_bot_id
from controller.runtime import images
from controller.runtime.calls import LANES, Calls, Width
from controller.runtime.engine import EngineRuntime
from controller.runtime.event_feed import EventFeed
from controller.runtime.options import EngineOptions
from tests.runtime.fakeengine import INSTANCE, Exchange, FakeEngine
from tests.runtime.rig import eventually
from tests.runtime.test_engine_faults import has

Call = Callable[[], Awaitable[Any]]
ID = f"sha256:{'a' * 64}"


@pytest.fixture
async def narrow(fake_engine: FakeEngine) -> AsyncIterator[Calls]:
    """Calls whose lanes have one thread each and no patience."""
    made = Calls(EngineOptions(base_url=fake_engine.url), {lane: Width(1, 0.3) for lane in LANES})
    yield made
    fake_engine.released.set()
    made.close()


@pytest.mark.parametrize("write", [True, False])
async def test_waiting_too_long_for_a_thread_is_an_error_of_its_own(
    fake_engine: FakeEngine, narrow: Calls, write: bool
) -> None:
    """It says nothing about the engine, may be tried again, and is dropped for good."""
    fake_engine.rules["/start"] = fake_engine.hang
    lane: Any = "write" if write else "read"
    hanging = asyncio.ensure_future(
        narrow(lambda client: client.start("c" * 64), write=True, limit=30, lane=lane)
    )
    await eventually(lambda: any("/start" in line for line in fake_engine.requests))
    with pytest.raises(EngineBusy) as caught:
        await narrow(lambda client: client.stop("d" * 64, timeout=1), write=write, limit=30)
    assert caught.value.code == "engine-busy"
    assert caught.value.retryable
    assert not isinstance(caught.value, EngineUnavailable)
    fake_engine.released.set()
    await asyncio.gather(hanging, return_exceptions=True)
    await asyncio.sleep(0.1)
    assert not [line for line in fake_engine.requests if "/stop" in line]


async def test_a_calls_limit_begins_with_its_thread(fake_engine: FakeEngine, calls: Calls) -> None:
    """However long it waited before: that time isn't the engine's."""

    def slow(exchange: Exchange) -> None:
        time.sleep(0.1)
        exchange.answer(200, [])

    fake_engine.rules["/containers/json"] = slow
    asked = [calls(lambda client: client.containers(), write=False, limit=0.5) for _ in range(60)]
    began = time.monotonic()
    assert await asyncio.gather(*asked) == [[]] * 60
    assert time.monotonic() - began > 0.5


async def test_hundreds_of_stops_at_once_leave_the_loop_its_turn(
    fake_engine: FakeEngine, calls: Calls
) -> None:
    """Their threads begin one after another; all at once they kept the loop waiting for seconds.

    How late it is, is measured by `make bench`; here the loop has turns while they begin.
    """
    count, begun, between = 500, list[int](), [0]
    seen = 0

    def stop(client: docker.APIClient) -> str:
        begun.append(1)
        time.sleep(1)
        return str(client.base_url)

    async def tick() -> None:
        nonlocal seen
        while True:
            await asyncio.sleep(0.005)
            between.append(len(begun) - seen)
            seen = len(begun)

    ticking = asyncio.create_task(tick())
    began = time.monotonic()
    answers = await asyncio.gather(
        *(calls(stop, write=True, limit=60, lane="stop") for _ in range(count))
    )
    ticking.cancel()
    assert len(answers) == count
    assert max(between) < count / 2
    assert time.monotonic() - began < count * 1 / 8, "they wait side by side"


def hold_up(fake: FakeEngine, runtime: EngineRuntime, bot_id: str) -> dict[str, tuple[int, Call]]:
    """By what is slow: how many of it there are, and one of them."""
    for end in (f"/{'c' * 64}/logs", "/stop", "/images/create", "/exec", "/unpause"):
        fake.rules[end] = fake.hang
    return {
        "logs": (20, lambda: runtime.logs(bot_id, LogQuery())),
        "stops": (300, lambda: runtime.stop(bot_id, 1)),
        "pulls": (20, lambda: runtime.pin_image("example.org/absent:1", "missing")),
        "actions": (100, lambda: runtime.execute(bot_id, ("x",), 600, asked=True)),
    }


def bystanders(fake: FakeEngine, runtime: EngineRuntime) -> dict[str, Call]:
    """What must not wait for any of those."""
    other = new_bot_id()
    has(fake, other, Status="exited")
    for end in ("/start", "/restart"):
        fake.rules[end] = lambda exchange: exchange.answer(204, None)
    fake.rules["/images/here:1/json"] = lambda exchange: exchange.answer(200, {"Id": ID})
    return {
        "list": runtime.list_containers,
        "look": lambda: runtime.observe(other),
        "start": lambda: runtime.start(other),
        "restart": lambda: runtime.restart(other, 1),
        "an image that is here": lambda: runtime.pin_image("here:1", "missing"),
    }


async def seconds_of(call: Call) -> float:
    """How long the call takes."""
    began = time.monotonic()
    await call()
    return time.monotonic() - began


@pytest.mark.parametrize("slow", ["logs", "stops", "pulls", "actions"])
async def test_slow_calls_of_one_kind_delay_no_other(
    fake_engine: FakeEngine, runtime: EngineRuntime, slow: str
) -> None:
    """Each kind has threads of its own: nothing else comes 100 ms late."""
    bot_id = new_bot_id()
    has(fake_engine, bot_id, Status="running")
    count, call = hold_up(fake_engine, runtime, bot_id)[slow]
    others = bystanders(fake_engine, runtime)
    for other in others.values():
        await other()  # its thread exists and has a client from now on
    waiting = [asyncio.ensure_future(call()) for _ in range(count)]
    await asyncio.sleep(2)
    # The best of three: a busy machine may delay one, a lane that is held delays them all.
    late = {
        name: min([await seconds_of(other) for _ in range(3)]) for name, other in others.items()
    }
    assert {name: seconds for name, seconds in late.items() if seconds > 0.1} == {}
    for task in waiting:
        task.cancel()
    fake_engine.released.set()
    await asyncio.gather(*waiting, return_exceptions=True)


async def test_actions_leave_threads_to_reloads(
    fake_engine: FakeEngine, runtime: EngineRuntime
) -> None:
    """A hundred programs of ten minutes don't hold the controller's own."""
    bot_id, other = new_bot_id(), new_bot_id()
    has(fake_engine, bot_id, Status="running")
    fake_engine.rules["/exec"] = fake_engine.hang
    waiting = [
        asyncio.ensure_future(runtime.execute(bot_id, ("x",), 600, asked=True)) for _ in range(100)
    ]
    await asyncio.sleep(0.5)
    has(fake_engine, other, Status="exited")
    with pytest.raises(Exception, match="isn't running"):
        await asyncio.wait_for(runtime.execute(other, ("x",), 5), 1)
    for task in waiting:
        task.cancel()
    fake_engine.released.set()
    await asyncio.gather(*waiting, return_exceptions=True)


@pytest.mark.parametrize("begun", [True, False], ids=["half-way", "from the start"])
@pytest.mark.parametrize("here", [True, False], ids=["here", "absent"])
async def test_a_silent_registry_is_not_a_silent_engine(
    fake_engine: FakeEngine, calls: Calls, begun: bool, here: bool
) -> None:
    """It's an error of its own, or none where the image is on this machine."""

    def silent(exchange: Exchange) -> None:
        if begun:
            exchange.begin_stream()
            exchange.chunk({"status": "Pulling"})
        fake_engine.hang(exchange)

    fake_engine.rules["/images/create"] = silent
    if here:
        fake_engine.rules["/images/org/bot:1/json"] = lambda ex: ex.answer(200, {"Id": ID})
    pull = calls(
        lambda client: images.pin(client, "org/bot:1", "always", calls.closing, silence=0.3),
        write=False,
        limit=20,
        lane="pull",
    )
    if here:
        assert await pull == ID
        return
    with pytest.raises(RegistryUnavailable) as caught:
        await pull
    assert caught.value.code == "registry-unavailable"
    assert caught.value.retryable


async def test_an_engine_that_dies_during_a_pull_is_away(
    fake_engine: FakeEngine, calls: Calls
) -> None:
    """The registry isn't blamed for that."""
    fake_engine.rules["/images/create"] = lambda exchange: exchange.reset()
    with pytest.raises(EngineUnavailable):
        await calls(
            lambda client: images.pin(client, "org/bot:1", "missing", calls.closing),
            write=False,
            limit=20,
            lane="pull",
        )


async def test_a_full_lane_does_not_cut_the_event_stream(
    fake_engine: FakeEngine, narrow: Calls
) -> None:
    """Its ping found no thread, so nobody knows that the connection is dead."""
    feed = EventFeed(narrow, INSTANCE, ping_after=0.2)
    await anext(feed)
    fake_engine.rules["/info"] = fake_engine.hang
    waiting = asyncio.ensure_future(
        narrow(lambda client: client.info(), write=False, limit=30, lane="watch")
    )
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(feed), 1.5)
    assert len(fake_engine.streams) == 1
    await feed.aclose()
    fake_engine.released.set()
    await asyncio.gather(waiting, return_exceptions=True)

"""The queue on simulated time; wishes and the fleet under many hands."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import selectors
import sqlite3
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller.domain.bot import Bot, Crash, Wish
from controller.domain.errors import NotFound, StorageTrouble
from controller.domain.names import new_bot_id
from controller.domain.observation import ContainerState, Observation, World
from controller.domain.phase import Phase
from controller.fleet.views import EngineState, Fleet
from controller.fleet.wishes import Wishes
from controller.loop.queue import BACKOFF_CAP, Queue
from controller.store import Store
from tests.manager.rig import KEY

BOT = Bot(id=new_bot_id(), name="shop", template="t", provider="p", model="m", channel="c")
FIRST = replace(BOT, candidate=1)  # once it is added: its first release is to be tried
RUNNING = World(container=Observation(container_id="c", state=ContainerState.RUNNING))


class _Skip(selectors.DefaultSelector):
    """Instead of waiting it lets the time pass."""

    now = 0.0

    def select(self, timeout: float | None = None) -> Any:
        ready = super().select(0)
        if not ready and timeout:
            self.now += timeout
        return ready


class SimulatedTime(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to the next timer."""

    def __init__(self) -> None:
        self._skip = _Skip()
        super().__init__(self._skip)

    def time(self) -> float:
        return self._skip.now


def simulated(work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Run a scenario in simulated time."""
    with asyncio.Runner(loop_factory=SimulatedTime) as runner:
        runner.run(work())


@contextlib.asynccontextmanager
async def running(
    reconcile: Callable[[str], Coroutine[Any, Any, float | None]], workers: int = 4
) -> AsyncIterator[Queue]:
    """A queue at work."""
    queue = Queue("test", workers)
    task = asyncio.create_task(queue.run(reconcile))
    try:
        yield queue
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def test_pokes_coalesce() -> None:
    """A hundred pokes of two keys are two looks."""

    async def work() -> None:
        looks: list[str] = []

        async def look(key: str) -> None:
            looks.append(key)

        async with running(look) as queue:
            for _ in range(50):
                queue.poke("a")
                queue.poke("b")
            await asyncio.sleep(1)
        assert sorted(looks) == ["a", "b"]

    simulated(work)


def test_pokes_while_busy_are_exactly_one_more_look() -> None:
    """However many; and a key is never with two workers."""

    async def work() -> None:
        looks, at_once = 0, 0

        async def look(_: str) -> None:
            nonlocal looks, at_once
            looks += 1
            at_once += 1
            assert at_once == 1
            await asyncio.sleep(10)
            at_once -= 1

        async with running(look) as queue:
            queue.poke("a")
            await asyncio.sleep(5)
            for _ in range(20):
                queue.poke("a")
            await asyncio.sleep(100)
        assert looks == 2

    simulated(work)


def test_other_keys_go_on_beside_a_slow_one() -> None:
    """As many at once as there are workers."""

    async def work() -> None:
        done: list[str] = []

        async def look(key: str) -> None:
            await asyncio.sleep(1000 if key == "slow" else 1)
            done.append(key)

        async with running(look, workers=2) as queue:
            for key in ("slow", "a", "b", "c"):
                queue.poke(key)
            await asyncio.sleep(10)
        assert done == ["a", "b", "c"]

    simulated(work)


def test_a_failing_key_backs_off_and_recovers() -> None:
    """Pauses double up to the cap, within a fifth; success forgets them; the worker lives on."""

    async def work() -> None:
        times: list[float] = []
        mended = asyncio.Event()

        async def look(key: str) -> None:
            if key == "a" and not mended.is_set():
                times.append(asyncio.get_running_loop().time())
                raise StorageTrouble("no") if len(times) % 2 else ValueError("no")

        async with running(look, workers=1) as queue:
            queue.poke("a")
            await asyncio.sleep(300)
            pauses = [after - before for before, after in itertools.pairwise(times)]
            wanted = [min(BACKOFF_CAP, 0.25 * 2**n) for n in range(1, len(pauses) + 1)]
            assert len(pauses) > 8
            for pause, about in zip(pauses, wanted, strict=True):
                assert 0.79 * about <= pause <= 1.21 * about
            mended.set()
            await asyncio.sleep(60)
            mended.clear()
            times.clear()
            queue.poke("a")
            await asyncio.sleep(0.65)
            assert len(times) == 2, "the count began anew"

    simulated(work)


def test_look_again_is_a_timer_that_a_poke_overtakes() -> None:
    """The answer's seconds later it is looked at again, once, or at once when poked."""

    async def work() -> None:
        times: list[float] = []

        async def look(_: str) -> float | None:
            times.append(asyncio.get_running_loop().time())
            return 10 if len(times) < 3 else None

        async with running(look) as queue:
            queue.poke("a")
            await asyncio.sleep(11)
            queue.poke("a")
            await asyncio.sleep(100)
        assert times == pytest.approx([0, 10, 11], abs=0.01)

    simulated(work)


def test_a_nudge_does_not_cut_a_pause_short() -> None:
    """A key whose look failed waits for its own time; any other is looked at, once."""

    async def work() -> None:
        looks: list[str] = []

        async def look(key: str) -> None:
            looks.append(key)
            if key == "bad":
                raise StorageTrouble("no")

        async with running(look) as queue:
            queue.poke("bad")
            await asyncio.sleep(0.01)
            for _ in range(20):
                queue.nudge("bad")
                queue.nudge("good")
            await asyncio.sleep(0.01)
            assert looks == ["bad", "good"]
            queue.poke("bad")
            await asyncio.sleep(0.01)
            assert looks == ["bad", "good", "bad"]
            await asyncio.sleep(2)
        assert looks.count("bad") == 3

    simulated(work)


# The fleet


async def test_waiting_ends_with_the_change_or_with_the_time() -> None:
    """It answers at once, at the change, at the bot's end, or when the time is up."""
    fleet = Fleet()
    fleet.add(BOT, World())
    view = await fleet.wait_for(BOT.id, lambda _: True, 10)
    assert view is not None
    assert view.phase is Phase.STARTING
    waiter = asyncio.create_task(
        fleet.wait_for(BOT.id, lambda v: v is not None and v.phase is Phase.RUNNING, 10)
    )
    await asyncio.sleep(0)
    fleet.show_world(BOT.id, RUNNING)
    view = await waiter
    assert view is not None
    assert view.phase is Phase.RUNNING
    assert await fleet.wait_for(BOT.id, lambda v: v is None, 0.01) == view
    waiter = asyncio.create_task(fleet.wait_for(BOT.id, lambda v: v is None, 10))
    await asyncio.sleep(0)
    fleet.forget(BOT.id)
    assert await waiter is None
    with pytest.raises(NotFound):
        fleet.named(BOT.name)


def test_a_crash_loop_ends_by_itself() -> None:
    """When the oldest crash leaves the window the phase may change: that time is known."""
    now = [1000.0]
    fleet = Fleet(clock=lambda: now[0])
    fleet.add(BOT, RUNNING)
    assert fleet.next_decay(BOT.id) is None
    fleet.show_crashes(BOT.id, tuple(Crash(1000.0 - n, 1) for n in range(3)))
    assert fleet.next_decay(BOT.id) == 598.0
    now[0] = 1598.5
    view = fleet.show_world(BOT.id, RUNNING)
    assert view is not None
    assert (view.phase, view.since) == (Phase.RUNNING, 1598.5)
    assert fleet.next_decay(BOT.id) is None


def test_a_phase_has_begun_once_however_often_one_looks() -> None:
    """Other news of the bot moves nothing; another phase begins anew."""
    now = 100.0
    fleet = Fleet(lambda: now)
    fleet.add(BOT, World())
    for now in (110.0, 120.0):
        assert fleet.show_bot(replace(BOT, image=f"sha256:{now}")).since == 100.0
    now = 130.0
    view = fleet.show_bot(replace(BOT, wish=Wish.STOP))
    assert (view.phase, view.since) == (Phase.STOPPED, 130.0)


def test_only_changes_are_told() -> None:
    """The same look twice is no news; an engine that goes is told once, and of no bot."""
    fleet, told = Fleet(), list[str]()
    fleet.add(BOT, World())
    with fleet.listening(told.append):
        for _ in range(3):
            fleet.show_world(BOT.id, RUNNING)
        assert told == [BOT.id]
    heard, since = list[bool](), 0.0
    with (
        fleet.listening(told.append),
        fleet.hearing_engine(lambda: heard.append(fleet.engine.reachable)),
    ):
        for reason in ("gone", "gone", "silent"):
            fleet.note_engine(False, reason)
            since = since or fleet.engine.since
        assert fleet.engine == EngineState(False, since, "silent")
        fleet.note_engine(True)
    fleet.note_engine(False)
    assert heard == [False, True]
    assert told == [BOT.id]


# Wishes


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(tmp_path, KEY)
    yield store
    await store.close()


async def test_no_update_is_lost_between_two(store: Store) -> None:
    """Fifty edits at once are all in the row, in memory and on the disk, and each pokes."""
    fleet, poked = Fleet(), list[str]()
    wishes = Wishes(store, fleet, poked.append)
    await wishes.add(BOT, World())

    def add(bot: Bot) -> Bot:
        return replace(bot, created_by=bot.created_by + 1)

    await asyncio.gather(*(wishes.change(BOT.id, add) for _ in range(50)))
    (kept,) = await store.bots()
    view = fleet.get(BOT.id)
    assert view is not None
    assert kept == view.bot == replace(FIRST, created_by=50)
    assert poked == [BOT.id] * 51


@pytest.mark.parametrize("turns", range(0, 30, 3))
async def test_a_caller_who_gives_up_leaves_store_and_memory_agreeing(
    store: Store, turns: int
) -> None:
    """The edit is in both or in neither; where it is, the key was poked."""
    fleet, poked = Fleet(), list[str]()
    wishes = Wishes(store, fleet, poked.append)
    await wishes.add(BOT, World())
    poked.clear()
    caller = asyncio.create_task(wishes.change(BOT.id, lambda now: replace(now, wish=Wish.STOP)))
    for _ in range(turns):
        await asyncio.sleep(0)
    caller.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await caller
    view = await wishes.change(BOT.id, lambda now: now)
    assert [view.bot] == await store.bots()
    assert len(poked) == (2 if view.bot.wish is Wish.STOP else 1)


async def test_a_change_that_the_disk_refuses_is_shown_nowhere(
    store: Store, tmp_path: Path
) -> None:
    """Neither in memory nor to those who listen, and nothing is poked."""
    fleet, poked, told = Fleet(), list[str](), list[str]()
    wishes = Wishes(store, fleet, poked.append)
    await wishes.add(BOT, World())
    poked.clear()
    with contextlib.closing(sqlite3.connect(tmp_path / "botmaker.db")) as file:
        file.execute("CREATE TRIGGER full BEFORE UPDATE ON bot BEGIN SELECT RAISE(ABORT, 'x'); END")
    with fleet.listening(told.append), pytest.raises(StorageTrouble):
        await wishes.change(BOT.id, lambda now: replace(now, wish=Wish.STOP))
    assert fleet.require(BOT.id).bot == FIRST
    assert poked == told == []


async def test_an_edit_that_refuses_changes_nothing(store: Store) -> None:
    """Its error comes out; a bot that is gone is NotFound."""
    fleet = Fleet()
    wishes = Wishes(store, fleet, lambda _: None)
    await wishes.add(BOT, World())

    def refuse(_: Bot) -> Bot:
        raise StorageTrouble("no")

    with pytest.raises(StorageTrouble):
        await wishes.change(BOT.id, refuse)
    assert await store.bots() == [FIRST]
    await wishes.forget(BOT.id)
    with pytest.raises(NotFound):
        await wishes.change(BOT.id, lambda now: now)

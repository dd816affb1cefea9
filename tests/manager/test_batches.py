"""One act on many bots: exactly those that were listed, a few at a time, also across restarts."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

import pytest

from controller.domain.access import Grant
from controller.domain.batches import Batch, BatchState, Chosen, ItemState, Verb
from controller.domain.bot import Bot
from controller.domain.errors import Denied, NotFound, NotReady
from controller.domain.journal import Kind
from controller.domain.phase import Phase
from controller.domain.roles import Role
from controller.manager.batches import AT_ONCE
from tests.manager.rig import ANN_ASKS, BEN_ASKS, Gate, Rig, eventually


@contextlib.asynccontextmanager
async def working(rig: Rig) -> AsyncIterator[None]:
    """Batches are carried out."""
    work = asyncio.create_task(rig.manager.batches.run())
    try:
        yield
    finally:
        work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await work


async def asked(rig: Rig, verb: Verb, bots: Sequence[Bot]) -> Batch:
    return await rig.manager.batches.ask(ANN_ASKS, verb, bots)


async def ended(rig: Rig, number: int) -> Batch:
    """The batch once it has ended."""
    async with asyncio.timeout(10):
        while True:
            found = await rig.manager.batches.get(ANN_ASKS, number)
            if found.state is BatchState.ENDED:
                return found
            await asyncio.sleep(0.01)


async def test_a_confirmation_acts_on_exactly_the_bots_that_it_listed(rig: Rig) -> None:
    """A bot that came after the list is left alone, whatever the description would fit now."""
    bots = [await rig.running() for _ in range(3)]
    found = await rig.manager.batches.chosen(ANN_ASKS, Verb.STOP, Chosen(Phase.RUNNING))
    batch = await asked(rig, Verb.STOP, [view.bot for view in found])
    late = await rig.running()
    async with working(rig):
        assert all(rig.active(bot) for bot in bots), "nothing happens before it is confirmed"
        await rig.manager.batches.begin(ANN_ASKS, batch.id)
        done = await ended(rig, batch.id)
    assert {item.bot_id for item in done.items} == {bot.id for bot in bots}
    assert {item.state for item in done.items} == {ItemState.DONE}
    assert not any(rig.active(bot) for bot in bots)
    assert rig.active(late)
    (told,) = await rig.entries(Kind.BATCH)
    assert (told.data["done"], told.data["failed"]) == (3, [])
    assert told.author.principal.id == "1"
    stops = [e for e in await rig.entries(Kind.ASKED) if e.data["act"] == "bot.stop"]
    assert {entry.author.principal.id for entry in stops} == {"1"}


async def test_one_bots_trouble_is_told_and_holds_up_no_other(rig: Rig) -> None:
    """A bot without its secrets, and one that is gone by then."""
    bare, gone, good = await rig.create(), await rig.running(), await rig.running()
    await rig.manager.lifecycle.stop(ANN_ASKS, good)
    batch = await asked(rig, Verb.START, [bare, gone, good])
    await rig.manager.lifecycle.delete(ANN_ASKS, gone)
    await rig.gone(gone)
    async with working(rig):
        await rig.manager.batches.begin(ANN_ASKS, batch.id)
        done = await ended(rig, batch.id)
    assert [item.state for item in done.items] == [
        ItemState.FAILED,
        ItemState.LEFT_OUT,
        ItemState.DONE,
    ]
    assert "has no secrets yet" in done.items[0].words
    assert rig.active(good)


async def test_only_a_few_are_under_way_at_once_and_a_cancel_leaves_out_the_rest(
    asleep: Rig,
) -> None:
    """Those that were begun with come to their end."""
    rig, hold, at_once = asleep, asyncio.Event(), 0

    async def before(name: str) -> None:
        nonlocal at_once
        if name == "stop":
            at_once += 1
            await hold.wait()

    await rig.kill()
    rig.door = Gate(rig.runtime, before)
    await rig.open()
    rig.run()
    await eventually(lambda: rig.fleet.engine.reachable)
    bots = [await rig.running() for _ in range(AT_ONCE + 3)]
    batch = await asked(rig, Verb.STOP, bots)
    async with working(rig):
        await rig.manager.batches.begin(ANN_ASKS, batch.id)
        await eventually(lambda: at_once == AT_ONCE, "as many as may")
        await asyncio.sleep(0.05)
        assert at_once == AT_ONCE
        await rig.manager.batches.cancel(ANN_ASKS, batch.id)
        hold.set()
        done = await ended(rig, batch.id)
    assert done.count(ItemState.DONE) == AT_ONCE
    assert done.count(ItemState.LEFT_OUT) == 3
    assert sum(rig.active(bot) for bot in bots) == 3


async def test_it_goes_on_after_the_controller_was_killed_and_acts_once(asleep: Rig) -> None:
    """Each bot restarts exactly once, whichever controller did it."""
    rig = asleep
    rig.run()
    await eventually(lambda: rig.fleet.engine.reachable)
    bots = [await rig.running() for _ in range(6)]
    before = {bot.id: rig.run_of(bot) for bot in bots}
    batch = await asked(rig, Verb.RESTART, bots)
    async with working(rig):
        await rig.manager.batches.begin(ANN_ASKS, batch.id)
        await eventually(lambda: rig.runtime.calls["restart"] >= 2, "two have begun")
    await rig.restart()
    async with working(rig):
        done = await ended(rig, batch.id)
    assert {item.state for item in done.items} == {ItemState.DONE}
    assert all(rig.run_of(bot) != before[bot.id] for bot in bots)
    assert rig.runtime.calls["restart"] == len(bots)


async def test_a_bot_that_ended_before_the_kill_is_left_as_it_ended(asleep: Rig) -> None:
    """Whatever became of it since: its word stands."""
    rig = asleep
    rig.run()
    await eventually(lambda: rig.fleet.engine.reachable)
    failed, *bots = [await rig.create(), *[await rig.running() for _ in range(2)]]
    batch = await asked(rig, Verb.RESTART, [failed, *bots])
    rig.runtime.start_delay = 1.0
    async with working(rig):
        await rig.manager.batches.begin(ANN_ASKS, batch.id)
        async with asyncio.timeout(5):
            while not (kept := await rig.store.batch(batch.id)) or not kept.items[0].state.ended:
                await asyncio.sleep(0.01)
    await rig.submit(failed)
    rig.runtime.start_delay = 0.0
    await rig.restart()
    await rig.becomes(failed, Phase.RUNNING)
    async with working(rig):
        done = await ended(rig, batch.id)
    assert done.items[0].state is ItemState.FAILED
    assert "has no secrets yet" in done.items[0].words


async def test_whoever_acts_on_one_bot_cancels_nothing_for_others(rig: Rig) -> None:
    """An operator of all of them could."""
    mine, other = await rig.running(), await rig.running()
    await rig.manager.access.grant(ANN_ASKS, Grant("user", 2, Role.OPERATOR, mine.id), mine)
    batch = await asked(rig, Verb.STOP, [mine, other])
    with pytest.raises(Denied):
        await rig.manager.batches.cancel(BEN_ASKS, batch.id)
    assert not (await rig.manager.batches.get(ANN_ASKS, batch.id)).cancelled


async def test_it_is_confirmed_once_by_whoever_asked_and_not_after_five_minutes(rig: Rig) -> None:
    """Another operator has to ask for a list of their own."""
    bot = await rig.running()
    await rig.manager.access.grant(ANN_ASKS, Grant("user", 2, Role.ADMIN))
    batch = await asked(rig, Verb.STOP, [bot])
    with pytest.raises(Denied):
        await rig.manager.batches.begin(BEN_ASKS, batch.id)
    await rig.manager.batches.begin(ANN_ASKS, batch.id)
    with pytest.raises(NotReady) as caught:
        await rig.manager.batches.begin(ANN_ASKS, batch.id)
    assert caught.value.code == "expired"
    late = await asked(rig, Verb.STOP, [bot])
    shell = rig.store._db._connection
    await shell.execute("UPDATE batch SET until = 1 WHERE id = ?", [late.id])
    await shell.commit()
    with pytest.raises(NotReady):
        await rig.manager.batches.begin(ANN_ASKS, late.id)


async def test_whoever_may_only_do_it_to_some_bots_is_offered_these_and_refused_others(
    rig: Rig,
) -> None:
    """An operator of one bot."""
    mine, other = await rig.running(), await rig.running()
    await rig.manager.access.grant(ANN_ASKS, Grant("user", 2, Role.OPERATOR, mine.id), mine)
    batches = rig.manager.batches
    found = await batches.chosen(BEN_ASKS, Verb.RESTART, Chosen())
    assert [view.bot.id for view in found] == [mine.id]
    with pytest.raises(Denied):
        await batches.ask(BEN_ASKS, Verb.RESTART, [mine, other])
    with pytest.raises(Denied):
        await batches.chosen(BEN_ASKS, Verb.UPDATE, Chosen())
    ann = await asked(rig, Verb.RESTART, [mine, other])
    shown = await batches.get(BEN_ASKS, ann.id)
    assert [item.bot_id for item in shown.items] == [mine.id]
    with pytest.raises(NotFound) as caught:
        await batches.ask(ANN_ASKS, Verb.RESTART, [])
    assert caught.value.code == "no-bots"


async def test_an_update_of_many_says_which_were_up_to_date(rig: Rig) -> None:
    """Each by the same rules as one alone."""
    bots = [await rig.running() for _ in range(2)]
    async with working(rig):
        first = await asked(rig, Verb.UPDATE, bots)
        await rig.manager.batches.begin(ANN_ASKS, first.id)
        assert [item.words for item in (await ended(rig, first.id)).items] == ["up to date"] * 2
        rig.runtime.rebuild("example/plain:1")
        again = await asked(rig, Verb.UPDATE, bots)
        await rig.manager.batches.begin(ANN_ASKS, again.id)
        done = await ended(rig, again.id)
    assert {item.state for item in done.items} == {ItemState.DONE}
    assert {rig.view(bot).bot.image for bot in bots} == {rig.runtime.image("example/plain:1")}

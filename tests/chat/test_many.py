"""Acts on many bots in Discord: a list, a question, one message that shows each result."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from controller.chat.batches.batch_words import progress
from controller.chat.batches.progress import Progress
from controller.chat.requests.place import Place
from controller.domain.access import Principal
from controller.domain.batches import Batch, BatchState, Item, ItemState, Verb
from controller.domain.phase import Phase
from demo.world import World
from tests.chat.acting import (
    engine_of,
    labels,
    public,
    ready_bot,
    said,
    until_phase,
    until_public,
)
from tests.chat.house import House
from tests.manager.rig import ANN_ASKS, Rig, eventually


async def until_ended(world: World) -> str:
    """The message that shows how it went, once it is over."""
    return (await until_public(world, " ended ")).content


async def test_many_are_listed_and_asked_about_before_anything_happens(world: World) -> None:
    """Then exactly these are stopped, and one public message has each result."""
    for name in ("shop-1", "shop-2", "news"):
        await ready_bot(world, name)
    asked = await world.admin.slash(world.channel, "fleet stop", name="shop-*")
    text = said(asked)
    assert text.startswith("Stop **2 bots**? Exactly these:")
    assert "**shop-1** · running" in text
    assert "news" not in text
    assert engine_of(world).calls["stop"] == 0
    assert asked.response is not None
    assert labels(asked.response) == ["Stop 2 bots"]
    begun = await world.admin.click(asked.response, label="Stop 2 bots")
    assert "Begun with 2 bots" in said(begun)
    shown = await until_ended(world)
    assert "✅ **shop-1** stopped" in shown
    assert "✅ **shop-2** stopped" in shown
    assert f"<@{world.admin.id}>" in shown
    await until_phase(world, "news", Phase.RUNNING)


async def test_a_bot_that_comes_after_the_list_is_left_alone(world: World) -> None:
    """What the button says is what it does."""
    await ready_bot(world, "shop-1")
    asked = await world.admin.slash(world.channel, "fleet restart", name="shop-*")
    await ready_bot(world, "shop-2")
    runs = {one: held.seen.started_at for one, held in engine_of(world).containers.items()}
    await world.admin.click(asked.response, label="Restart 1 bot")
    await until_ended(world)
    now = {one: held.seen.started_at for one, held in engine_of(world).containers.items()}
    fleet = world.application.installation.tools.fleet
    changed = {fleet.require(one).bot.name for one in runs if now[one] != runs[one]}
    assert changed == {"shop-1"}


async def test_without_a_description_a_menu_offers_the_bots(world: World) -> None:
    """The worst first; what is chosen is asked about once more."""
    for name in ("a", "b"):
        await ready_bot(world, name)
    offered = await world.admin.slash(world.channel, "fleet restart")
    assert "Which bots? 2 bots can be chosen." in said(offered)
    (menu,) = (part for row in offered.response.components for part in row["components"])
    assert [option["label"] for option in menu["options"]] == ["a", "b"]
    picked = await world.admin.select(
        offered.response, values=[menu["options"][1]["value"]], custom_id=menu["custom_id"]
    )
    assert said(picked).startswith("Restart **1 bot**? Exactly these:")
    assert "**b** · running" in said(picked)


async def test_a_cancel_leaves_out_those_not_begun_with(world: World) -> None:
    """By a button under the public message; it works for operators of these bots."""
    engine = engine_of(world)
    for number in range(6):
        await ready_bot(world, f"bot-{number}")
    asked = await world.admin.slash(world.channel, "fleet start", phase="stopped")
    assert "No bot fits." in said(asked)
    for number in range(6):
        await world.admin.slash(world.channel, "bot stop", name=f"bot-{number}")
    engine.start_delay = 0.4
    asked = await world.admin.slash(world.channel, "fleet start", phase="stopped")
    await world.admin.click(asked.response, label="Start 6 bots")
    message = await until_public(world, "Starting 6 bots")
    answer = await world.admin.click(message, label="Cancel")
    assert "Cancelled" in said(answer)
    shown = (await until_public(world, "cancelled <t:")).content
    assert "➖" in shown
    assert "2 left out" in shown


async def test_the_message_goes_on_after_a_restart_of_botmaker(house: House) -> None:
    """The same message, to the end."""
    async with house.controller() as world:
        for number in range(3):
            await ready_bot(world, f"bot-{number}")
            await world.admin.slash(world.channel, "bot stop", name=f"bot-{number}")
        engine_of(world).start_delay = 2.0
        asked = await world.admin.slash(world.channel, "fleet start", name="bot")
        await world.admin.click(asked.response, label="Start 3 bots")
        first = await until_public(world, "Starting 3 bots")
        assert "3 to go" in first.content
        store = world.application.installation.tools.store
        async with asyncio.timeout(5):
            while not (kept := await store.batch(1)) or not kept.message_id:
                await asyncio.sleep(0.01)
    house.engine.start_delay = 0.0
    async with house.controller() as world:
        shown = await until_ended(world)
        assert [m.id for m in public(world) if "Starting 3" in m.content] == [first.id]
        assert "3 done" in shown


async def test_an_expired_question_says_so(world: World) -> None:
    """Nothing happens; the words name what to do."""
    await ready_bot(world, "shop")
    asked = await world.admin.slash(world.channel, "fleet stop", name="shop")
    tools = world.application.installation.tools
    shell = tools.store._db._connection
    await shell.execute("UPDATE batch SET until = ?", [time.time() - 1])
    await shell.commit()
    late = await world.admin.click(asked.response, label="Stop 1 bot")
    assert ["can't be confirmed any more" in one.content for one in late.followups] == [True]
    assert engine_of(world).calls["stop"] == 0


class Flaky:
    """A Discord that is away for the first message."""

    def __init__(self) -> None:
        self.tries = 0

    def get_partial_messageable(self, *_: object, **__: object) -> Flaky:
        return self

    async def send(self, *_: object, **__: object) -> object:
        self.tries += 1
        if self.tries == 1:
            raise OSError("away")
        return SimpleNamespace(id=7)


async def test_how_it_goes_is_shown_though_discord_was_away_at_first(tmp_path: Path) -> None:
    """And nothing happens to the act any more."""
    rig = Rig(tmp_path)
    await rig.open()
    rig.run()
    bot = await rig.running()
    batch = await rig.manager.batches.ask(ANN_ASKS, Verb.STOP, [bot])
    connected = asyncio.Event()
    connected.set()
    flaky = Flaky()
    shown = Progress(rig.manager, flaky, Place(1, 2, "en"), connected, again=0.05)  # type: ignore[arg-type]
    async with rig.store.transaction() as write:
        await write.batches.begin(batch.id)
        await write.batches.end(batch.id, 1.0)
    work = asyncio.create_task(shown.run())
    try:
        await eventually(lambda: flaky.tries == 2)
        async with asyncio.timeout(5):
            while await rig.manager.batches.untold():
                await asyncio.sleep(0.01)
    finally:
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await rig.kill()


@pytest.mark.parametrize("count", [1, 40, 1000])
def test_progress_fits_into_a_message_and_shows_failures_first(count: int) -> None:
    """However many bots, and whatever their reasons say."""
    hostile = "@everyone **x** ``` " * 20
    items = tuple(
        Item(
            bot_id=str(number),
            name=f"bot-{number:031}",
            state=ItemState.FAILED if number == count - 1 else ItemState.DONE,
            words=hostile,
        )
        for number in range(count)
    )
    by = Principal("user", "1", "ann")
    batch = Batch(
        id=1, verb=Verb.STOP, by=by, items=items, state=BatchState.ENDED, asked_at=1.0, until=2.0
    )
    text = progress(batch)
    assert len(text) <= 2000
    head, _, first, *rest = text.splitlines()
    assert "❌ ended" in head
    assert first.startswith("❌")
    named = 1 + sum(line.startswith("✅") for line in rest)
    assert named == count or rest[-1] == f"… and {count - named} more."
    assert "@everyone" not in text

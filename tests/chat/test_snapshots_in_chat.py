"""`/bot snapshots`: which copies of a bot's state there are, and restoring one after a question."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.domain.acts import BOT_RESTORE
from demo.world import World
from tests.chat.acting import COMPONENT, engine_of, forge, labels, newcomer, picks, press, said
from tests.chat.test_updates_in_chat import QUICK, is_release, now, quick


@pytest.fixture
def templates(templates: Path) -> Path:
    """The templates of these tests, and one whose bots are copied before an update."""
    text = QUICK.replace('path = "/data"\n', 'path = "/data"\nsnapshot = true\n', 1)
    assert text != QUICK
    (templates / "quick.toml").write_text(text)
    return templates


async def test_a_snapshot_is_picked_and_restored_after_a_question(world: World) -> None:
    """The red button names the bot; the state comes back, and the history tells of it."""
    await quick(world)
    bot = now(world)
    none = said(await world.admin.slash(world.channel, "bot snapshots", name="shop"))
    assert none.startswith("**shop** has no snapshots.")
    state = engine_of(world).seeded[bot.id]
    state["memory.txt"] = "one"
    engine_of(world).rebuild("echo:1")
    shown = await world.admin.slash(world.channel, "bot update", name="shop")
    assert shown.response is not None
    await world.admin.click(shown.response, label="Update shop")
    await is_release(world, 2)
    engine_of(world).seeded[bot.id]["memory.txt"] = "two"
    listed = await world.admin.slash(world.channel, "bot snapshots", name="shop")
    assert said(listed).splitlines()[0] == "**shop** — snapshots of its state, newest first"
    assert "before an update (release 2)" in said(listed)
    assert listed.response is not None
    (address,) = picks(listed.response).values()
    asked = forge(world, world.admin, world.channel, COMPONENT, press(address), listed.response)
    await world.env.settle()
    assert said(asked).startswith("Restore snapshot 1 of **shop**?")
    assert engine_of(world).seeded[bot.id]["memory.txt"] == "two"
    assert asked.response is not None
    assert labels(asked.response) == ["Restore shop"]
    done = await world.admin.click(asked.response, label="Restore shop")
    assert "🟢 **shop** — running" in said(done)
    assert engine_of(world).seeded[bot.id]["memory.txt"] == "one"
    past = said(await world.admin.slash(world.channel, "bot history", name="shop"))
    assert "**snapshot 1** of its state restored" in past
    assert "**snapshot 2** of its state taken" in past


async def test_only_an_admin_restores(world: World) -> None:
    """By whatever button; an old one has expired, and a forged one is refused."""
    await quick(world)
    bot = now(world)
    eve = newcomer(world, "eve")
    scrap = await world.admin.send(world.channel, "scrap")
    for person, parts, words in (
        (eve, f"restore:{bot.id}:1-99999999999", f"{BOT_RESTORE.sentence} needs the role admin"),
        (world.admin, f"restore:{bot.id}:1-5", "That button has expired."),
        (world.admin, f"restore:{bot.id}:x", "That button is damaged."),
        (world.admin, f"askrestore:{bot.id}:x", "A snapshot is a number."),
    ):
        result = forge(world, person, world.channel, COMPONENT, press(parts), scrap)
        await world.env.settle()
        assert words in said(result), parts

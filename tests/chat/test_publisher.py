"""The cards: true in the end, whatever happens to them, and never edited too often."""

from __future__ import annotations

import asyncio

from controller.domain.phase import Phase
from demo.world import World
from tests.chat.acting import (
    card,
    fill,
    labels,
    make,
    public,
    ready_bot,
    until_card,
    until_phase,
)
from tests.chat.house import House


def edits(world: World, message_id: int) -> int:
    """How often a message was edited."""
    return sum(
        r.method == "PATCH" and r.path.endswith(f"/messages/{message_id}")
        for r in world.env.http_requests
    )


async def test_many_changes_become_few_edits_and_the_last_one_is_shown(world: World) -> None:
    """At most one edit in a second and a half, however often the bot changes."""
    await ready_bot(world)
    message = card(world, "shop")
    assert message is not None
    for _ in range(4):
        await world.admin.slash(world.channel, "bot stop", name="shop")
        await world.admin.slash(world.channel, "bot start", name="shop")
    await world.admin.slash(world.channel, "bot stop", name="shop")
    assert edits(world, message.id) == 0
    await until_card(world, "shop", "⚫ **shop** — stopped")
    assert edits(world, message.id) == 1


async def test_nothing_is_edited_while_nothing_changes(world: World) -> None:
    """A look that sees the same says nothing."""
    view = await make(world)
    message = await until_card(world, "shop", "waiting for secrets")
    for _ in range(3):
        await asyncio.sleep(0.6)
        world.application.installation.tools.queue.poke(view.bot.id)
    await asyncio.sleep(0.1)
    assert edits(world, message.id) == 0


async def test_a_deleted_card_is_posted_anew_at_the_next_change(world: World) -> None:
    """Somebody tidied up the channel; the bot's message comes back, with its buttons."""
    await make(world)
    message = await until_card(world, "shop", "waiting for secrets")
    world.env.backend.delete_message(world.channel.id, message.id)
    assert card(world, "shop") is None
    await fill(world)
    again = await until_card(world, "shop", "🟢 **shop** — running")
    assert again.id != message.id
    assert labels(again) == ["Logs", "Restart", "Stop"]
    posts = [
        r.json["nonce"]
        for r in world.env.http_requests
        if r.method == "POST" and r.path == f"/channels/{world.channel.id}/messages" and r.json
    ]
    assert len(set(posts)) == len(posts) == 2


async def test_a_card_that_was_deleted_while_the_controller_was_away_is_posted_anew(
    house: House,
) -> None:
    """Nothing changed about the bot; its message is there again all the same, once."""
    async with house.controller() as world:
        await ready_bot(world)
        message = await until_card(world, "shop", "🟢 **shop** — running")
    house.env.backend.delete_message(house.channel.id, message.id)
    async with house.controller() as world:
        again = await until_card(world, "shop", "🟢 **shop** — running")
        assert again.id != message.id
        assert len(public(world)) == 1


async def test_a_failed_edit_is_made_good_later(world: World) -> None:
    """Discord was away for a moment, in two ways; both cards are true in the end."""
    for name, status in (("one", 500), ("two", 503)):
        await make(world, name)
        message = await until_card(world, name, "waiting for secrets")
        path = f"/channels/*/messages/{message.id}"
        world.env.inject_error("PATCH", path, status=status, times=1)
        await fill(world)
    for name in ("one", "two"):
        await until_card(world, name, "running")
    assert world.env.backend.faults == []
    assert len(public(world)) == 2


async def test_a_first_post_that_failed_is_made_good_later(world: World) -> None:
    """One message in the end, not two."""
    world.env.inject_error("POST", f"/channels/{world.channel.id}/messages", status=503)
    await ready_bot(world)
    await until_card(world, "shop", "running")
    assert len(public(world)) == 1


async def test_a_bot_removed_while_discord_was_away_gets_its_last_words_after_a_restart(
    house: House,
) -> None:
    """The controller ended in between; the card is still finished."""
    async with house.controller() as world:
        await ready_bot(world)
        message = card(world, "shop")
        assert message is not None
        asked = await world.admin.slash(world.channel, "bot delete", name="shop")
        assert asked.response is not None
        path = f"/channels/*/messages/{message.id}"
        house.env.inject_error("PATCH", path, status=503, times=None)
        await world.admin.click(asked.response, label="Delete shop")
        assert len(world.application.installation.tools.fleet) == 0
        still = card(world, "shop")
        assert still is not None
        assert "removed" not in still.content
    house.env.backend.faults.clear()
    async with house.controller() as world:
        last = await until_card(world, "shop", "🗑️ **shop** — removed")
        assert last.id == message.id
        assert labels(last) == []
    async with house.controller() as world:
        assert await world.application.installation.tools.store.cards() == []


async def test_what_changed_while_the_controller_was_away_is_on_the_card_after(
    house: House,
) -> None:
    """A bot that ended meanwhile is not shown as running."""
    async with house.controller() as world:
        view = await ready_bot(world)
    house.engine.restart_at_once = False  # the engine waits before it tries again
    house.engine.crash(view.bot.id, 78)
    async with house.controller() as world:
        await until_phase(world, "shop", Phase.ERROR)
        message = await until_card(world, "shop", "🔴 **shop** — error")
        assert "exit 78" in message.content
        assert len(public(world)) == 1

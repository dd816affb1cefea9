"""The cards: true in the end, whatever happens to them, and never edited too often."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from types import SimpleNamespace

import discord
import pytest

from controller.chat.cards.backoff import pause_after
from controller.chat.cards.publisher import AT_ONCE, CLOSED_AFTER, SPACING, Publisher
from controller.chat.cards.schedule import Budget, Schedule
from controller.chat.requests.layouts import Layout, raw, words_of
from controller.chat.requests.place import Place
from controller.domain.phase import Phase
from demo.world import World
from tests.chat.acting import (
    as_read,
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
from tests.manager.rig import Rig, eventually


def edits(world: World, message_id: int) -> int:
    """How often a message was edited."""
    return sum(
        r.method == "PATCH" and r.path.endswith(f"/messages/{message_id}")
        for r in world.env.http_requests
    )


async def test_many_changes_become_few_edits_and_the_last_one_is_shown(world: World) -> None:
    """At most one edit in two seconds, however often the bot changes."""
    await ready_bot(world)
    message = card(world, "shop")
    assert message is not None
    began = time.perf_counter()
    for _ in range(4):
        await world.admin.slash(world.channel, "bot stop", name="shop")
        await world.admin.slash(world.channel, "bot start", name="shop")
    await world.admin.slash(world.channel, "bot stop", name="shop")
    await until_card(world, "shop", "⚫ **shop** — stopped")
    assert 1 <= edits(world, message.id) <= 1 + (time.perf_counter() - began) / SPACING


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
    assert labels(again) == ["Logs", "Restart", "Settings", "Stop"]
    posts = [
        r.json["nonce"]
        for r in world.env.http_requests
        if r.method == "POST" and r.path == f"/channels/{world.channel.id}/messages" and r.json
        if r.json["nonce"] != "botmaker-welcome"
    ]
    assert len(set(posts)) == len(posts) == 2


async def test_a_card_that_was_deleted_while_the_controller_was_away_is_posted_anew(
    house: House,
) -> None:
    """Nothing changed about the bot; its message is there again all the same, once."""
    async with house.controller() as world:
        await make(world)
        message = await until_card(world, "shop", "waiting for secrets")
    house.env.backend.delete_message(house.channel.id, message.id)
    async with house.controller() as world:
        again = await until_card(world, "shop", "waiting for secrets")
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


class Silent:
    """A Discord that answers no post for some bots; what was posted for the others."""

    user = None
    activity: object = None

    def __init__(self, names: Iterable[str]) -> None:
        self.names = set(names)
        self.posted: list[str] = []

    async def wait_until_ready(self) -> None:
        """It is connected."""

    async def change_presence(self, **_: object) -> None:
        """It shows it."""

    def get_partial_messageable(self, *_: object, **__: object) -> Silent:
        return self

    async def history(self, **_: object) -> AsyncIterator[object]:
        for nothing in ():
            yield nothing

    async def send(self, text: str = "", view: Layout | None = None, **_: object) -> object:
        text = "\n".join([text, *words_of(raw(view))]) if isinstance(view, Layout) else text
        if any(f"**{name}**" in text for name in self.names):
            await asyncio.Event().wait()
        self.posted.append(text)
        return SimpleNamespace(id=len(self.posted), components=view.children if view else [])


async def test_cards_that_discord_never_answers_for_hold_up_no_other(tmp_path: Path) -> None:
    """However many there are; they are tried again, and come in the end."""
    rig = Rig(tmp_path)
    await rig.open()
    rig.run()
    names = [(await rig.create()).name for _ in range(AT_ONCE + 1)]
    silent = Silent(names[:AT_ONCE])
    publisher = Publisher(rig.manager, silent, Place(1, 2, "en"), seconds=0.2)  # type: ignore[arg-type]
    publishing = asyncio.create_task(publisher.run())

    def shown(name: str) -> bool:
        return any(f"**{name}**" in text for text in silent.posted)

    try:
        await eventually(lambda: shown(names[-1]), "the others' silence is waited for no longer")
        assert not any(shown(name) for name in names[:AT_ONCE])
        silent.names.clear()
        await eventually(lambda: all(shown(name) for name in names), seconds=10)
    finally:
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)
        await rig.kill()


class Closed(Silent):
    """A Discord that lets nobody write into the channel."""

    tries = 0

    async def send(self, *_: object, **__: object) -> object:
        self.tries += 1
        raise discord.Forbidden(Answer(403), {"code": 50013, "message": "no"})  # type: ignore[arg-type]


async def test_a_channel_that_refuses_isnt_asked_for_each_card(tmp_path: Path) -> None:
    """Each refused request would count against the whole bot."""
    rig = Rig(tmp_path)
    await rig.open()
    for _ in range(15):
        await rig.create()
    closed = Closed(())
    publisher = Publisher(
        rig.manager,
        closed,  # type: ignore[arg-type]
        Place(1, 2, "en"),
        budget=Budget(1000, 1.0),
    )
    rig.run()
    publishing = asyncio.create_task(publisher.run())
    try:
        await eventually(lambda: closed.tries >= CLOSED_AFTER)
        await asyncio.sleep(0.3)
        assert closed.tries < CLOSED_AFTER + AT_ONCE
    finally:
        publishing.cancel()
        await asyncio.gather(publishing, return_exceptions=True)
        await rig.kill()


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


# What Discord refuses


async def test_a_message_edited_too_often_is_posted_again_and_the_old_one_goes(
    world: World,
) -> None:
    """Discord's 30046 is for ever as far as that message goes."""
    await ready_bot(world)
    message = await until_card(world, "shop", "running")
    path = f"/channels/*/messages/{message.id}"
    world.env.inject_error("PATCH", path, status=429, code=30046, times=None)
    await world.admin.slash(world.channel, "bot stop", name="shop")
    end = asyncio.get_running_loop().time() + 5
    while [m.id for m in public(world)] in ([message.id], []) or len(public(world)) > 1:
        assert asyncio.get_running_loop().time() < end
        await asyncio.sleep(0.02)
    assert "⚫ **shop** — stopped" in public(world)[0].content


async def test_cards_that_wait_for_minutes_hold_up_no_other(world: World) -> None:
    """Two refused ones, one by right and one by rate, and a third that is true at once."""
    for name in ("one", "two", "three"):
        await ready_bot(world, name)
    refused = []
    for name, status in (("one", 403), ("two", 429)):
        message = await until_card(world, name, "running")
        refused.append((message.id, edits(world, message.id)))
        path = f"/channels/*/messages/{message.id}"
        world.env.inject_error("PATCH", path, status=status, times=None)
        await world.admin.slash(world.channel, "bot stop", name=name)
    await until_card(world, "three", "running")
    await world.admin.slash(world.channel, "bot stop", name="three")
    await until_card(world, "three", "stopped")
    await asyncio.sleep(3)
    assert [edits(world, one) - before for one, before in refused] == [1, 1]


async def test_a_card_moves_to_the_new_admin_channel(house: House) -> None:
    """The setting changed between two starts: the card is where people look now."""
    async with house.controller() as world:
        await ready_bot(world)
        old = await until_card(world, "shop", "running")
    other = house.guild.create_text_channel("bots-new")
    house.settings = house.settings.model_copy(update={"admin_channel_id": other.id})
    async with house.controller():
        end = asyncio.get_running_loop().time() + 5
        while not other.history() and asyncio.get_running_loop().time() < end:
            await asyncio.sleep(0.02)
        (moved,) = other.history()
        assert "🟢 **shop** — running" in as_read(moved).content
        await asyncio.sleep(0.2)
        assert old.id not in [m.id for m in house.channel.history()]


@pytest.mark.parametrize(
    ("status", "code", "first", "fifth"),
    [(500, 0, 0.5, 8.0), (403, 50013, 60.0, 600.0), (429, 0, 60.0, 600.0)],
)
def test_refusals_are_tried_again_after_minutes(
    status: int, code: int, first: float, fifth: float
) -> None:
    """Trouble after seconds; each time later, up to a bound."""
    error = discord.HTTPException(Answer(status), {"code": code, "message": "no"})
    assert pause_after(error, 1) == first
    assert pause_after(error, 5) == fifth
    assert pause_after(error, 50) <= 600


def test_a_rate_limit_is_kept_as_long_as_discord_says() -> None:
    """In its header, or as discord.py raises it."""
    assert pause_after(discord.RateLimited(1800.0), 1) == 1800.0
    limited = discord.HTTPException(Answer(429, {"Retry-After": "2.5"}), None)
    assert pause_after(limited, 3) == 2.5
    odd = discord.HTTPException(Answer(429, {"Retry-After": "soon"}), None)
    assert pause_after(odd, 1) == 60.0


class Answer:
    """As much of an HTTP answer as discord.py's error reads."""

    def __init__(self, status: int, headers: dict[str, str] | None = None) -> None:
        self.status, self.reason, self.headers = status, "no", headers or {}


# Whose turn it is


async def test_the_worst_bot_comes_first_within_one_budget() -> None:
    """Five edits at once, in order of urgency; the sixth when the first is five seconds old."""
    rank = {f"bot-{n}": 9 - n for n in range(8)}
    budget = Budget(5, 0.3)
    schedule = Schedule(budget, rank.__getitem__)
    for key in rank:
        schedule.poke(key)
    loop = asyncio.get_running_loop()
    began, found = loop.time(), []
    for _ in range(6):
        found.append(await schedule.next())
        budget.spend()
        schedule.done(found[-1])
    assert found == [f"bot-{n}" for n in (7, 6, 5, 4, 3, 2)]
    assert 0.28 < loop.time() - began < 1


async def test_a_key_is_given_out_once_at_a_time_and_again_after_a_change() -> None:
    """A poke during the edit leads to one more."""
    schedule = Schedule(Budget(100, 1.0), lambda _: 0)
    schedule.poke("a")
    schedule.poke("a")
    assert await schedule.next() == "a"
    schedule.poke("a")
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await schedule.next()
    schedule.done("a")
    assert await schedule.next() == "a"


async def test_a_thousand_that_are_due_are_compared_seldom_and_what_is_worse_overtakes() -> None:
    """After a start all are: comparing them anew for each would take the loop 2 ms every time."""
    asked = Counter[str]()

    def rank(key: str) -> int:
        asked[key] += 1
        return 0 if key == "worst" else 5

    schedule = Schedule(Budget(2000, 1.0), rank)
    for number in range(1000):
        schedule.poke(f"bot-{number}")
    first = await schedule.next()
    schedule.poke("worst")
    schedule.done(first)
    assert await schedule.next() == "worst"
    left = [await schedule.next() for _ in range(999)]
    assert [first, *left] == [f"bot-{number}" for number in range(1000)]
    assert asked.total() < 100_000  # instead of half a million


async def test_what_is_put_off_waits_and_a_closed_channel_waits_whole() -> None:
    """A poke doesn't shorten a card's pause, and others go first."""
    budget = Budget(100, 1.0)
    schedule = Schedule(budget, lambda _: 0)
    schedule.put_off("a", 0.2)
    schedule.poke("a")
    schedule.poke("b")
    assert await schedule.next() == "b"
    began = asyncio.get_running_loop().time()
    assert await schedule.next() == "a"
    assert asyncio.get_running_loop().time() - began > 0.15
    budget.pause(0.2)
    schedule.poke("c")
    assert await schedule.next() == "c"
    assert asyncio.get_running_loop().time() - began > 0.35

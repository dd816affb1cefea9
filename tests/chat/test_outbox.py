"""The outbox: what was owed by a controller that died, what is too old, what is not on the disk."""

from __future__ import annotations

import asyncio
import sqlite3
import time

import pytest

from controller.chat.requests.ways import WAYS
from controller.domain.access import discord_user
from controller.domain.acts import ACTS
from controller.domain.batches import Verb
from controller.domain.journal import Author, Entry, Kind
from controller.domain.phase import Phase
from controller.domain.roles import Role
from controller.manager.history import events
from controller.store import Owed, Store
from controller.vault import install_key, journal_key
from demo.world import World
from tests.chat.acting import make, newcomer, public, ready_bot, said, until_phase
from tests.chat.house import House

LATE = "About your request"


async def until_nothing_is_owed(world: World, seconds: float = 6.0) -> None:
    """Wait until everybody was told."""
    end = time.monotonic() + seconds
    while await world.application.installation.tools.store.owed():
        assert time.monotonic() < end, "somebody is still owed an answer"
        await asyncio.sleep(0.02)


async def owe(house: House, **changes: object) -> None:
    """Leave a debt on the disk, as a controller that is gone now would."""
    entry = {"request": "discord:77", "reply_via": "discord", "recipient": str(house.admin.id)}
    entry |= {"act": "bot.stop", "bot_name": "shop"}
    store = await house_store(house)
    async with store.transaction() as write:
        await write.keep_owed(Owed(**{"asked_at": time.time(), **entry, **changes}))  # type: ignore[arg-type]
    await store.close()


async def begun(house: House, act: str, bot_id: str, bot_name: str) -> None:
    """Leave a request on the disk that was written down and never ended."""
    store = await house_store(house)
    author = Author(discord_user(house.admin.id, "ann"), "discord:78")
    asked = Entry(
        at=time.time(),
        kind=Kind.ASKED,
        bot_id=bot_id,
        bot_name=bot_name,
        author=author,
        data={"act": ACTS[act].id},
    )
    async with store.transaction() as write:
        await write.append(asked)
        await write.owe(
            Owed(
                request=author.request,
                reply_via="discord",
                recipient=str(house.admin.id),
                act=act,
                bot_id=bot_id,
                bot_name=bot_name,
                asked_at=asked.at,
            )
        )
    await store.close()


async def house_store(house: House) -> Store:
    """The store of the house, opened while no controller is there."""
    data = house.settings.data_dir
    return await Store.open(data, journal_key(install_key(data)))


def late(world: World) -> list[str]:
    """Every late answer, by direct message or in the channel."""
    dms = world.admin.user.dm_channel.history() if world.admin.user.dm_channel else []
    return [m.content for m in [*dms, *public(world)] if LATE in m.content]


def test_all_that_changes_something_is_worth_an_answer_later() -> None:
    """Each command, button or form for more than viewers, but those that only ask or look. What an
    action needs stands in its template."""
    looks = {"bot secrets", "bot delete", "fleet orphans", "fleet doctor", "access list"}
    looks |= {
        "fleet history",
        "button fleetpast",
        "access test",
        "access token create",  # its answer is a secret, which is kept nowhere
        "access token list",
        "access sessions",
        "button secrets",
        "button create",
        "button choose",
        "button form",
        "button rotate",
        "button settings",
        "button askdelete",
        "button askclone",
        "button askrestore",
        "button restored",
        "bot edit",
        "button edit",
        "bot update",
        "fleet updates",
        "button doctor",
        *(f"fleet {verb}" for verb in Verb),
        *(f"button pick{verb}" for verb in Verb),
    }
    ways = {name for name, way in WAYS.items() if way.act.role > Role.VIEWER} - looks
    assert ways | {"bot do", "button do", "modal do"} == {
        name for name, way in WAYS.items() if way.owed
    }


async def test_nothing_is_owed_after_an_answer_that_was_given(world: World) -> None:
    """A create, a form, a stop and a refusal: each answer is out, so nothing is kept."""
    await ready_bot(world)
    await world.admin.slash(world.channel, "bot stop", name="shop")
    assert "no bot of that name" in said(
        await world.admin.slash(world.channel, "bot start", name="nobody")
    )
    await until_nothing_is_owed(world)
    assert late(world) == []


async def test_kept_words_are_said_at_the_next_start_once(house: House) -> None:
    """With what it is about and when it was asked; a further start says nothing."""
    async with house.controller() as world:
        await make(world)
    await owe(house, words="⚫ **shop** — stopped", asked_at=1000 + time.time() // 1 - 2000)
    for _ in range(2):
        async with house.controller() as world:
            await until_nothing_is_owed(world)
            (text,) = late(world)
            assert "**stop** on **shop**" in text
            assert "<t:" in text
            assert text.endswith("⚫ **shop** — stopped")


async def test_who_takes_no_direct_message_is_named_in_the_channel(house: House) -> None:
    """A mention that reaches this one person, and nobody else."""
    async with house.controller() as world:
        house.env.inject_error("POST", "/users/@me/channels", status=403, code=50007, times=None)
        await make(world)
    await owe(house, words="done")
    async with house.controller() as world:
        await until_nothing_is_owed(world)
        (found,) = [m for m in public(world) if LATE in m.content]
        assert found.content.startswith(f"<@{world.admin.id}> ")
        (sent,) = [r.json for r in house.env.http_requests if r.json and LATE in str(r.json)]
        assert sent["allowed_mentions"] == {"parse": [], "users": [world.admin.id]}


async def test_an_answer_older_than_a_day_is_dropped_with_a_line_in_the_log(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """Nobody is told yesterday's news."""
    async with house.controller() as world:
        await make(world)
    await owe(house, words="done", asked_at=time.time() - 86_500)
    async with house.controller() as world:
        await until_nothing_is_owed(world)
        assert late(world) == []
    assert "dropped an answer" in caplog.text


async def test_an_answer_that_becomes_a_day_old_while_it_waits_is_dropped(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    """Discord takes nothing until then; when it does again, nobody is told yesterday's news."""
    async with house.controller() as world:
        await make(world)
    old_at = time.time() + 3.0
    await owe(house, words="done", asked_at=old_at - 86_400)
    house.env.inject_error("POST", "/users/@me/channels", status=503, times=None)
    house.env.inject_error("POST", "/channels/*/messages", status=503, times=None)
    async with house.controller() as world:
        await asyncio.sleep(max(0.0, old_at - time.time()))
        house.env.backend.faults.clear()
        await until_nothing_is_owed(world, 20)
        assert late(world) == []
    assert "dropped an answer" in caplog.text


async def test_a_request_that_a_dead_controller_left_open_gets_an_end_and_its_asker_the_state(
    house: House,
) -> None:
    """The journal says that it was cut short, the person reads how the bot is now."""
    async with house.controller() as world:
        view = await ready_bot(world)
    await begun(house, "bot.restart", view.bot.id, "shop")
    async with house.controller() as world:
        await until_phase(world, "shop", Phase.RUNNING)
        await until_nothing_is_owed(world)
        (text,) = late(world)
        assert "The controller restarted before it could answer" in text
        assert "🟢 **shop** — running" in text
        newest = (await events(world.application.installation.tools.store, view.bot.id))[0]
        assert newest.entry.data["act"] == "bot.restart"
        assert newest.outcome is not None
        assert newest.outcome.data["result"] == "cut-short"


@pytest.mark.parametrize(
    ("act", "words"),
    [
        ("bot.create", "was not created"),
        ("bot.delete", "removed"),
        ("access.grant", "/access list"),
    ],
)
async def test_a_request_about_a_bot_that_is_not_there_says_so(
    house: House, act: str, words: str
) -> None:
    """A create that was never made, a delete that was ended, a grant for all bots."""
    async with house.controller():
        pass
    bot_id = "" if act == "access.grant" else "6f1c1b9e-7a60-4b8e-9a55-0d6f3f3c2f11"
    await begun(house, act, bot_id, "shop" if bot_id else "")
    async with house.controller() as world:
        await until_nothing_is_owed(world)
        (text,) = late(world)
        assert words in text


async def test_words_are_bounded_and_hold_no_secret(house: House) -> None:
    """What is kept passed the redactor; a message that is too long is cut."""
    key = "sk-test-0123456789abcdef"
    async with house.controller() as world:
        await ready_bot(world)
        house.env.inject_error("PATCH", "/webhooks/*", status=404, times=None)
        house.env.inject_error("POST", "/users/@me/channels", status=503, times=None)
        house.env.inject_error("POST", "/channels/*/messages", status=503, times=None)
        await world.admin.slash(world.channel, "bot stop", name="shop")
        (owed,) = await world.application.installation.tools.store.owed()
        assert owed.words is not None
        assert "stopped" in owed.words
        assert key not in owed.words
        house.env.backend.faults.clear()
        await until_nothing_is_owed(world)
        assert len(late(world)) == 1


async def test_a_refusal_that_was_read_is_not_said_again(world: World) -> None:
    """Who may not is told so at once, and nothing is kept of it."""
    stranger = newcomer(world, "eve")
    await make(world)
    text = said(await stranger.slash(world.channel, "bot stop", name="shop"))
    assert "needs the role operator" in text
    await until_nothing_is_owed(world)
    assert [m.content for m in public(world) if LATE in m.content] == []


async def test_a_disk_that_fails_costs_no_answer_and_no_controller(house: House) -> None:
    """What cannot be noted any more is still said, and once."""
    async with house.controller() as world:
        await make(world)
    await owe(house, words="done")
    house.env.inject_error("POST", "/users/@me/channels", status=503, times=None)
    house.env.inject_error("POST", "/channels/*/messages", status=503, times=None)
    async with house.controller() as world:
        file = sqlite3.connect(house.settings.data_dir / "botmaker.db")
        file.execute("DROP TABLE owed")
        file.close()
        house.env.backend.faults.clear()
        end = time.monotonic() + 5
        while not late(world) and time.monotonic() < end:
            await asyncio.sleep(0.02)
        assert "no bot of that name" in said(
            await world.admin.slash(world.channel, "bot start", name="nobody")
        )
        await asyncio.sleep(0.8)
        assert len(late(world)) == 1

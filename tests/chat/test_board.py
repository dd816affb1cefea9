"""The board: the fleet in one live message of a channel. And the line below the bot's name."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace

import discord
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from controller.chat.cards.board import BURIED
from controller.chat.cards.board_layout import board_layout
from controller.chat.cards.presence import SPACING, Presence
from controller.chat.languages.dictionary import LANGUAGES
from controller.chat.requests.layouts import raw
from controller.chat.words.board_words import ROWS, board_groups, board_heading, summary
from controller.chat.words.bot_words import SIGNS
from controller.domain.bot import Bot, Problem
from controller.domain.observation import World as Seen
from controller.domain.phase import Phase
from controller.fleet.views import EngineState, View
from demo.world import World
from tests.chat.acting import (
    engine_of,
    labels,
    newcomer,
    picks,
    public,
    ready_bot,
    said,
    until_phase,
)
from tests.chat.house import House
from tests.chat.spoken import in_language
from tests.loopback import checks
from tests.loopback.world import Message as Sent
from tests.loopback.world import User

NOW = 1_700_000_000.0
UP = EngineState(True, 1.0, "")
BOT = Bot(id="b", name="shop", template="echo", provider="", model="", channel="")


def boards(world: World) -> list[discord.Message]:
    """Every board in the admin channel."""
    return [m for m in public(world) if labels(m)[-2:] == ["List", "Status"]]


async def until_board(world: World, words: str, seconds: float = 9.0) -> discord.Message:
    """The one board, as soon as it says that."""
    return await until(
        lambda: next((m for m in boards(world) if words in m.content), None), seconds
    )


async def until(found: Callable[[], discord.Message | None], seconds: float) -> discord.Message:
    """What is found, as soon as it is."""
    end = time.monotonic() + seconds
    while (message := found()) is None:
        assert time.monotonic() < end
        await asyncio.sleep(0.02)
    return message


async def put_up(world: World) -> discord.Message:
    """A board by its command."""
    assert "The board stands below." in said(await world.admin.slash(world.channel, "fleet board"))
    return await until_board(world, "bot")


async def test_a_board_follows_the_fleet_in_one_message(world: World) -> None:
    """The first line counts; a bot in trouble has a row with a button, the rest their names."""
    await ready_bot(world, "fine")
    bad = await ready_bot(world, "broken")
    message = await put_up(world)
    assert "🟢 **2 bots**" in message.content
    assert "running (2): broken, fine" in message.content
    engine_of(world).crash(bad.bot.id, 78)
    changed = await until_board(world, "🔴 **2 bots · 1 down**")
    assert changed.id == message.id
    assert "🔴 **broken** — error" in changed.content
    assert "exit 78" in changed.content
    assert "running (1): fine" in changed.content
    assert labels(changed) == ["Open", "List", "Status"]


async def test_a_board_leads_to_bots_the_list_and_the_status_privately(world: World) -> None:
    """By a pick and by buttons; the board itself stays as it is."""
    await ready_bot(world)
    message = await put_up(world)
    before = message.content
    where = {"values": [picks(message)["shop"]], "custom_id": "pick:board"}
    opened = await world.admin.select(message, **where)
    assert "**shop** — running" in said(opened)
    listed = await world.admin.click(message, label="List")
    assert "1 bot: 1 running" in said(listed)
    assert "Docker answers." in said(await world.admin.click(message, label="Status"))
    assert [m.content for m in boards(world)] == [before]


async def test_a_board_survives_a_restart_and_there_is_one(house: House) -> None:
    """What changed meanwhile is on it."""
    async with house.controller() as world:
        view = await ready_bot(world)
        message = await put_up(world)
        noted = f"board:{world.channel.id}"
        while str(message.id) not in await world.application.manager.notebook.recall(noted):
            await asyncio.sleep(0.01)
    house.engine.restart_at_once = False
    house.engine.crash(view.bot.id, 78)
    async with house.controller() as world:
        await until_phase(world, "shop", Phase.ERROR)
        again = await until_board(world, "1 down")
        assert again.id == message.id
        assert len(boards(world)) == 1


async def test_a_deleted_board_or_one_too_old_to_edit_comes_anew_at_a_change(world: World) -> None:
    """One, with what is true now; the old one goes."""
    await ready_bot(world)
    message = await put_up(world)
    world.env.backend.delete_message(world.channel.id, message.id)
    await world.admin.slash(world.channel, "bot stop", name="shop")
    second = await until_board(world, "stopped (1): shop")
    path = f"/channels/*/messages/{second.id}"
    world.env.inject_error("PATCH", path, status=429, code=30046, times=None)
    await world.admin.slash(world.channel, "bot start", name="shop")
    third = await until_board(world, "running (1): shop")
    assert len({message.id, second.id, third.id}) == 3
    await asyncio.sleep(0.1)
    assert [m.id for m in boards(world)] == [third.id]


async def test_a_buried_board_comes_to_the_end_of_the_channel(world: World) -> None:
    """At the next change; and at once for whoever asks for it again."""
    await ready_bot(world)
    first = await put_up(world)
    for number in range(BURIED):
        await world.admin.send(world.channel, f"chatter {number}")
    await world.admin.slash(world.channel, "bot stop", name="shop")
    second = await until_board(world, "stopped (1): shop")
    assert second.id > first.id
    await world.admin.slash(world.channel, "fleet board")
    third = await until(
        lambda: next((m for m in boards(world) if m.id != second.id), None), seconds=9
    )
    await asyncio.sleep(0.1)
    assert [m.id for m in boards(world)] == [third.id]


async def test_a_board_is_taken_away_for_good(house: House) -> None:
    """No change brings it back, and no restart."""
    async with house.controller() as world:
        await ready_bot(world)
        await put_up(world)
        gone = await world.admin.slash(world.channel, "fleet board", remove=True)
        assert said(gone) == "This channel's board is gone."
        end = time.monotonic() + 9
        while boards(world):
            assert time.monotonic() < end
            await asyncio.sleep(0.02)
    async with house.controller() as world:
        await world.admin.slash(world.channel, "bot stop", name="shop")
        await asyncio.sleep(0.3)
        assert boards(world) == []


async def test_a_viewer_puts_up_no_board(world: World) -> None:
    """It is a public message about every bot."""
    vic = newcomer(world, "vic")
    await world.admin.slash(world.channel, "access grant", who=vic, role="viewer")
    answer = await vic.slash(world.channel, "fleet board")
    assert "needs the role operator" in said(answer)
    assert boards(world) == []


def view(number: int, phase: Phase, words: str = "") -> View:
    """One of many bots."""
    problem = Problem("crash-loop", words, words, NOW) if words else None
    bot = replace(BOT, id=f"{number:036}", name=f"{'n' * 28}{number:04}", problem=problem)
    return View(bot, Seen(degraded=(words,) if words else ()), seen=True, phase=phase, since=NOW)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(Phase), max_size=60),
    st.text(max_size=300) | st.just("```" * 90),
    st.booleans(),
    st.sampled_from(["en", *LANGUAGES]),
)
def test_no_board_is_more_than_discord_takes(
    phases: list[Phase], words: str, away: bool, language: str
) -> None:
    """In every language, however many bots there are, and whatever they say."""
    views = [view(number, phase, words) for number, phase in enumerate(phases)]
    engine = EngineState(not away, 1.0, words)
    message = Sent(1, 2, User(3, "botmaker", bot=True), flags=checks.V2_FLAG)
    board = in_language(language, lambda: board_layout(views, engine, now=NOW))
    message.components = raw(board)
    checks.message(message)
    assert "```" not in message.content


def test_a_board_without_an_engine_says_first_that_it_is_the_last_known_state() -> None:
    """Never green over red."""
    engine = EngineState(False, NOW, "it doesn't answer")
    heading = board_heading([view(1, Phase.RUNNING)], engine)
    assert heading.startswith("⚠️ **1 bot** — ")
    assert heading.endswith("This is the last known state.")


def test_bots_that_stand_above_are_not_named_again_below() -> None:
    """Each bot once."""
    views = [view(1, Phase.ERROR), view(2, Phase.STARTING), view(3, Phase.STARTING)]
    text = board_groups(views, views[:2])
    assert text == f"{SIGNS[Phase.STARTING]} starting (1): {views[2].bot.name}"


def test_a_thousand_bots_are_a_few_lines() -> None:
    """The worst have rows, everybody else is counted."""
    views = [view(n, Phase.RUNNING) for n in range(990)]
    views += [view(n, Phase.ERROR, "it broke") for n in range(990, 1000)]
    message = Sent(1, 2, User(3, "botmaker", bot=True), flags=checks.V2_FLAG)
    message.components = raw(board_layout(views, UP, now=NOW))
    checks.message(message)
    assert message.content.startswith("🔴 **1000 bots · 10 down**")
    assert message.labels().count("Open") == ROWS
    assert "error (2): " in message.content
    assert "running (990): " in message.content
    assert " more" in message.content


@pytest.mark.parametrize(
    ("phases", "words"),
    [
        ([], "0 bots"),
        ([Phase.RUNNING], "1 bot"),
        ([Phase.RUNNING, Phase.ERROR, Phase.CRASH_LOOPING], "3 bots · 2 down"),
        ([Phase.UNHEALTHY, Phase.STOPPED], "2 bots · 1 unhealthy"),
    ],
)
def test_the_fleet_in_a_few_words(phases: list[Phase], words: str) -> None:
    """What is down isn't what somebody stopped."""
    assert summary([view(n, phase) for n, phase in enumerate(phases)]) == words


class Line:
    """As much of a client as the line needs."""

    def __init__(self) -> None:
        self.activity: discord.Activity | None = None
        self.told: list[str] = []

    async def change_presence(self, *, activity: discord.Activity) -> None:
        """Keep what is told over the connection."""
        self.told.append(str(activity.name))


async def test_the_line_below_the_name_changes_with_the_fleet_and_not_otherwise(
    world: World,
) -> None:
    """Also for a connection that begins anew. Discord takes few changes, so there's a pause."""
    line = Line()
    presence = Presence(world.application.manager, line)  # type: ignore[arg-type]
    assert await presence.publish() == SPACING
    assert await presence.publish() is None
    world.application.installation.tools.fleet.show_bot(BOT)
    await presence.publish()
    assert line.told == ["0 bots", "1 bot"]
    assert line.activity is not None
    assert (line.activity.name, line.activity.type) == ("1 bot", discord.ActivityType.watching)

"""A log that is followed in Discord: one message, edited while lines come, never for long."""

from __future__ import annotations

import asyncio
import re
import time

import pytest
from simcord.results import InteractionResult

from controller.chat.logs.followed_logs import EACH_MOST
from controller.chat.logs.log_blocks import blocks, newest_blocks
from controller.domain.events import LogLine
from demo.world import World
from tests.chat.acting import (
    COMPONENT,
    buttons_of,
    engine_of,
    forge,
    labels,
    newcomer,
    press,
    ready_bot,
    said,
)
from tests.chat.house import House


@pytest.fixture
def quick(world: World) -> World:
    """Messages are edited more often than Discord would like."""
    world.application.client.log_following.spacing = 0.2
    return world


async def log_of(world: World, name: str = "shop") -> InteractionResult:
    return await world.admin.slash(world.channel, "bot logs", name=name)


async def until_shown(answer: InteractionResult, text: str) -> str:
    """The message of that answer, once it says that."""
    end = time.monotonic() + 8
    while text not in said(answer):
        assert time.monotonic() < end, said(answer)
        await asyncio.sleep(0.02)
    return said(answer)


async def test_new_lines_come_into_the_message_until_it_is_stopped(quick: World) -> None:
    """Then the last lines stay, with the ways to look again."""
    world = quick
    view = await ready_bot(world)
    engine = engine_of(world)
    engine.write_log(view.bot.id, "before")
    answer = await log_of(world)
    assert answer.response is not None
    assert "Follow" in labels(answer.response)
    await world.admin.click(answer.response, label="Follow")
    text = await until_shown(answer, "following, until <t:")
    assert "before" in text
    engine.write_log(view.bot.id, "fresh @everyone", "stderr")
    text = await until_shown(answer, "! fresh @\u200beveryone")
    assert labels(answer.response) == ["Pause", "Stop following"]
    await world.admin.click(answer.response, label="Stop following")
    text = await until_shown(answer, "stopped")
    assert "fresh" in text
    assert labels(answer.response) == ["Refresh", "Follow"]
    engine.write_log(view.bot.id, "too late")
    await asyncio.sleep(0.3)
    assert "too late" not in said(answer)


async def test_a_pause_keeps_the_message_still_and_loses_nothing(quick: World) -> None:
    """What came meanwhile shows when it goes on."""
    world = quick
    view = await ready_bot(world)
    answer = await log_of(world)
    await world.admin.click(answer.response, label="Follow")
    await until_shown(answer, "following")
    await world.admin.click(answer.response, label="Pause")
    await until_shown(answer, "paused")
    engine_of(world).write_log(view.bot.id, "meanwhile")
    await asyncio.sleep(0.5)
    assert "meanwhile" not in said(answer)
    await world.admin.click(answer.response, label="Go on")
    await until_shown(answer, "meanwhile")


async def test_nobody_else_holds_up_what_somebody_follows(quick: World) -> None:
    """Whoever has the address of its button sees the log of their own."""
    world = quick
    await ready_bot(world)
    bob = newcomer(world, "bob")
    await world.admin.slash(world.channel, "access grant", who=bob, role="viewer")
    answer = await log_of(world)
    await world.admin.click(answer.response, label="Follow")
    await until_shown(answer, "following")
    assert answer.response is not None
    pause, stop = buttons_of(answer.response)
    own = await bob.slash(world.channel, "bot logs", name="shop")
    for one in (pause, stop):
        forge(world, bob, world.channel, COMPONENT, press(one["custom_id"]), own.response)
    await asyncio.sleep(0.6)
    assert "following, until" in said(answer)


async def test_a_flood_is_counted_and_edits_stay_few(world: World, house: House) -> None:
    """The newest lines are shown; how many nobody saw is said."""
    view = await ready_bot(world)
    answer = await log_of(world)
    await world.admin.click(answer.response, label="Follow")
    await until_shown(answer, "following")
    before, began = len(house.env.http_requests), time.monotonic()
    for number in range(60):
        lines = "\n".join(f"line {number}-{n}" for n in range(20))
        engine_of(world).write_log(view.bot.id, lines)
        await asyncio.sleep(0.02)
    text = await until_shown(answer, "line 59-19")
    (passed,) = re.findall(r"([0-9]+) lines passed by unseen", text)
    shown = re.findall(r"line ([0-9]+)-([0-9]+)", text)
    assert 600 < int(passed) <= 1200 - len(shown)
    edits = [r for r in house.env.http_requests[before:] if r.path.endswith("@original")]
    assert len(edits) <= (time.monotonic() - began) / 2 + 2


async def test_old_buttons_after_a_restart_show_the_log_as_it_is(house: House) -> None:
    """Nothing is left hanging."""
    async with house.controller() as world:
        view = await ready_bot(world)
        answer = await log_of(world)
        await world.admin.click(answer.response, label="Follow")
        await until_shown(answer, "following")
    async with house.controller() as world:
        engine_of(world).write_log(view.bot.id, "after the restart")
        await world.admin.click(answer.response, label="Stop following")
        text = await until_shown(answer, "after the restart")
        assert "1 line" in text


async def test_who_loses_the_right_reads_no_further(quick: World) -> None:
    """Checked at every edit; and nobody follows more than three at once."""
    world = quick
    view = await ready_bot(world)
    bob = newcomer(world, "bob")
    await world.admin.slash(world.channel, "access grant", who=bob, role="viewer")
    answers = [await bob.slash(world.channel, "bot logs", name="shop") for _ in range(EACH_MOST)]
    for answer in answers:
        await bob.click(answer.response, label="Follow")
        await until_shown(answer, "following")
    more = await bob.slash(world.channel, "bot logs", name="shop")
    refused = await bob.click(more.response, label="Follow")
    assert "Too many logs are followed" in said(refused)
    await world.admin.slash(world.channel, "access revoke", who=bob)
    engine_of(world).write_log(view.bot.id, "secret talk")
    for answer in answers:
        text = await until_shown(answer, "you may not read this log any more")
        assert text


def line(text: str, stream: str = "stdout") -> LogLine:
    return LogLine(1.0, stream, text)  # type: ignore[arg-type]


PYTHON = [
    "Traceback (most recent call last):",
    '  File "bot.py", line 3, in <module>',
    "    main()",
    "ValueError: no",
]
JAVA = [
    "java.lang.IllegalStateException: no",
    "\tat Bot.main(Bot.java:3)",
    "Caused by: java.io.IOException",
    "\t... 3 more",
]


@pytest.mark.parametrize("trace", [PYTHON, JAVA], ids=["python", "java"])
def test_a_trace_is_one_block(trace: list[str]) -> None:
    """What comes before and after it isn't part of it; nor is the other pipe."""
    lines = [line("before"), *map(line, trace), line("after"), line("  other", "stderr")]
    sizes = [len(block) for block in blocks(lines)]
    assert sizes == [1, len(trace), 1, 1]


def test_ordinary_lines_are_blocks_of_their_own() -> None:
    """Also those that begin with a space, and errors in one line."""
    lines = [line(text) for text in ("a", " b", "c", "KeyError: x", "d")]
    assert [len(block) for block in blocks(lines)] == [1] * 5


def test_the_newest_blocks_begin_with_a_whole_trace_or_none() -> None:
    """If even one doesn't fit, its newest lines do."""
    lines = [line("x" * 30), *map(line, PYTHON), line("y" * 30)]
    text, count = newest_blocks(lines, 1000)
    assert count == len(lines)
    text, count = newest_blocks(lines, 150)
    assert count == 1
    assert "Traceback" not in text
    text, count = newest_blocks(lines[:-1], 100)
    assert count < len(PYTHON)
    assert "ValueError: no" in text
    assert len(text) <= 100

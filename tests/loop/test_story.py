"""The story of a bot: bounded, without repetitions, and printed when a test fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from controller.domain.phase import Phase
from controller.loop.story import LINES_KEPT, Stories
from tests.manager.rig import ANN_ASKS, API_KEY, OPEN, Rig, eventually


def test_a_story_keeps_its_newest_lines() -> None:
    """However much happens to a bot; other bots' stories are their own."""
    stories = Stories()
    for number in range(LINES_KEPT * 3):
        stories.tell("a", "look", f"number {number}")
    stories.tell("b", "look", "once")
    lines = stories.of("a")
    assert len(lines) == LINES_KEPT
    assert (lines[0].text, lines[-1].text) == ("number 100", "number 149")
    assert [line.text for line in stories.of("b")] == ["once"]
    stories.forget("a")
    assert stories.of("a") == ()


def test_the_same_thing_again_is_one_line() -> None:
    """With how often it happened, and when last; another kind of line begins anew."""
    now = [1000.0]
    stories = Stories(clock=lambda: now[0])
    for _ in range(3):
        stories.tell("a", "look", "all is well")
        now[0] += 0.5
    stories.tell("a", "step", "all is well")
    look, step = stories.of("a")
    assert (look.times, look.at, step.times) == (3, 1001.0, 1)
    assert str(look) == "00:16:41.000 look     all is well (x3)"
    assert str(step) == "00:16:41.500 step     all is well"


async def test_a_bots_way_can_be_read(rig: Rig) -> None:
    """Steps and their ends in their order, without a value or a line of its log."""
    bot = await rig.running()
    rig.runtime.write_log(bot.id, f"key {API_KEY}")
    rig.runtime.crash(bot.id, 1)
    await eventually(lambda: rig.view(bot).crashes)
    await rig.manager.lifecycle.stop(ANN_ASKS, bot)
    await rig.becomes(bot, Phase.STOPPED)
    lines = rig.manager.stories.of(bot.id)
    assert [line.text for line in lines if line.what in {"step", "end"}] == [
        *("create", "create: done", "start", "start: done"),
        *("stop", "stop: done"),
    ]
    assert "crash" in [line.text for line in lines if line.what == "verdict"]
    assert API_KEY not in rig.stories()


async def test_a_settled_bot_adds_no_line(rig: Rig) -> None:
    """A look that finds the same is counted, so a quiet month pushes nothing out."""
    bot = await rig.running()
    await eventually(rig.at_rest)
    before = len(rig.loop.stories.of(bot.id))
    for _ in range(50):
        rig.poke(bot)
        await rig.loop.watcher.resync()
    lines = rig.loop.stories.of(bot.id)
    assert len(lines) <= before + 1


async def test_a_bot_that_is_gone_has_no_story(rig: Rig) -> None:
    """Nothing is kept of it in memory."""
    bot = await rig.running()
    await rig.manager.lifecycle.delete(ANN_ASKS, bot)
    await rig.gone(bot)
    await eventually(lambda: rig.loop.stories.of(bot.id) == (), "it is forgotten")


async def test_the_doctor_tells_of_bots_in_trouble(rig: Rig) -> None:
    """The last lines of each that needs somebody, and of no other."""
    good, bad = await rig.running(), await rig.running()
    rig.runtime.restart_at_once = False
    rig.runtime.crash(bad.id, 78)
    await rig.becomes(bad, Phase.ERROR)
    await eventually(lambda: not rig.active(bad))
    found = {one.subject: one.message for one in await rig.manager.doctor.examine(ANN_ASKS)}
    assert good.name not in found
    assert found[bad.name].startswith("is error; its last steps: ")
    assert "stop: done" in found[bad.name]


pytest_plugins = ["pytester"]


def test_a_test_that_fails_prints_the_stories(pytester: pytest.Pytester) -> None:
    """Of every installation in use, and a test that passes prints none."""
    root = Path(__file__).parents[2]
    pytester.makeconftest("from tests.manager.conftest import *  # noqa")
    pytester.makepyfile("""
        async def test_it(rig):
            bot = await rig.create(name="hero")
            await rig.submit(bot)
            await rig.becomes(bot, "running")
            assert bot.name == "villain"

        async def test_other(rig):
            await rig.create(name="silent")
    """)
    options = ("-p", "no:cacheprovider", "-o", f"pythonpath={root}", "-o", "asyncio_mode=auto")
    result = pytester.runpytest_subprocess(*options)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["*- stories -*", "hero (*), running, held up: ''", "*start: done*"]
    )
    result.stdout.no_fnmatch_line("silent *")
    assert all(rig.folder.exists() for rig in OPEN)

"""What a bot's log says against its health check: found, ended, and cheap."""

from __future__ import annotations

import asyncio

import pytest

from controller.catalog import LogSign
from controller.domain.bot import Bot
from controller.domain.events import LogLine, LogPart, LogQuery
from controller.domain.observation import Health
from controller.domain.phase import Phase
from controller.loop.signs import LINE_MAX, standing_after
from tests.manager.rich import DOWN, RICH, rich_bot, with_rich
from tests.manager.rig import ANN_ASKS, Gate, Rig, eventually

NO_MODEL = "It has no model."
SIGNS = (
    LogSign(pattern=r"CHANNEL_DOWN \d+", means=DOWN, until="CHANNEL_UP"),
    LogSign(pattern="NO_MODEL", means=NO_MODEL),
)


@pytest.mark.parametrize(
    ("before", "lines", "standing"),
    [
        ({}, [], {}),
        ({}, ["all is well"], {}),
        ({}, ["at 10: CHANNEL_DOWN 503"], {0: DOWN}),
        ({}, ["CHANNEL_DOWN"], {}),
        ({}, ["channel_down 503"], {}),
        ({}, ["CHANNEL_DOWN 1", "CHANNEL_UP"], {}),
        ({}, ["CHANNEL_DOWN 1", "CHANNEL_UP", "CHANNEL_DOWN 2"], {0: DOWN}),
        ({0: DOWN}, ["something else"], {0: DOWN}),
        ({0: DOWN}, ["CHANNEL_UP"], {}),
        ({0: DOWN}, ["CHANNEL_UP NO_MODEL"], {1: NO_MODEL}),
        ({1: NO_MODEL}, ["CHANNEL_UP"], {1: NO_MODEL}),
        ({}, ["x" * LINE_MAX + "NO_MODEL"], {}),
        ({}, ["CHANNEL_DOWN ١"], {}),
    ],
)
def test_the_newest_line_decides(
    before: dict[int, str], lines: list[str], standing: dict[int, str]
) -> None:
    """Sign by sign, line by line, and no further into a line than it makes sense."""
    read = [LogLine(float(at), "stdout", text) for at, text in enumerate(lines)]
    assert standing_after(before, SIGNS, read) == standing


async def sick(rig: Rig) -> Bot:
    """A bot whose log is read often, and says that its channel is down."""
    bot = await rich_bot(rig)
    rig.loop.looker.signs.every = 0.02
    rig.loop.looker.signs.read_soon(bot.id)
    rig.runtime.write_log(bot.id, "CHANNEL_DOWN 503")
    rig.poke(bot)
    await rig.becomes(bot, Phase.UNHEALTHY)
    return bot


async def test_a_bot_that_cannot_answer_is_unhealthy_until_it_can(rig: Rig) -> None:
    """By itself, without anybody poking; its run goes on."""
    bot = await sick(rig)
    run = rig.run_of(bot)
    assert rig.view(bot).world.degraded == (DOWN,)
    rig.runtime.write_log(bot.id, "NO_MODEL")
    await eventually(lambda: rig.view(bot).world.degraded == (DOWN, NO_MODEL))
    rig.runtime.write_log(bot.id, "CHANNEL_UP")
    await eventually(lambda: rig.view(bot).world.degraded == (NO_MODEL,))
    assert (rig.view(bot).phase, rig.run_of(bot)) == (Phase.UNHEALTHY, run)


async def test_a_new_run_begins_without_signs(rig: Rig) -> None:
    """What the former run said is over."""
    bot = await sick(rig)
    await asyncio.sleep(0.005)
    await rig.manager.lifecycle.restart(ANN_ASKS, bot)
    view = await rig.becomes(bot, Phase.RUNNING)
    assert view.world.degraded == ()


async def test_a_run_that_the_engine_began_anew_has_no_signs(rig: Rig) -> None:
    """Crashed and back between two looks: its log counts from its own beginning."""
    bot = await sick(rig)
    await asyncio.sleep(0.005)
    rig.runtime.crash(bot.id, 1)
    view = await rig.becomes(bot, Phase.RUNNING)
    assert view.world.degraded == ()


async def test_a_sign_is_found_again_by_a_new_controller(rig: Rig) -> None:
    """The log of the present run is read from its beginning."""
    bot = await sick(rig)
    await rig.restart()
    await rig.becomes(bot, Phase.UNHEALTHY)
    assert rig.view(bot).world.degraded == (DOWN,)


async def test_a_bot_that_does_not_run_has_no_signs(rig: Rig) -> None:
    """A stopped bot is stopped, and its log is not read."""
    bot = await sick(rig)
    view = await rig.manager.lifecycle.stop(ANN_ASKS, bot)
    assert view is not None
    assert (view.phase, view.world.degraded) == (Phase.STOPPED, ())
    reads = rig.runtime.calls["logs"]
    await asyncio.sleep(0.1)
    assert rig.runtime.calls["logs"] == reads


async def test_a_log_is_read_once_in_a_while_however_often_one_looks(rig: Rig) -> None:
    """Looks are free, reading is not: one call in thirty seconds."""
    bot = await rich_bot(rig)
    await asyncio.sleep(0.05)
    reads = rig.runtime.calls["logs"]
    for _ in range(20):
        rig.poke(bot)
        await asyncio.sleep(0.002)
    assert rig.runtime.calls["logs"] == reads
    due = rig.loop.looker.signs.next_reading(bot.id)
    assert due is not None
    assert 25 < due <= 30


async def test_a_bot_without_signs_is_not_read(rig: Rig) -> None:
    """A template that names no signs costs nothing."""
    await with_rich(rig)
    bot = await rig.running("plain")
    assert rig.runtime.calls["logs"] == 0
    assert rig.loop.looker.signs.next_reading(bot.id) is None


async def test_a_log_that_cannot_be_read_changes_nothing(rig: Rig) -> None:
    """What was known stays known."""
    bot = await sick(rig)
    rig.runtime.hang()
    await asyncio.sleep(0.3)
    assert rig.view(bot).world.degraded == (DOWN,)
    rig.runtime.release()
    rig.runtime.write_log(bot.id, "CHANNEL_UP")
    await rig.becomes(bot, Phase.RUNNING)


async def test_a_reload_is_followed_by_a_reading(rig: Rig) -> None:
    """Whether the new secrets helped is seen at once."""
    bot = await sick(rig)
    signs = rig.loop.looker.signs
    signs.every = 1000.0
    signs.read_soon(bot.id)
    rig.poke(bot)
    await eventually(lambda: (signs.next_reading(bot.id) or 0) > 900)
    rig.runtime.write_log(bot.id, "CHANNEL_UP")
    await rig.submit(bot, rotate=True, api_key="fake-provider-key-2")
    view = await rig.becomes(bot, Phase.RUNNING)
    assert view.world.degraded == ()


async def test_where_the_health_check_fails_too_the_log_says_why(rig: Rig) -> None:
    """At once, not only with the next regular reading."""
    checked = RICH.replace("[[health.log]]", '[health]\ntest = ["CMD", "ok"]\n[[health.log]]', 1)
    rig.template(checked, "rich")
    await rig.restart()
    bot = await rig.create("rich")
    await rig.submit(bot)
    await eventually(lambda: rig.active(bot))
    rig.runtime.set_health(bot.id, Health.HEALTHY)
    await rig.becomes(bot, Phase.RUNNING)
    await eventually(lambda: rig.runtime.calls["logs"] > 0)
    rig.runtime.write_log(bot.id, "CHANNEL_DOWN 503")
    rig.runtime.set_health(bot.id, Health.UNHEALTHY, "no answer")
    await eventually(lambda: rig.view(bot).world.degraded == (DOWN,))
    rig.runtime.write_log(bot.id, "CHANNEL_UP")
    rig.runtime.set_health(bot.id, Health.HEALTHY)
    view = await rig.becomes(bot, Phase.RUNNING)
    assert view.world.degraded == ()


async def test_only_new_lines_are_read_again(rig: Rig) -> None:
    """After the first reading each one asks from the last line on, however long the log is."""
    asked: list[LogQuery] = []
    answers: list[int] = []

    class Listening(Gate):
        async def logs(self, bot_id: str, query: LogQuery) -> LogPart:
            part = await rig.runtime.logs(bot_id, query)
            asked.append(query)
            answers.append(len(part))
            return part

    rig.door = Listening(rig.runtime)
    await rig.restart()
    bot = await sick(rig)
    rig.runtime.write_log(bot.id, "\n".join(f"line {n}" for n in range(3000)))
    await eventually(lambda: answers and answers[-1] >= 3000, "the flood was read once")
    rig.runtime.write_log(bot.id, "the last one")
    last = rig.runtime.containers[bot.id].log[-1].at
    await eventually(lambda: asked[-1].since == last, "it goes on from the last line")
    assert answers[-1] == 1

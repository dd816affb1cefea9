"""The engine's clock is an hour off: nothing that compares its times with "now" may notice."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.domain.observation import Health
from controller.domain.phase import Phase
from controller.runtime.memory import MemoryRuntime
from tests.manager.rig import ANN_ASKS, API_KEY, DEMO_IMAGE, SECRETS, Rig, eventually

NEW_KEY = "fake-provider-key-2"


@pytest.fixture(params=[3600, -3600], ids=["ahead", "behind"])
async def off(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    """An installation whose engine's clock is an hour off."""
    rig = Rig(tmp_path)
    rig.runtime = rig.door = MemoryRuntime(
        images=(DEMO_IMAGE, "example/plain:1"), clock=lambda: time.time() + request.param
    )
    await rig.open()
    rig.run()
    yield rig
    await rig.kill()


async def read(rig: Rig, bot_id: str, since: str | None = None) -> list[str]:
    """The log as a person reads it."""
    query = rig.manager.logbook.parse(None, since, None, None)
    snippet = await rig.manager.logbook.read(ANN_ASKS, rig.fleet.require(bot_id).bot, query)
    return [line.text for line in snippet.lines]


async def test_a_replaced_key_stays_hidden_after_a_new_start(off: Rig) -> None:
    """The next controller doesn't know it; what was written since then is shown."""
    bot = await off.running()
    off.runtime.write_log(bot.id, f"old {API_KEY}")
    await off.submit(bot, **{**SECRETS, "api_key": NEW_KEY}, rotate=True)
    await off.becomes(bot, Phase.RUNNING)
    await eventually(lambda: not off.view(bot).bot.run.owes)
    off.runtime.write_log(bot.id, "later")
    await off.restart()
    await off.becomes(bot, Phase.RUNNING)
    assert await read(off, bot.id) == ["later"]
    off.runtime.crash(bot.id, 1)
    await eventually(lambda: off.view(bot).tail, "the last lines before the crash are shown")
    assert off.view(bot).tail == ("later",)


async def test_since_counts_back_from_the_engines_now(off: Rig) -> None:
    """What was written this minute is of the last ten; what is an hour old isn't."""
    bot = await off.running()
    off.runtime.write_log(bot.id, "now")
    assert await read(off, bot.id, "10m") == ["now"]
    clock, off.runtime._clock = off.runtime._clock, lambda: clock() + 1800
    off.runtime.write_log(bot.id, "half an hour later")
    assert await read(off, bot.id, "10m") == ["half an hour later"]


async def test_crashes_in_a_row_are_a_loop(off: Rig) -> None:
    """They are counted by the engine's own time."""
    bot = await off.running()
    for count in range(1, 4):
        off.runtime.crash(bot.id, 1)
        await eventually(lambda count=count: len(off.view(bot).crashes) == count)
    await off.becomes(bot, Phase.CRASH_LOOPING)
    decay = off.fleet.next_decay(bot.id)
    assert decay is not None
    assert 500 < decay <= 600


async def test_a_start_has_its_time_and_no_more(off: Rig) -> None:
    """It's late when its own time is over, and not before."""
    bot = await off.create("demo")
    await off.submit(bot)
    left = await eventually_left(off, bot.id)
    assert left > 1
    assert off.view(bot).phase is Phase.STARTING
    await off.restart()
    assert abs(await eventually_left(off, bot.id) - left) < 5
    off.loop.looker.clock = lambda: time.monotonic() + left + 1
    off.poke(bot)
    await off.becomes(bot, Phase.UNHEALTHY)


async def test_the_end_of_that_time_is_no_news_of_a_healthy_bot(off: Rig) -> None:
    """Nobody hears of it: with a thousand bots, each card would be worded again for nothing."""
    bot = await off.create("demo")
    await off.submit(bot)
    left = await eventually_left(off, bot.id)
    off.runtime.set_health(bot.id, Health.HEALTHY)
    await off.becomes(bot, Phase.RUNNING)
    await eventually(off.at_rest)
    before, heard = off.view(bot), list[str]()
    looks = off.runtime.calls["observe"]
    off.loop.looker.clock = lambda: time.monotonic() + left + 1
    with off.fleet.listening(heard.append):
        off.poke(bot)
        await eventually(lambda: off.runtime.calls["observe"] > looks)
        await asyncio.sleep(0.1)
    assert (off.view(bot), heard) == (before, [])


async def eventually_left(rig: Rig, bot_id: str) -> float:
    """Seconds that the bot has to become healthy, once its run was seen."""
    await eventually(lambda: rig.loop.looker.time_left(rig.fleet.require(bot_id).bot))
    return rig.loop.looker.time_left(rig.fleet.require(bot_id).bot) or 0.0


async def test_the_doctor_tells_of_the_difference(off: Rig) -> None:
    """With its size and direction, and what to do; a few seconds are no finding."""
    found = [f for f in await off.manager.doctor.examine(ANN_ASKS) if "clock" in f.message]
    assert [(f.subject, f.ok) for f in found] == [("engine", False)]
    assert "3600 seconds" in found[0].message
    assert "NTP" in found[0].remedy
    off.runtime._clock = lambda: time.time() + 20
    assert not [f for f in await off.manager.doctor.examine(ANN_ASKS) if "clock" in f.message]

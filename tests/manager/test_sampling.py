"""What bots use is measured, kept small, written down, and never in anybody's way."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace

import pytest

from controller.domain.bot import Bot
from controller.domain.errors import BadInput
from controller.domain.usage import COARSE, FINE, Counters, Figures, Point
from controller.manager.sampling import KEPT, LOG_LINES, Track
from tests.manager.rig import ANN_ASKS, Rig

USED = Counters(at=0.0, cpu=1.0, memory=64 << 20, limit=256 << 20, received=0, sent=0)


async def measured(rig: Rig, bot: Bot, cpu: float = 0.5) -> None:
    """Let it use so many cores for a moment, and measure."""
    sampler = rig.manager.sampler
    now = rig.runtime.used.get(bot.id, USED)
    rig.runtime.used[bot.id] = now
    await sampler.sample()
    await asyncio.sleep(0.02)
    track = sampler._tracks[bot.id]
    before = track.last()
    assert before is not None
    spent = cpu * (time.monotonic() - before.at)
    rig.runtime.used[bot.id] = replace(now, cpu=now.cpu + spent)
    await sampler.sample()


async def test_two_readings_make_figures_with_their_age(rig: Rig) -> None:
    """Processor time of the time between; a bot that was never measured says so."""
    bot = await rig.running()
    view = rig.view(bot)
    nothing = await rig.manager.stats.of_bot(ANN_ASKS, view)
    assert (nothing.now.figures, nothing.points) == (None, ())
    await measured(rig, bot)
    found = await rig.manager.stats.of_bot(ANN_ASKS, view)
    assert found.now.figures is not None
    assert found.now.figures.cpu == pytest.approx(0.5, rel=0.4)
    assert found.now.figures.share == 0.25
    assert 0 <= found.now.age < 5
    assert (found.step, len(found.points)) == (0, 1)
    (one,) = await rig.manager.stats.of_fleet(ANN_ASKS)
    assert one.view.bot.id == bot.id


async def test_another_run_begins_anew_and_a_stopped_bot_is_forgotten(rig: Rig) -> None:
    """No rate across two runs; nothing is kept of what doesn't run."""
    bot = await rig.running()
    await measured(rig, bot)
    await rig.manager.lifecycle.restart(ANN_ASKS, bot)
    rig.runtime.used[bot.id] = USED
    await rig.manager.sampler.sample()
    assert rig.manager.sampler.now(bot.id) is None
    await rig.manager.lifecycle.stop(ANN_ASKS, bot)
    await rig.manager.sampler.sample()
    assert rig.manager.sampler._tracks == {}


async def test_a_flooded_log_shows_on_the_bot_and_ends(rig: Rig) -> None:
    """By its newest lines, and only for a bot that has something to do."""
    bot = await rig.running()
    rig.runtime.write_log(bot.id, "\n".join(["again"] * LOG_LINES))
    await measured(rig, bot)
    assert rig.view(bot).flood > 1000
    (one,) = await rig.manager.stats.of_fleet(ANN_ASKS)
    assert one.figures is not None
    assert one.figures.lines > 1000
    await measured(rig, bot, cpu=0.0)
    assert rig.view(bot).flood == 0


async def test_a_burst_that_is_over_is_no_flood(rig: Rig) -> None:
    """As many lines at once as one looks at, and then none."""
    bot = await rig.running()
    rig.runtime.write_log(bot.id, "\n".join(["again"] * LOG_LINES))
    await asyncio.sleep(0.4)
    await measured(rig, bot)
    assert rig.view(bot).flood == 0


async def test_a_stopped_bot_floods_nothing(rig: Rig) -> None:
    """And of the rest the nearest to its limit comes first."""
    loud, small, large = [await rig.running() for _ in range(3)]
    for bot, memory in ((loud, 1), (small, 64), (large, 200)):
        rig.runtime.used[bot.id] = replace(USED, memory=memory << 20)
        await measured(rig, bot, cpu=0.001)
    rig.fleet.show_flood(loud.id, 5000.0)
    found = await rig.manager.stats.of_fleet(ANN_ASKS)
    assert [one.view.bot.id for one in found] == [loud.id, large.id, small.id]
    await rig.manager.lifecycle.stop(ANN_ASKS, loud)
    await rig.manager.sampler.sample()
    assert rig.view(loud).flood == 0


async def test_a_bot_that_idles_costs_no_look_at_its_log(rig: Rig) -> None:
    """However many there are."""
    bot = await rig.running()
    await measured(rig, bot, cpu=0.001)
    assert rig.runtime.calls["logs"] == 0


async def test_points_are_kept_summed_up_and_dropped_when_they_are_old(rig: Rig) -> None:
    """Five minutes for a week, an hour for 90 days; gone with their bot."""
    bot = await rig.running()
    hour = 1_760_000_400 // COARSE * COARSE

    def point(at: int, cpu: float) -> Point:
        return Point(
            at=at, cpu=cpu, cpu_most=2 * cpu, memory=2048, memory_most=4096, network=1, disk=2
        )

    async with rig.store.transaction() as write:
        for number in range(12):
            await write.usage.add({bot.id: point(hour + number * FINE, number / 10)})
        await write.usage.add({bot.id: point(hour - 8 * 86400, 9.0), "nobody": point(hour, 1.0)})
    async with rig.store.transaction() as write:
        await write.usage.sum_up([bot.id, "nobody"], hour)
    fine = await rig.store.points(bot.id, FINE, 0)
    assert [one.at for one in fine] == [hour + number * FINE for number in range(12)]
    (coarse,) = await rig.store.points(bot.id, COARSE, 0)
    assert (coarse.at, coarse.cpu, coarse.cpu_most) == (hour, 0.55, 2.2)
    async with rig.store.transaction() as write:
        await write.usage.sum_up([bot.id], hour + 8 * 86400)
    assert await rig.store.points(bot.id, FINE, 0) == []
    assert len(await rig.store.points(bot.id, COARSE, 0)) == 1
    assert (coarse.memory, coarse.memory_most) == (2048, 4096)
    await rig.manager.lifecycle.delete(ANN_ASKS, bot)
    await rig.gone(bot)
    assert await rig.store.points(bot.id, FINE, 0) == []


async def test_the_time_writes_points_down(rig: Rig) -> None:
    """Once five minutes are over; the use-case answers with them from then on."""
    bot = await rig.running()
    await measured(rig, bot)
    sampler = rig.manager.sampler
    now = time.time()
    await sampler._keep(now)
    assert await rig.store.points(bot.id, FINE, 0) == []
    await sampler._keep(now + FINE)
    (point,) = await rig.store.points(bot.id, FINE, 0)
    assert point.at % FINE == 0
    assert point.memory == 64 << 20
    assert (await rig.manager.stats.of_bot(ANN_ASKS, rig.view(bot))).step == FINE
    for hours, step in ((7 * 24, FINE), (7 * 24 + 1, COARSE)):
        async with rig.store.transaction() as write:
            await write.usage.sum_up([bot.id], point.at // COARSE * COARSE)
        found = await rig.manager.stats.of_bot(ANN_ASKS, rig.view(bot), hours)
        assert (found.step, len(found.points)) == (step, 1)
    with pytest.raises(BadInput):
        await rig.manager.stats.of_bot(ANN_ASKS, rig.view(bot), 10_000)


async def test_an_hour_is_summed_up_once_it_is_over(rig: Rig) -> None:
    """With its last five minutes, and not before."""
    bot = await rig.running()
    await measured(rig, bot)
    sampler = rig.manager.sampler
    hour = (int(time.time()) // COARSE + 1) * COARSE
    sampler._fine = hour // FINE - 2
    await sampler._keep(hour - FINE)
    assert await rig.store.points(bot.id, COARSE, 0) == []
    await sampler._keep(hour)
    (coarse,) = await rig.store.points(bot.id, COARSE, 0)
    assert coarse.at == hour - COARSE


def test_what_is_kept_of_a_bot_is_small_and_in_order() -> None:
    """The oldest give way; a kilobyte, however long it goes on."""
    track = Track("run")
    track.note(USED)
    assert track.last() == USED
    for number in range(3 * KEPT + 5):
        track.add(float(number), Figures(cpu=number / 8, memory=1.0))
    assert [at for at, _ in track.rows()] == [float(2 * KEPT + 5 + n) for n in range(KEPT)]
    newest = track.newest()
    assert newest is not None
    assert newest[1].cpu == (3 * KEPT + 4) / 8
    held = track._rows.itemsize * len(track._rows) + track._last.itemsize * len(track._last)
    assert held < 1024
    point = track.point(0, oldest=float(3 * KEPT + 3))
    assert point is not None
    assert point.cpu == (3 * KEPT + 3.5) / 8
    track.add(1e6, Figures(cpu=0, memory=1.0, received=8.0, sent=-1.0))
    known = track.point(0, oldest=1e6)
    assert known is not None
    assert (known.network, known.disk) == (8.0, 0.0)

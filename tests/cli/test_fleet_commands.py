"""The console's commands about many bots, and about what goes on by itself: what they choose, what
they print, and their status."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from controller.domain.phase import Phase
from controller.domain.usage import Figures
from tests.cli.socketed import botmaker, served
from tests.manager.rig import ANN_ASKS, PLAIN, Rig, eventually

PROVING = PLAIN % "unless-stopped" + "[update]\nhealthy_for = 0\n"


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """A controller that serves its socket, keeps incidents and carries batches out."""
    other = PROVING.replace('"plain"', '"other"')
    async with served(tmp_path, plain=PROVING, other=other) as rig:
        work = [rig.manager.incidents.run(), rig.manager.batches.run()]
        tasks = [asyncio.create_task(one) for one in work]
        yield rig
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_an_act_on_many_is_for_those_that_fit_and_fails_if_one_does(rig: Rig) -> None:
    """By pattern, template and phase; the rest is left alone, and nothing is done unasked."""
    fits, other, waits = await rig.running(), await rig.running("other"), await rig.create()
    asked = await botmaker(rig.folder, "fleet", "stop", "--template", "plain", typed="no\n")
    assert (asked.status, rig.active(fits)) == (1, True)
    assert asked.err.splitlines()[0] == f"{fits.name} (running)"
    assert other.name not in asked.err
    chosen = ("--template", "plain", "--phase", "running", "--yes")
    done = await botmaker(rig.folder, "fleet", "stop", *chosen)
    assert (done.status, done.out) == (0, f"{fits.name}: done stopped\n")
    assert (rig.active(fits), rig.active(other)) == (False, True)
    failed = await botmaker(rig.folder, "fleet", "restart", waits.name, "--yes")
    assert failed.status == 1
    assert failed.out.startswith(f"{waits.name}: failed {waits.name} has no secrets yet")


async def test_a_schedules_last_run_and_what_it_missed_are_in_the_list(rig: Rig) -> None:
    """With the code of the error that it ended with."""
    bot = await rig.create()
    await botmaker(rig.folder, "schedule", "add", bot.name, "stop", "daily 3:00")
    (one,) = await rig.store.schedules()
    async with rig.store.transaction() as write:
        await write.schedules.save(replace(one, last_at=60.0, last_code="storage", missed=2))
    listed = await botmaker(rig.folder, "schedule", "list", bot.name)
    assert "1970-01-01T00:01:00" in listed.out
    assert "Z failed (storage), missed 2" in listed.out
    never = await botmaker(rig.folder, "schedule", "list", bot.name, "--json")
    assert (never.json[0]["missed_at"], never.json[0]["paused"]) == (None, False)


async def test_figures_are_percents_of_a_core_and_mib(rig: Rig) -> None:
    """What isn't known is a dash, and null as JSON."""
    bot = await rig.running()
    await rig.manager.sampler.sample()
    used = Figures(cpu=0.125, memory=64 << 20, limit=256 << 20, received=2048.0)
    rig.manager.sampler._tracks[bot.id].add(0.0, used)
    shown = await botmaker(rig.folder, "stats")
    assert shown.out.split() == [bot.name, "12.5", "64.0", "256", "2.0", "-", "-"]
    now = (await botmaker(rig.folder, "stats", bot.name, "--json")).json["now"]
    assert (now["received"], now["sent"], now["log_lines"]) == (2048.0, None, None)


async def test_incidents_that_are_over_are_listed_only_with_all(rig: Rig) -> None:
    """What is wrong now stands alone."""
    bot = await rig.running()
    rig.runtime.crash(bot.id, 3)
    await eventually(lambda: rig.manager.incidents._keeper.open_ones)
    await rig.manager.lifecycle.stop(ANN_ASKS, bot)
    await eventually(lambda: not rig.manager.incidents._keeper.open_ones)
    now = await botmaker(rig.folder, "incidents")
    assert now.out == "Nothing is wrong.\n"
    every = await botmaker(rig.folder, "incidents", "--all")
    assert every.out.split()[:2] == ["1", bot.name]


async def test_newer_images_are_printed_and_tried_only_when_somebody_says_so(rig: Rig) -> None:
    """One bot after another."""
    bot = await rig.running()
    await eventually(lambda: rig.view(bot).bot.release == 1)
    rig.runtime.rebuild("example/plain:1")
    shown = await botmaker(rig.folder, "updates")
    assert shown.out.startswith(f"{bot.name}: ")
    assert "updating" not in shown.out
    await asyncio.sleep(0.1)
    assert (rig.view(bot).bot.release, rig.view(bot).bot.candidate) == (1, 0)
    begun = await botmaker(rig.folder, "updates", "--yes")
    assert begun.out.splitlines()[-1].startswith("updating: ")
    await eventually(lambda: rig.view(bot).bot.release == 2)


async def test_a_copy_says_what_it_waits_for(rig: Rig) -> None:
    """And a new name is said."""
    bot = await rig.running()
    made = await botmaker(rig.folder, "clone", bot.name, "twin")
    assert made.out == "twin is created. It waits for: api_key, channel_token.\n"
    await rig.becomes(rig.fleet.named("twin").bot, Phase.CREATED)
    called = await botmaker(rig.folder, "rename", "twin", "sister")
    assert called.out == "twin is called sister now.\n"

"""Clocks that jump by a day, forward or back: nothing waits forever and nothing is miscounted.

Tested where the clock is an argument. Not tested: jumps under a running process (no faketime), and
the engine's clock. `manager/credentials` reads the time itself, so its rows get other dates.
Next door: test_disk.py has a machine's other faults."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

import pytest

from controller.domain.bot import Bot, Crash
from controller.domain.crashes import GIVE_UP_AT, LOOPING_AT, WINDOW_SECONDS, is_looping, recent
from controller.domain.errors import NotReady
from controller.domain.names import new_bot_id
from controller.domain.observation import World
from controller.domain.phase import Phase
from controller.fleet.views import Fleet
from controller.manager.logbook import parse_query
from tests.manager.rig import ANN_ASKS, SECRETS, Rig

DAY = 86_400.0
NOW = 1_900_000_000.0


class Clock:
    """A clock set by hand."""

    now = NOW

    def __call__(self) -> float:
        return self.now


def looping() -> tuple[Fleet, Clock, str]:
    """A bot that has just crashed often enough for a crash loop."""
    clock = Clock()
    fleet, bot = Fleet(clock), Bot(
        id=new_bot_id(), name="x", template="t", provider="", model="", channel=""
    )  # fmt: skip
    fleet.add(bot, World())
    crashes = tuple(Crash(NOW - 60 + number, 1) for number in range(LOOPING_AT))
    fleet.show_crashes(bot.id, crashes)
    assert fleet.get(bot.id).phase is Phase.CRASH_LOOPING  # type: ignore[union-attr]
    return fleet, clock, bot.id


@pytest.mark.parametrize("jump", [DAY, -DAY, -WINDOW_SECONDS - 61])
def test_a_clock_that_jumps_ends_a_crash_loop_instead_of_keeping_it_for_a_day(jump: float) -> None:
    """Yesterday's crashes no longer count, nor do those dated tomorrow."""
    fleet, clock, bot_id = looping()
    clock.now += jump
    assert recent(fleet.get(bot_id).crashes, clock.now) == []  # type: ignore[union-attr]
    assert not is_looping([Crash(NOW, 1)] * GIVE_UP_AT, clock.now)
    view = fleet.show_world(bot_id, World())
    assert view is not None
    assert view.phase is not Phase.CRASH_LOOPING


@pytest.mark.parametrize("jump", [0.0, 1.0, -1.0, 300.0, -300.0, DAY, -DAY])
def test_no_wait_is_negative_or_longer_than_the_window(jump: float) -> None:
    """Whatever the clock does after the crash."""
    fleet, clock, bot_id = looping()
    clock.now += jump
    fleet.show_world(bot_id, World())
    wait = fleet.next_decay(bot_id)
    assert wait is None or 1.0 <= wait <= 2 * WINDOW_SECONDS


def test_an_engine_whose_clock_is_a_little_ahead_is_believed() -> None:
    """Crashes a few seconds in the future count: no two clocks agree exactly."""
    assert is_looping([Crash(NOW + number, 1) for number in range(LOOPING_AT)], NOW)


@pytest.mark.parametrize("since", ["1s", "99999d", "0m", "00001h"])
def test_how_far_back_a_log_goes_is_never_in_the_future(since: str) -> None:
    """Not even when asked for more days than there have been."""
    assert parse_query(None, since, None, None, now=NOW).since <= NOW


@pytest.mark.parametrize("age", [0.0, DAY / 2, DAY + 60, 30 * DAY])
async def test_a_form_ends_after_its_day_however_the_clock_came_there(
    tmp_path: Path, age: float
) -> None:
    """A jump of a day ends it, with a sentence that says what to do; nothing is written."""
    rig = Rig(tmp_path)
    await rig.open()
    rig.run()
    try:
        bot = await rig.create()
        form = await rig.manager.credentials.open_form(ANN_ASKS, bot, rotate=False)
        with contextlib.closing(sqlite3.connect(rig.data / "botmaker.db")) as base, base:
            base.execute("UPDATE form SET expires_at = expires_at - ? WHERE id = ?", [age, form.id])
        if age < DAY:
            await rig.fill_in(form.id, SECRETS)
            return
        for filled in (rig.fill_in(form.id, SECRETS), rig.fill_in(form.id, SECRETS, names=SECRETS)):
            with pytest.raises(NotReady) as caught:
                await filled
            assert caught.value.code == "form-expired"
        assert not (rig.secrets / bot.id / "api_key").exists()
    finally:
        await rig.kill()

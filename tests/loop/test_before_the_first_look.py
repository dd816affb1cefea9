"""Between a controller's start and its first look: nobody looked, so nothing is "not there"."""

from __future__ import annotations

import asyncio

import pytest

from controller.domain.bot import Bot
from controller.manager.submission import Sequel
from tests.manager.rich import rich_bot
from tests.manager.rig import ANN_ASKS, Rig, eventually

NEW = "fake-provider-key-2"


@pytest.mark.parametrize("template", ["plain", "rich"])
async def test_a_restart_before_the_first_look_is_not_lost(asleep: Rig, template: str) -> None:
    """Nobody knows the present run's name yet: whichever it is ends, once."""
    bot = await rich_bot(asleep) if template == "rich" else await _ran(asleep)
    await asleep.kill()
    run, restarts = asleep.run_of(bot), asleep.runtime.calls["restart"]
    await asleep.open()
    order = asyncio.create_task(asleep.manager.lifecycle.restart(ANN_ASKS, bot))
    await eventually(lambda: asleep.view(bot).bot.run.to_end, "the wish is written down")
    assert not asleep.view(bot).seen
    await asleep.kill()  # and it survives the controller that took it
    order.cancel()
    await asyncio.gather(order, return_exceptions=True)
    await asleep.open()
    asleep.run()
    await eventually(lambda: asleep.at_rest() and asleep.run_of(bot) != run, "it is a new run")
    assert asleep.runtime.calls["restart"] == restarts + 1
    assert asleep.view(bot).crashes == ()


async def _ran(rig: Rig) -> Bot:
    rig.run()
    return await rig.running()


@pytest.mark.parametrize("template", ["plain", "rich"])
async def test_a_rotation_before_the_first_look_is_not_lost(asleep: Rig, template: str) -> None:
    """The engine is away at the start: whichever run it turns out to have is ended, once."""
    bot = await rich_bot(asleep) if template == "rich" else await _ran(asleep)
    run = asleep.run_of(bot)
    asleep.runtime.write_log(bot.id, "the former key")
    asleep.runtime.go_away()
    await asleep.restart()
    done = await asleep.submit(bot, rotate=True, api_key=NEW)
    assert done.sequel is Sequel.RESTARTS
    assert asleep.view(bot).bot.run.log_floor > 0
    asleep.runtime.come_back()
    await eventually(lambda: asleep.at_rest() and asleep.run_of(bot) != run, "it reads the new one")
    assert asleep.view(bot).crashes == ()


async def test_settings_that_change_before_the_first_look_are_applied(asleep: Rig) -> None:
    """The container that is found has the former ones, so it is replaced."""
    bot = await rich_bot(asleep)
    run = asleep.run_of(bot)
    asleep.runtime.go_away()
    await asleep.restart()
    done = await asleep.edit(bot, greeting="ahoy")
    assert done.sequel is Sequel.RESTARTS
    asleep.runtime.come_back()
    await eventually(lambda: asleep.at_rest() and asleep.run_of(bot) != run, "it is replaced")
    wanted = asleep.house.tools.blueprints.spec(asleep.view(bot).bot).digest()
    assert asleep.runtime.containers[bot.id].seen.spec == wanted


async def test_a_bot_that_never_ran_owes_nothing_after_the_first_look(asleep: Rig) -> None:
    """What was owed in case there was a run goes with the look that finds none."""
    bot = await asleep.create()
    await asleep.restart()
    await asleep.submit(bot)
    await eventually(lambda: asleep.at_rest() and asleep.active(bot), "it runs")
    assert asleep.runtime.calls["restart"] == 0
    assert not asleep.view(bot).bot.run.owes

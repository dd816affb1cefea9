"""What people do to a bot's container past BotMaker: undone as wished, reported, never a crash."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from controller.chat.cards.card_words import card
from controller.chat.words.bot_words import UNDONE
from controller.chat.words.history_words import history_words
from controller.domain.bot import Bot, Wish
from controller.domain.journal import Kind
from controller.domain.phase import Phase
from controller.fleet.views import Fleet
from tests.loop.test_queue import BOT, RUNNING
from tests.manager.rig import ANN_ASKS, PLAIN, SECRETS, Gate, Rig, eventually

HANDS: dict[str, Callable[[Rig, Bot], None]] = {
    "stopped": lambda rig, bot: rig.runtime.do_stop(bot.id),
    "paused": lambda rig, bot: rig.runtime.pause(bot.id),
    "renamed": lambda rig, bot: rig.runtime.rename_container(bot.id, "mine"),
}


async def stopped_and_back(rig: Rig, bot: Bot) -> None:
    """Stop the bot by hand, and wait until it runs again."""
    run = rig.run_of(bot)
    rig.runtime.do_stop(bot.id)
    await eventually(lambda: rig.active(bot) and rig.run_of(bot) != run, "it runs again")


@pytest.mark.parametrize("what", list(HANDS))
async def test_what_is_done_by_hand_is_undone_and_reported(rig: Rig, what: str) -> None:
    """The same container runs under its own name, and the history says who it wasn't."""
    bot = await rig.running()
    held = rig.runtime.containers[bot.id]
    HANDS[what](rig, bot)
    while not await rig.entries(Kind.BY_HAND, bot=bot):
        await asyncio.sleep(0.01)
    await rig.becomes(bot, Phase.RUNNING)
    await eventually(lambda: rig.active(bot) and not held.seen.misnamed)
    assert rig.runtime.containers == {bot.id: held}
    assert rig.view(bot).crashes == ()
    assert rig.view(bot).bot.problem is None
    (entry,) = await rig.entries(Kind.BY_HAND, bot=bot)
    assert entry.data["what"] == what
    assert f"{what} outside BotMaker" in history_words(await rig.history(bot), bot.name)
    told = rf"{what.capitalize()} outside BotMaker <t:\d+:R>; {UNDONE[what]}\."
    assert re.search(told, card(rig.view(bot), now=time.time()).text)


@pytest.mark.parametrize("what", list(HANDS))
async def test_what_was_done_by_hand_is_news_for_ten_minutes(what: str) -> None:
    """Then the card is without it, and no wake-up is due any more. A stop that was asked for ends
    it too: a bot that is stopped wasn't started again."""
    now = [1000.0]
    fleet = Fleet(clock=lambda: now[0])
    fleet.add(BOT, RUNNING)
    fleet.show_by_hand(BOT.id, what)
    assert "outside BotMaker" in card(fleet.require(BOT.id), now=now[0]).text
    stopped = replace(BOT, wish=Wish.STOP)
    assert "outside BotMaker" not in card(fleet.show_bot(stopped), now=now[0]).text
    assert "outside BotMaker" in card(fleet.show_bot(BOT), now=now[0]).text
    now[0] += 100
    assert fleet.next_decay(BOT.id) == 500.0
    now[0] += 500
    assert "outside BotMaker" not in card(fleet.show_bot(BOT), now=now[0]).text
    assert fleet.next_decay(BOT.id) is None


async def test_stops_by_hand_never_add_up_to_a_crash_loop(rig: Rig) -> None:
    """Six in a row, each started again."""
    bot = await rig.running()
    for _ in range(6):
        await stopped_and_back(rig, bot)
    assert rig.view(bot).crashes == ()
    assert rig.view(bot).bot.problem is None


@pytest.mark.parametrize("policy", ["no", "on-failure:3"])
async def test_a_stop_by_hand_is_no_end_where_nothing_restarts(rig: Rig, policy: str) -> None:
    """Such a bot is given up when it ends by itself, not when somebody ends it."""
    rig.template(PLAIN % policy)
    await rig.restart()
    bot = await rig.running()
    await stopped_and_back(rig, bot)
    assert rig.view(bot).bot.problem is None


async def test_a_crash_after_a_stop_by_hand_is_a_crash(rig: Rig) -> None:
    """The stop belongs to the run that it ended, and to no later one."""
    bot = await rig.running()
    await stopped_and_back(rig, bot)
    await rig.becomes(bot, Phase.RUNNING)
    rig.runtime.crash(bot.id, 3)
    await eventually(lambda: [crash.exit_code for crash in rig.view(bot).crashes] == [3])


async def test_what_botmaker_does_itself_is_not_by_hand(rig: Rig) -> None:
    """Its own stops, restarts and starts have the same events."""
    bot = await rig.running()
    await rig.manager.lifecycle.restart(ANN_ASKS, bot)
    await rig.manager.lifecycle.stop(ANN_ASKS, bot)
    await rig.manager.lifecycle.start(ANN_ASKS, bot)
    await rig.becomes(bot, Phase.RUNNING)
    assert await rig.entries(Kind.BY_HAND, bot=bot) == []


async def test_a_bot_that_is_wished_to_be_stopped_is_left_stopped(rig: Rig) -> None:
    """A start by hand is undone too; a rename of what doesn't run is undone where it is."""
    bot = await rig.running()
    await rig.manager.lifecycle.stop(ANN_ASKS, bot)
    rig.runtime.rename_container(bot.id, "mine")
    await eventually(lambda: not rig.runtime.containers[bot.id].seen.misnamed)
    rig.runtime.do_start(bot.id)
    await eventually(lambda: not rig.active(bot))


@pytest.mark.parametrize("call", ["rename", "start"])
async def test_a_container_that_goes_before_a_step_reaches_it_is_made_again(
    rig: Rig, call: str
) -> None:
    """Nobody is told to act: the next look sees that it's gone."""

    async def remove(name: str) -> None:
        if name == call and not removed:
            removed.append(name)
            rig.runtime.do_remove(bot.id)

    bot = await rig.running()
    removed: list[str] = []
    rig.door = Gate(rig.runtime, before=remove)  # type: ignore[assignment]
    await rig.restart()
    await rig.becomes(bot, Phase.RUNNING)
    if call == "rename":
        rig.runtime.rename_container(bot.id, "mine")
    else:
        rig.runtime.do_stop(bot.id)
    await eventually(lambda: removed and bot.id in rig.runtime.containers and rig.active(bot))
    view = await rig.becomes(bot, Phase.RUNNING)
    assert view.bot.problem is None


async def test_a_container_behind_a_foreign_one_comes_to_light_when_that_is_gone(rig: Rig) -> None:
    """No list shows it under its other name, and no event tells that its own is free."""
    bot = await rig.running()
    rig.runtime.rename_container(bot.id, "mine")
    rig.runtime.make_foreign(bot.container_name)
    view = await rig.becomes(bot, Phase.ERROR)
    assert view.bot.problem is not None
    assert view.bot.problem.code == "foreign-container"
    await asyncio.sleep(0.2)  # the last look at it is over
    rig.runtime.foreign.clear()
    await asyncio.sleep(0.05)
    assert rig.runtime.containers[bot.id].seen.misnamed
    await rig.loop.watcher.resync()
    await eventually(lambda: not rig.runtime.containers[bot.id].seen.misnamed)
    await eventually(lambda: not rig.active(bot), "a problem stops it until somebody acts")
    await rig.manager.lifecycle.start(ANN_ASKS, bot)
    await rig.becomes(bot, Phase.RUNNING)


async def test_what_is_owed_to_a_hidden_run_stays_owed(rig: Rig) -> None:
    """It goes on under another name, with the former secrets, until it can be seen again."""
    bot = await rig.running()
    run = rig.run_of(bot)
    rig.runtime.rename_container(bot.id, "mine")
    rig.runtime.make_foreign(bot.container_name)
    await rig.becomes(bot, Phase.ERROR)
    await rig.submit(bot, rotate=True, **{**SECRETS, "api_key": "fake-provider-key-2"})
    await rig.becomes(bot, Phase.ERROR)
    assert rig.run_of(bot) == run
    rig.runtime.foreign.clear()
    await rig.manager.lifecycle.start(ANN_ASKS, bot)
    await rig.becomes(bot, Phase.RUNNING)
    assert rig.run_of(bot) != run

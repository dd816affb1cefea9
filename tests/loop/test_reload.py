"""Rotation without a restart: when it is done so, what ends it, and that it is never lost."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from controller.domain.bot import Bot
from controller.domain.errors import OutcomeUnknown
from controller.domain.events import LogQuery
from controller.domain.journal import Kind
from controller.domain.observation import Health
from controller.domain.phase import Phase
from controller.manager.credentials import Submitted
from controller.manager.submission import Sequel
from controller.runtime import ProbeResult
from tests.manager.rich import RELOAD, RICH, rich_bot, with_rich
from tests.manager.rig import ANN_ASKS, Gate, Rig, eventually

NEW = "fake-provider-key-2"


async def rotate(rig: Rig, bot: Bot, **values: str) -> Submitted:
    return await rig.submit(bot, rotate=True, **(values or {"api_key": NEW}))


def reloads(rig: Rig) -> int:
    return [command for _, command in rig.runtime.executed].count(RELOAD)


async def owe(rig: Rig, bot: Bot, run: str) -> None:
    await rig.house.tools.wishes.change(bot.id, lambda now: replace(now, run=now.run.reload(run)))


async def outcomes(rig: Rig, bot: Bot) -> list[Mapping[str, Any]]:
    return [entry.data for entry in await rig.entries(Kind.RELOAD, bot=bot)]


async def settled(rig: Rig, bot: Bot) -> None:
    await eventually(lambda: not rig.view(bot).bot.run.to_reload and rig.at_rest(), "it is settled")


async def test_a_rotation_reaches_the_running_bot_without_a_restart(rig: Rig) -> None:
    """The same run goes on, and the command ran after the new files were in place."""
    bot = await rich_bot(rig)
    run = rig.run_of(bot)
    seen: list[str] = []

    def answer(bot_id: str, _: tuple[str, ...]) -> ProbeResult:
        home = rig.secrets / bot_id
        config = json.loads((home / "channel_config").read_text())
        seen.extend(((home / "api_key").read_text(), config["key"]))
        return ProbeResult(exit_code=0, output="")

    rig.runtime.answer_execute = answer
    done = await rotate(rig, bot)
    assert done.sequel is Sequel.RELOADS
    await settled(rig, bot)
    assert (rig.run_of(bot), reloads(rig), seen) == (run, 1, [NEW, NEW])
    assert rig.view(bot).phase is Phase.RUNNING
    assert await outcomes(rig, bot) == [{"ok": True, "reason": ""}]


@pytest.mark.parametrize("code", [1, 127])
async def test_a_reload_that_fails_is_a_restart(rig: Rig, code: int) -> None:
    """The bot reads the new secrets one way or the other, and the journal says which."""
    bot = await rich_bot(rig)
    run = rig.run_of(bot)
    rig.runtime.answer_execute = lambda *_: ProbeResult(exit_code=code, output=f"bad {NEW}")
    await rotate(rig, bot)
    await eventually(lambda: rig.run_of(bot) != run, "it is restarted")
    await settled(rig, bot)
    assert (reloads(rig), rig.view(bot).crashes) == (1, ())
    assert await outcomes(rig, bot) == [{"ok": False, "reason": f"exit {code}"}]


async def test_a_reload_that_does_not_end_is_a_restart(rig: Rig) -> None:
    """After its time; nobody waits longer."""
    bot = await rich_bot(rig)
    run = rig.run_of(bot)

    def answer(*_: object) -> ProbeResult:
        raise OutcomeUnknown("It did not end.", code="action-timeout")

    rig.runtime.answer_execute = answer
    await rotate(rig, bot)
    await eventually(lambda: rig.run_of(bot) != run, "it is restarted")


async def test_a_lost_answer_is_a_reload_done_again(rig: Rig) -> None:
    """Not a restart, and not forgotten."""
    bot = await rich_bot(rig)
    run = rig.run_of(bot)
    rig.runtime.lose_answers(1)
    await rotate(rig, bot)
    await settled(rig, bot)
    assert (rig.run_of(bot), reloads(rig)) == (run, 2)


async def test_a_changed_field_needs_a_new_container(rig: Rig) -> None:
    """Where the form brings more than secrets the bot is made anew, once, and reloads nothing."""
    bot = await rich_bot(rig)
    run = rig.run_of(bot)
    done = await rotate(rig, bot, api_key=NEW, greeting="ahoy")
    assert done.sequel is Sequel.RESTARTS
    await eventually(lambda: rig.at_rest() and rig.run_of(bot) != run)
    assert reloads(rig) == 0


async def test_a_field_sent_back_as_it_is_changes_nothing(rig: Rig) -> None:
    """Forms show what is set, the default too, and send it back."""
    bot = await rich_bot(rig)
    done = await rotate(rig, bot, api_key=NEW, greeting="hello")
    assert done.sequel is Sequel.RELOADS


async def test_a_container_of_a_former_template_is_restarted(rig: Rig) -> None:
    """Its program may not know the command: the restart brings both, template and secrets."""
    bot = await rich_bot(rig)
    rig.template(RICH.replace("stop_timeout = 1", "stop_timeout = 2"), "rich")
    await rig.restart()
    await rig.becomes(bot, Phase.RUNNING)
    done = await rotate(rig, bot)
    assert done.sequel is Sequel.RESTARTS
    await eventually(lambda: rig.at_rest() and reloads(rig) == 0)


async def test_a_stopped_bot_owes_nothing(rig: Rig) -> None:
    """It reads them when it is started."""
    bot = await rich_bot(rig)
    await rig.manager.lifecycle.stop(ANN_ASKS, bot)
    bot = rig.view(bot).bot
    done = await rotate(rig, bot)
    assert done.sequel is Sequel.STOPPED
    await rig.manager.lifecycle.start(ANN_ASKS, bot)
    assert (rig.view(bot).phase, reloads(rig)) == (Phase.RUNNING, 0)


async def test_a_run_that_ended_meanwhile_has_read_them(rig: Rig) -> None:
    """Crashed and back before its reload: nothing is owed to the new run."""
    bot = await rich_bot(rig)
    run = rig.run_of(bot)
    await rig.kill()
    rig.runtime.crash(bot.id, 1)
    await rig.open()
    await owe(rig, bot, run)
    rig.run()
    await settled(rig, bot)
    assert reloads(rig) == 0


async def test_a_bot_on_its_way_up_is_not_reloaded_yet(rig: Rig) -> None:
    """With the first verdict, good or bad, its reload comes."""
    text = RICH.replace("[[health.log]]", '[health]\ntest = ["CMD", "ok"]\n[[health.log]]', 1)
    rig.template(text, "rich")
    await rig.restart()
    bot = await rig.create("rich")
    await rig.submit(bot)
    await rig.becomes(bot, Phase.STARTING)
    await eventually(lambda: rig.active(bot))
    done = await rotate(rig, bot)
    assert done.sequel is Sequel.RELOADS
    await asyncio.sleep(0.05)
    assert (reloads(rig), rig.view(bot).phase) == (0, Phase.STARTING)
    rig.runtime.set_health(bot.id, Health.UNHEALTHY)
    await settled(rig, bot)
    assert reloads(rig) == 1


async def test_two_rotations_end_with_the_second_one_read(rig: Rig) -> None:
    """Replaced once more after the bot has read and before it said so: it reads again."""
    bot = await rich_bot(rig)
    read: list[str] = []
    first, second = asyncio.Event(), asyncio.Event()

    def answer(bot_id: str, _: tuple[str, ...]) -> ProbeResult:
        read.append((rig.secrets / bot_id / "api_key").read_text())
        return ProbeResult(exit_code=0, output="")

    async def hold(name: str) -> None:
        if name == "execute":
            first.set()
            await second.wait()

    rig.runtime.answer_execute = answer
    rig.door = Gate(rig.runtime, after=hold)
    await rig.restart()
    await rig.becomes(bot, Phase.RUNNING)
    await rotate(rig, bot)
    await first.wait()
    await rotate(rig, bot, api_key="fake-provider-key-3")
    second.set()
    await settled(rig, bot)
    assert read == [NEW, "fake-provider-key-3"]


async def test_a_reload_waits_for_an_action_that_runs(rig: Rig) -> None:
    """One program beside the bot's own at a time: its memory has an end."""
    bot = await rich_bot(rig)
    held, go_on = asyncio.Event(), asyncio.Event()

    async def hold(name: str) -> None:
        if name == "execute" and not held.is_set():
            held.set()
            await go_on.wait()

    rig.door = Gate(rig.runtime, before=hold)
    await rig.restart()
    await rig.becomes(bot, Phase.RUNNING)
    action = asyncio.create_task(rig.manager.actions.run(ANN_ASKS, bot, "status", {}))
    await held.wait()
    await rotate(rig, bot)
    await asyncio.sleep(0.05)
    assert rig.runtime.executed == []
    go_on.set()
    await action
    await settled(rig, bot)
    assert [command for _, command in rig.runtime.executed] == [("app", "status"), RELOAD]


@pytest.mark.parametrize("order", ["stop", "delete", "restart"])
async def test_an_order_does_not_wait_for_a_reload(rig: Rig, order: str) -> None:
    """A bot that hangs in its reload is stopped, removed or restarted at once."""
    bot = await rich_bot(rig)
    run = rig.run_of(bot)
    rig.runtime.execute_delay = 4.0
    await rotate(rig, bot)
    await asyncio.sleep(0.02)
    async with asyncio.timeout(2):
        await getattr(rig.manager.lifecycle, order)(ANN_ASKS, bot)
    assert bot.id not in rig.runtime.containers or rig.run_of(bot) != run or not rig.active(bot)
    await eventually(rig.at_rest)


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_controller_killed_at_a_reload_has_it_done_by_the_next(rig: Rig, when: str) -> None:
    """Killed before or right after it: done, or done again, in the same run."""
    bot = await rich_bot(rig)
    run = rig.run_of(bot)
    reached = asyncio.Event()

    async def hold(name: str) -> None:
        if name == "execute" and not reached.is_set():
            reached.set()
            await asyncio.Event().wait()

    before, after = (hold, None) if when == "before" else (None, hold)
    rig.door = Gate(rig.runtime, before=before, after=after)
    await rig.restart()
    await rig.becomes(bot, Phase.RUNNING)
    await rotate(rig, bot)
    await reached.wait()
    rig.door = rig.runtime
    await rig.restart()
    await settled(rig, bot)
    assert (rig.run_of(bot), reloads(rig)) == (run, 1 if when == "before" else 2)


@pytest.mark.parametrize("template", ["rich", "plain"])
async def test_a_submit_that_was_cut_short_is_made_good(rig: Rig, template: str) -> None:
    """Files written, wish not: the next controller has the bot read them, by a reload in the same
    run where it can; what was printed before stays hidden."""
    await with_rich(rig)
    bot = await rig.running(template)
    rig.runtime.write_log(bot.id, "before: fake-provider-key-1")
    run = rig.run_of(bot)
    form_id = await rig.form(bot, rotate=True)
    async with rig.store.transaction() as write:
        await write.use_form(form_id, time.time())
    (rig.secrets / bot.id / "api_key").write_text(NEW)
    await rig.restart()
    await eventually(lambda: reloads(rig) == 1 or rig.run_of(bot) != run, "it is made good")
    await settled(rig, bot)
    assert (rig.run_of(bot) == run) is (template == "rich")
    snippet = await rig.manager.logbook.read(ANN_ASKS, rig.view(bot).bot, LogQuery())
    assert snippet.lines == ()


async def test_what_was_printed_before_the_end_of_a_reload_stays_hidden(rig: Rig) -> None:
    """A former key that the bot printed is unknown to a controller that starts later."""
    bot = await rich_bot(rig)

    def answer(bot_id: str, _: tuple[str, ...]) -> ProbeResult:
        rig.runtime.write_log(bot_id, "while reloading: fake-provider-key-1")
        return ProbeResult(exit_code=0, output="")

    rig.runtime.answer_execute = answer
    rig.runtime.write_log(bot.id, "before: fake-provider-key-1")
    await rotate(rig, bot)
    await settled(rig, bot)
    await asyncio.sleep(0.002)
    rig.runtime.write_log(bot.id, "after")
    await rig.restart()
    snippet = await rig.manager.logbook.read(ANN_ASKS, rig.view(bot).bot, LogQuery())
    assert [line.text for line in snippet.lines] == ["after"]


async def test_a_template_without_reload_any_more_restarts(rig: Rig) -> None:
    """What was owed is made good by a new run."""
    bot = await rich_bot(rig)
    run = rig.run_of(bot)
    await rig.kill()
    without = RICH.replace(', reload = ["app", "reload"], reload_timeout = 5', "")
    rig.template(without, "rich")
    await rig.open()
    await owe(rig, bot, run)
    rig.run()
    await eventually(lambda: rig.at_rest() and rig.run_of(bot) != run)
    assert rig.view(bot).bot.run.to_reload == ""


async def test_a_run_that_began_unseen_before_the_rotation_is_reached_too(rig: Rig) -> None:
    """What was seen last is over: the secrets go to whichever run there is, not to that one."""
    bot = await rich_bot(rig)
    rig.runtime.feeds.clear()
    rig.runtime.crash(bot.id, 1)  # nobody hears of it, and the engine starts it again
    run = rig.run_of(bot)
    await rotate(rig, bot)
    await settled(rig, bot)
    assert (rig.run_of(bot), reloads(rig)) == (run, 1)


async def test_a_plain_run_that_began_unseen_before_the_rotation_is_ended(rig: Rig) -> None:
    """The same for a bot that cannot reload."""
    bot = await rig.running()
    rig.runtime.feeds.clear()
    rig.runtime.crash(bot.id, 1)
    run = rig.run_of(bot)
    await rig.submit(bot, rotate=True, api_key=NEW)
    await eventually(lambda: rig.at_rest() and rig.run_of(bot) != run, "it reads the new one")

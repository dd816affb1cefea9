"""Actions: who may run which, what comes back, and what ends the waiting for one."""

from __future__ import annotations

import asyncio

import pytest

from controller.domain.access import Grant
from controller.domain.bot import Bot
from controller.domain.errors import BadInput, ControllerError, Denied, NotFound, OutcomeUnknown
from controller.domain.journal import Kind
from controller.domain.phase import Phase
from controller.domain.roles import Role
from controller.loop.errands import WAITING_MAX
from controller.manager.actions import ActionResult
from controller.runtime import ProbeResult
from tests.manager.rich import rich_bot, with_rich
from tests.manager.rig import ANN_ASKS, API_KEY, BEN, BEN_ASKS, Rig, eventually

CODE = {"code": "ABCD12"}


def asked(rig: Rig, bot: Bot, name: str = "status") -> asyncio.Task[ActionResult]:
    return asyncio.create_task(rig.manager.actions.run(ANN_ASKS, bot, name, {}))


async def under_way(rig: Rig, bot: Bot) -> asyncio.Task[ActionResult]:
    """An action that runs in the bot and does not end by itself."""
    rig.runtime.execute_delay = 4.0
    task = asked(rig, bot)
    await eventually(lambda: rig.house.tools.errands.busy(bot.id), "it is begun")
    return task


async def refusal(task: asyncio.Task[ActionResult]) -> ControllerError:
    with pytest.raises(ControllerError) as caught:
        async with asyncio.timeout(3):
            await task
    return caught.value


async def test_an_action_runs_in_the_bot_and_says_how_it_ended(rig: Rig) -> None:
    """The template's command with the person's value as one argument; one request."""
    bot = await rich_bot(rig)
    rig.runtime.answer_execute = lambda *_: ProbeResult(exit_code=3, output="no such code\n")
    done = await rig.manager.actions.run(ANN_ASKS, bot, "pair", CODE)
    assert done == ActionResult("Approve a code", 3, "no such code")
    assert rig.runtime.executed == [(bot.id, ("app", "pair", "ABCD12"))]
    (event, *_) = await rig.history(bot)
    assert event.entry.data == {"act": "bot.do", "action": "pair"}
    assert event.outcome is not None
    assert event.outcome.data == {"act": "bot.do", "result": "done", "exit_code": 3}


async def test_what_an_action_prints_is_redacted(rig: Rig) -> None:
    """The bot's own secrets, likely keys, and what the template says to hide."""
    bot = await rich_bot(rig)
    said = f"key {API_KEY}\nother sk-ant-{'x' * 30}\ndoor sesame 123 open"
    rig.runtime.answer_execute = lambda *_: ProbeResult(exit_code=0, output=said)
    done = await rig.manager.actions.run(ANN_ASKS, bot, "pair", CODE)
    assert done.text == "key [redacted]\nother [redacted]\ndoor [redacted] open"


@pytest.mark.parametrize("rest", ["the rest", ""])
async def test_half_a_secret_at_the_cut_is_not_shown(rig: Rig, rest: str) -> None:
    """The runtime gives the end of a long output: what it cuts through is left out."""
    bot = await rich_bot(rig)
    half = API_KEY[6:]
    text = f"{half} {'x' * 16_000}" + (f"\n{rest}" if rest else "")
    rig.runtime.answer_execute = lambda *_: ProbeResult(exit_code=0, output=text, cut=True)
    done = await rig.manager.actions.run(ANN_ASKS, bot, "status", {})
    assert half not in done.text
    assert done.text.endswith(rest or "xxx")


async def test_what_is_not_cut_is_shown_from_its_first_word(rig: Rig) -> None:
    """However long it is."""
    bot = await rich_bot(rig)
    text = f"first line\n{'x' * 16_000}"
    rig.runtime.answer_execute = lambda *_: ProbeResult(exit_code=0, output=text)
    assert (await rig.manager.actions.run(ANN_ASKS, bot, "status", {})).text == text


async def test_a_progress_bar_is_shown_as_it_was_last(rig: Rig) -> None:
    """Each line as a terminal shows it at the end, whatever ends the line."""
    bot = await rich_bot(rig)
    text = "10%\r50%\r100%\r\nplain\nagain 1\ragain 2\r"
    rig.runtime.answer_execute = lambda *_: ProbeResult(exit_code=0, output=text)
    done = await rig.manager.actions.run(ANN_ASKS, bot, "status", {})
    assert done.text == "100%\nplain\nagain 2"


async def test_the_rest_of_a_secret_that_was_written_over_is_not_shown(rig: Rig) -> None:
    """What stood before it isn't there to recognise it by; a whole one goes anyway."""
    bot = await rich_bot(rig)
    text = f"{API_KEY[:8]}\r{API_KEY[8:]} and on\nloading\rthe key is {API_KEY}"
    rig.runtime.answer_execute = lambda *_: ProbeResult(exit_code=0, output=text)
    done = await rig.manager.actions.run(ANN_ASKS, bot, "status", {})
    assert done.text == "[redacted] and on\nthe key is [redacted]"


async def test_a_bot_has_the_actions_of_its_channel(rig: Rig) -> None:
    """Others are not there, also for somebody who knows their name."""
    bot = await rich_bot(rig)
    assert list(rig.manager.actions.available(bot)) == ["pair", "status"]
    for name in ("plugged-only", "nothing"):
        with pytest.raises(NotFound) as caught:
            await rig.manager.actions.run(ANN_ASKS, bot, name, {})
        assert caught.value.code == "no-such-action"
    assert rig.runtime.executed == []


async def test_the_template_says_who_may(rig: Rig) -> None:
    """A viewer may what is for viewers; for the rest the role that it takes is named."""
    bot = await rich_bot(rig)
    await rig.manager.access.grant(ANN_ASKS, Grant("user", int(BEN.id), Role.VIEWER, bot.id), bot)
    await rig.manager.actions.run(BEN_ASKS, bot, "status", {})
    with pytest.raises(Denied) as caught:
        await rig.manager.actions.run(BEN_ASKS, bot, "pair", CODE)
    assert "operator" in caught.value.message
    assert [command for _, command in rig.runtime.executed] == [("app", "status")]


@pytest.mark.parametrize("code", ["", "abc", "A B", "--yes", "ABCD12; reboot"])
async def test_a_value_that_will_not_do_is_never_run(rig: Rig, code: str) -> None:
    """Nothing of it reaches the bot."""
    bot = await rich_bot(rig)
    with pytest.raises(BadInput):
        await rig.manager.actions.run(ANN_ASKS, bot, "pair", {"code": code})
    assert rig.runtime.executed == []


async def test_a_bot_that_does_not_run_takes_no_action(rig: Rig) -> None:
    """Waiting for secrets or stopped: refused at once, with the way to mend it."""
    await with_rich(rig)
    bot = await rig.create("rich")
    error = await refusal(asked(rig, bot))
    assert (error.code, error.hint) == ("secrets-missing", f"Enter them: /bot secrets {bot.name}.")
    running = await rig.running("rich")
    await rig.manager.lifecycle.stop(ANN_ASKS, running)
    error = await refusal(asked(rig, running))
    assert (error.code, error.hint) == ("not-running", "Start it, then try again.")
    assert rig.runtime.executed == []


@pytest.mark.parametrize("order", ["stop", "delete", "restart"])
async def test_an_order_ends_the_waiting_for_an_action(rig: Rig, order: str) -> None:
    """Who waits hears that the end is not known; the order itself waits for nothing."""
    bot = await rich_bot(rig)
    run = rig.run_of(bot)
    task = await under_way(rig, bot)
    asyncio.get_running_loop().create_task(getattr(rig.manager.lifecycle, order)(ANN_ASKS, bot))
    error = await refusal(task)
    assert isinstance(error, OutcomeUnknown)
    assert "nobody knows whether “Status” was done" in error.message
    await eventually(lambda: not rig.active(bot) or rig.run_of(bot) != run, "it is carried out")
    ends = [e.data for e in await rig.entries(Kind.OUTCOME, bot=bot) if e.data["act"] == "bot.do"]
    assert ends == [{"act": "bot.do", "result": "unknown", "code": "outcome-unknown"}]


async def test_one_action_at_a_time_and_a_few_in_line(rig: Rig) -> None:
    """More are refused with nothing done; those in line follow each other."""
    bot = await rich_bot(rig)
    rig.runtime.execute_delay = 0.5  # the first lasts until the others are asked for
    first = asked(rig, bot)
    await eventually(lambda: rig.house.tools.errands.busy(bot.id))
    line = [asked(rig, bot) for _ in range(WAITING_MAX)]
    await asyncio.sleep(0.01)
    error = await refusal(asked(rig, bot))
    rig.runtime.execute_delay = 0.05
    assert (error.code, "Nothing was done." in error.message) == ("busy", True)
    done = await asyncio.gather(first, *line)
    assert [result.exit_code for result in done] == [0] * (WAITING_MAX + 1)
    assert rig.runtime.calls["execute"] == WAITING_MAX + 1


async def test_a_turn_that_does_not_come_is_given_back(rig: Rig) -> None:
    """Whoever waits too long hears that nothing was done, and nothing is done later."""
    bot = await rich_bot(rig)
    first = await under_way(rig, bot)
    rig.house.tools.errands.begin_within = 0.01
    error = await refusal(asked(rig, bot))
    assert error.code == "busy"
    await rig.manager.lifecycle.stop(ANN_ASKS, bot)
    await refusal(first)
    assert rig.runtime.executed == []


async def test_an_action_that_does_not_end_in_time_is_not_called_failed(rig: Rig) -> None:
    """Its end is not known; the bot goes on."""
    bot = await rich_bot(rig)
    rig.runtime.answer_execute = lambda *_: (_ for _ in ()).throw(
        OutcomeUnknown("It did not end.", code="action-timeout")
    )
    error = await refusal(asked(rig, bot))
    assert error.code == "action-timeout"
    assert rig.view(bot).phase is Phase.RUNNING


async def test_an_engine_that_is_away_takes_no_action(rig: Rig) -> None:
    """Also when it is the action that finds it away."""
    bot = await rich_bot(rig)
    rig.runtime.go_away()
    assert (await refusal(asked(rig, bot))).code == "engine-unavailable"
    assert (await refusal(asked(rig, bot))).code == "engine-unavailable"


async def test_a_bot_is_looked_at_while_an_action_runs(rig: Rig) -> None:
    """What happens to the bot meanwhile is seen at once."""
    bot = await rich_bot(rig)
    task = await under_way(rig, bot)
    rig.runtime.crash(bot.id, 1)
    await eventually(lambda: rig.view(bot).crashes, "the crash is seen")
    assert not task.done()
    await rig.manager.lifecycle.stop(ANN_ASKS, bot)
    await refusal(task)


async def test_the_end_of_the_controller_is_told_to_who_waits(rig: Rig) -> None:
    """Nobody hangs in the shutdown."""
    bot = await rich_bot(rig)
    task = await under_way(rig, bot)
    await rig.end_loop()
    error = await refusal(task)
    assert isinstance(error, OutcomeUnknown)

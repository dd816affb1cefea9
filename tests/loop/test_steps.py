"""Steps as tasks: nobody waits for another bot's step, and what keeps failing is held back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import pytest

from controller.domain.bot import Bot, Wish
from controller.domain.errors import BadSpec, EngineUnavailable, NotReady, OutcomeUnknown
from controller.domain.observation import Observation
from controller.domain.phase import Phase
from controller.domain.plan import Step
from controller.loop.steps import PAUSE_BASE, REFUSALS_MAX
from controller.runtime import ProbeResult
from controller.runtime.memory import MemoryRuntime
from tests.manager.rich import rich_bot
from tests.manager.rig import ANN_ASKS, Rig, eventually


class Door:
    """A runtime with a doorkeeper: `before` and `after` hear of each call's name and bot, and may
    wait or raise."""

    def __init__(self, runtime: MemoryRuntime) -> None:
        self._runtime = runtime
        self.before: Callable[[str, str], Any] | None = None
        self.after: Callable[[str, str], Any] | None = None

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._runtime, name)
        if not asyncio.iscoroutinefunction(call):
            return call

        async def guarded(*args: Any, **named: Any) -> Any:
            bot_id = getattr(args[0], "bot_id", args[0]) if args else ""
            if self.before is not None:
                await self.before(name, bot_id)
            answer = await call(*args, **named)
            if self.after is not None:
                await self.after(name, bot_id)
            return answer

        return guarded


@pytest.fixture
async def door(asleep: Rig) -> Door:
    """The doorkeeper of an installation whose controller runs."""
    door = Door(asleep.runtime)
    asleep.door = door  # type: ignore[assignment]
    await asleep.restart()
    await eventually(lambda: asleep.fleet.engine.reachable)
    return door


def told(rig: Rig, bot: Bot, what: str) -> list[str]:
    """What the bot's story has of one kind."""
    return [line.text for line in rig.loop.stories.of(bot.id) if line.what == what]


def stopping(rig: Rig, bot: Bot) -> bool:
    return rig.loop.steps.running(bot.id) == Step.STOP


async def test_a_long_step_holds_up_no_other_bot(asleep: Rig, door: Door) -> None:
    """More long stops at once than the queue has workers: another bot starts and stops meanwhile,
    and the end of each stop wakes its bot by itself."""
    slow = [await asleep.running() for _ in range(12)]
    quick, go_on = await asleep.running(), asyncio.Event()

    async def hold(name: str, bot_id: str) -> None:
        if name == "stop" and bot_id in {bot.id for bot in slow}:
            await go_on.wait()

    door.before = hold
    orders = [asyncio.create_task(asleep.manager.lifecycle.stop(ANN_ASKS, bot)) for bot in slow]
    await eventually(lambda: all(stopping(asleep, bot) for bot in slow))
    view = await asleep.manager.lifecycle.stop(ANN_ASKS, quick)
    assert view is not None
    assert view.phase is Phase.STOPPED
    view = await asleep.manager.lifecycle.start(ANN_ASKS, quick)
    assert view is not None
    assert view.phase is Phase.RUNNING
    asleep.runtime.feeds.clear()  # no event either
    go_on.set()
    for bot, order in zip(slow, orders, strict=True):
        view = await order
        assert view is not None
        assert (view.phase, stopping(asleep, bot)) == (Phase.STOPPED, False)


async def test_a_bot_is_looked_at_during_its_own_step(asleep: Rig, door: Door) -> None:
    """What happens meanwhile is seen, and no second step begins."""
    bot, go_on = await asleep.running(), asyncio.Event()

    async def hold(name: str, _: str) -> None:
        if name == "stop":
            await go_on.wait()

    door.before = hold
    order = asyncio.create_task(asleep.manager.lifecycle.stop(ANN_ASKS, bot))
    await eventually(lambda: stopping(asleep, bot), "the step is shown")
    for _ in range(5):
        asleep.poke(bot)
        await asyncio.sleep(0.005)
    assert told(asleep, bot, "step")[-1] == Step.STOP
    assert told(asleep, bot, "step").count(Step.STOP) == 1
    assert asleep.view(bot).phase is Phase.STOPPING
    go_on.set()
    await order


async def test_a_look_that_overlaps_the_end_of_a_step_does_not_make_it_twice(
    asleep: Rig, door: Door
) -> None:
    """It may show the world from before: another look decides."""
    bot = await asleep.running()
    look, step = asyncio.Event(), asyncio.Event()
    looked: list[Observation | None] = []

    async def before(name: str, _: str) -> None:
        if name == "stop":
            await step.wait()

    async def after(name: str, _: str) -> None:
        if name == "observe" and stopping(asleep, bot) and not looked:
            looked.append(asleep.runtime.containers[bot.id].seen)
            await look.wait()  # the answer is known, and old by the time it comes

    door.before, door.after = before, after
    order = asyncio.create_task(asleep.manager.lifecycle.stop(ANN_ASKS, bot))
    await eventually(lambda: stopping(asleep, bot))
    asleep.poke(bot)
    await eventually(lambda: looked, "a look is under way")
    step.set()
    await eventually(lambda: told(asleep, bot, "end")[-1] == "stop: done")
    look.set()
    view = await order
    assert view is not None
    assert view.phase is Phase.STOPPED
    await asyncio.sleep(0.05)
    assert asleep.runtime.calls["stop"] == 1
    assert told(asleep, bot, "step").count(Step.STOP) == 1


async def test_a_failing_step_backs_off_although_pokes_come(asleep: Rig, door: Door) -> None:
    """Tried twice in its first second, not with every poke; what holds it up is shown from the
    second failure on, and cleared once it works."""
    bot = await asleep.running()
    tries: list[float] = []

    async def refuse(name: str, _: str) -> None:
        if name == "stop":
            tries.append(time.monotonic())
            raise EngineUnavailable("The engine is busy with sk-ant-" + "x" * 30 + ".")

    door.before = refuse
    order = asyncio.create_task(asleep.manager.lifecycle.stop(ANN_ASKS, bot))
    await eventually(lambda: tries)
    assert asleep.view(bot).held_up == "", "once is no news"
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        asleep.poke(bot)
        await asyncio.sleep(0.01)
    assert 2 <= len(tries) <= 3
    assert tries[1] - tries[0] >= 2 * PAUSE_BASE * 0.8
    assert asleep.view(bot).held_up == "The engine is busy with [redacted]."
    assert asleep.view(bot).bot.problem is None
    door.before = None
    view = await order
    assert view is not None
    assert (view.phase, asleep.view(bot).held_up) == (Phase.STOPPED, "")


async def test_a_new_wish_is_tried_at_once(asleep: Rig, door: Door) -> None:
    """However long the former one would still be held back."""
    bot = await asleep.running()
    fails, tries = {"stop"}, list[str]()

    async def refuse(name: str, _: str) -> None:
        if name in fails:
            tries.append(name)
            raise OutcomeUnknown("Lost.")

    door.before = refuse
    asyncio.get_running_loop().create_task(asleep.manager.lifecycle.stop(ANN_ASKS, bot))
    await eventually(lambda: len(tries) == 3, "it is held back for some two seconds by now")
    assert asleep.view(bot).held_up
    fails.clear()
    began = time.monotonic()
    view = await asleep.manager.lifecycle.start(ANN_ASKS, bot)
    assert view is not None
    assert view.phase is Phase.RUNNING
    await eventually(lambda: asleep.view(bot).held_up == "")
    view = await asleep.manager.lifecycle.restart(ANN_ASKS, bot)
    assert view is not None
    assert view.phase is Phase.RUNNING
    assert time.monotonic() - began < 1.0


async def test_an_engine_that_keeps_refusing_becomes_a_problem(asleep: Rig, door: Door) -> None:
    """What may pass is tried a few times, and then a person is told; the removal still works."""
    tries: list[str] = []

    class Refusal(BadSpec):
        """A refusal that may pass."""

        retryable = True

    async def refuse(name: str, _: str) -> None:
        if name == "create":
            tries.append(name)
            raise Refusal("The engine has no room.")

    door.before = refuse
    bot = await asleep.create()
    await asleep.submit(bot)
    await eventually(lambda: len(tries) == 2)
    assert asleep.view(bot).phase is Phase.STARTING
    view = await asleep.becomes(bot, Phase.ERROR, seconds=20)
    assert view.bot.problem is not None
    assert view.bot.problem.message == "The engine has no room."
    assert (len(tries), view.held_up) == (REFUSALS_MAX, "")
    await asleep.manager.lifecycle.delete(ANN_ASKS, bot)
    await asleep.gone(bot)


async def test_a_problem_that_cannot_be_noted_is_tried_again_later(asleep: Rig, door: Door) -> None:
    """The database refuses just then: shown all the same, held back, and noted once it can be."""
    tries: list[str] = []
    database, submitted = asleep.store._db._connection, asyncio.Event()

    async def refuse(name: str, _: str) -> None:
        if name == "create":
            tries.append(name)
            await submitted.wait()
            await database.execute("PRAGMA query_only=ON")
            raise BadSpec("The engine refuses it.")

    bot = await asleep.create()
    door.before = refuse
    await asleep.submit(bot)
    submitted.set()
    await eventually(lambda: asleep.view(bot).held_up, "it is shown")
    assert asleep.view(bot).held_up == "The engine refuses it."
    await asyncio.sleep(0.2)
    assert (len(tries), asleep.view(bot).bot.problem) == (1, None)

    async def refuse_only(name: str, _: str) -> None:
        if name == "create":
            raise BadSpec("The engine refuses it.")

    door.before = refuse_only
    await database.execute("PRAGMA query_only=OFF")
    view = await asleep.becomes(bot, Phase.ERROR)
    assert (view.held_up, await asleep.store.bots()) == ("", [view.bot])


async def test_a_fault_of_our_own_in_a_step_ends_no_other_bots_work(
    asleep: Rig, door: Door
) -> None:
    """It is shown without its words, tried again, and other bots go on."""
    broken, bot = await asleep.running(), await asleep.running()

    async def fail(name: str, bot_id: str) -> None:
        if name == "stop" and bot_id == broken.id:
            raise ZeroDivisionError("words of our own")

    door.before = fail
    order = asyncio.create_task(asleep.manager.lifecycle.stop(ANN_ASKS, broken))
    await eventually(lambda: asleep.view(broken).held_up, "it is shown")
    assert asleep.view(broken).held_up.startswith("Something went wrong inside BotMaker")
    assert asleep.view(broken).bot.problem is None
    view = await asleep.manager.lifecycle.stop(ANN_ASKS, bot)
    assert view is not None
    assert view.phase is Phase.STOPPED
    door.before = None
    view = await order
    assert view is not None
    assert view.phase is Phase.STOPPED


async def test_one_bot_that_cannot_be_looked_at_makes_no_engine_unreachable(
    asleep: Rig, door: Door
) -> None:
    """Its look hangs and fails again and again: the engine's state never flips, others go on."""
    stuck, bot = await asleep.running(), await asleep.running()
    states: list[bool] = []
    looks: list[float] = []

    async def hang(name: str, bot_id: str) -> None:
        if name == "observe" and bot_id == stuck.id:
            looks.append(time.monotonic())
            await asyncio.sleep(0.1)
            raise EngineUnavailable("The Docker engine does not answer.")

    door.before = hang
    with asleep.fleet.listening(lambda _: states.append(asleep.fleet.engine.reachable)):
        asleep.poke(stuck)
        await eventually(lambda: len(looks) >= 2, "it is tried again")
        for order in (asleep.manager.lifecycle.stop, asleep.manager.lifecycle.start):
            async with asyncio.timeout(1):
                await order(ANN_ASKS, bot)
        await asyncio.sleep(0.3)
    assert set(states) == {True}
    assert asleep.fleet.engine.reachable
    assert len(looks) <= 4, "it backs off"
    assert asleep.view(stuck).phase is Phase.RUNNING, "not looked isn't stopped"
    door.before = None
    stopping = await asleep.manager.lifecycle.stop(ANN_ASKS, stuck)
    assert stopping is not None
    assert stopping.phase is Phase.STOPPED


async def test_a_rotation_during_a_restart_reaches_the_bot(asleep: Rig, door: Door) -> None:
    """New values come while the former run is being ended: the run that is left has them."""
    bot = await asleep.running()
    reached, go_on = asyncio.Event(), asyncio.Event()
    read: list[str] = []

    async def after(name: str, _: str) -> None:
        if name == "restart":
            read.append((asleep.secrets / bot.id / "api_key").read_text())
            reached.set()
            await go_on.wait()

    door.after = after
    order = asyncio.create_task(asleep.manager.lifecycle.restart(ANN_ASKS, bot))
    await reached.wait()
    await asleep.submit(bot, rotate=True, api_key="fake-provider-key-2")
    for _ in range(3):
        asleep.poke(bot)
        await asyncio.sleep(0.01)
    go_on.set()
    await order
    await eventually(lambda: asleep.at_rest() and len(read) == 2, "it restarts once more")
    assert read[-1] == "fake-provider-key-2"


async def test_a_stop_waits_for_no_image_check(asleep: Rig, door: Door) -> None:
    """A create that is given up because nobody wishes for it any more is no failure."""
    reached = asyncio.Event()

    async def hold(name: str, _: str) -> None:
        if name == "pin_image":
            reached.set()
            await asyncio.Event().wait()

    bot = await asleep.create()
    door.before = hold
    await asleep.submit(bot)
    await reached.wait()
    view = await asleep.manager.lifecycle.stop(ANN_ASKS, bot)
    assert view is not None
    assert (view.phase, view.bot.wish) == (Phase.STOPPED, Wish.STOP)
    await eventually(lambda: told(asleep, bot, "end") == ["create: done"])
    assert (asleep.view(bot).held_up, asleep.view(bot).bot.problem) == ("", None)


async def test_an_action_waits_for_a_step_and_is_refused_when_the_run_ends(rig: Rig) -> None:
    """What was asked to run in a bot that is being stopped hears so."""
    bot = await rich_bot(rig)
    rig.runtime.answer_execute = lambda *_: ProbeResult(exit_code=0, output="done")
    stopping = asyncio.create_task(rig.manager.lifecycle.stop(ANN_ASKS, bot))
    await eventually(lambda: rig.view(bot).bot.wish is Wish.STOP)
    with pytest.raises(NotReady) as caught:
        await rig.manager.actions.run(ANN_ASKS, bot, "status", {})
    assert caught.value.code == "not-running"
    await stopping

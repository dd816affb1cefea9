"""What goes wrong on the way: lost answers, an absent engine, foreign things, kills."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from controller.domain.bot import Bot, Wish
from controller.domain.errors import EngineBusy
from controller.domain.journal import Kind
from controller.domain.observation import ListedContainer
from controller.domain.phase import Phase
from controller.runtime.memory import MemoryRuntime
from tests.manager.rig import ANN_ASKS, PLAIN, Gate, Rig, eventually

WAYS = {
    "create": "start",
    "start": "start",
    "restart": "restart",
    "stop": "stop",
    "remove": "delete",
    "remove_volume": "delete",
}


async def order(rig: Rig, bot: Bot, what: str) -> None:
    """Write the wish of an order, without waiting for its end."""
    run = rig.run_of(bot) if rig.active(bot) else ""
    edits: dict[str, Callable[[Bot], Bot]] = {
        "start": lambda now: replace(now, wish=Wish.RUN, problem=None),
        "stop": lambda now: replace(now, wish=Wish.STOP),
        "restart": lambda now: replace(now, wish=Wish.RUN, problem=None, run=now.run.end(run)),
        "delete": lambda now: replace(now, wish=Wish.REMOVE),
    }
    await rig.house.tools.wishes.change(bot.id, edits[what])


async def prepared(rig: Rig, step: str) -> Bot:
    """A bot for which the order in WAYS comes to that step."""
    bot = await rig.running()
    if step in {"create", "start"}:
        await rig.manager.lifecycle.stop(ANN_ASKS, bot)
    if step == "create":
        await rig.runtime.remove(bot.id, 1)
    return bot


async def as_wished(rig: Rig, bot: Bot, step: str) -> None:
    """The order came true, exactly once, and nothing is held against the bot."""
    if WAYS[step] == "delete":
        await rig.gone(bot)
        return
    await eventually(rig.at_rest, f"{WAYS[step]} comes true")
    view = rig.view(bot)
    assert (view.bot.problem, view.crashes) == (None, ())
    assert rig.active(bot) is (WAYS[step] != "stop")
    assert list(rig.runtime.containers) == [bot.id]


@pytest.mark.parametrize("step", WAYS)
@pytest.mark.parametrize("count", [1, 3])
async def test_a_lost_answer_is_not_a_failure(rig: Rig, step: str, count: int) -> None:
    """Writes that were done and whose answers were lost end in the wished world."""
    bot = await prepared(rig, step)
    rig.runtime.lose_answers(count)
    await order(rig, bot, WAYS[step])
    await as_wished(rig, bot, step)


@pytest.mark.parametrize("step", WAYS)
async def test_an_engine_that_goes_away_is_waited_for(asleep: Rig, step: str) -> None:
    """The order goes on at once when the engine is back, whichever step found it away."""
    away = asyncio.Event()

    async def leave(name: str) -> None:
        if name == step and armed and not away.is_set():
            asleep.runtime.go_away()
            away.set()

    armed: list[str] = []
    asleep.door = Gate(asleep.runtime, before=leave)
    await asleep.restart()
    bot = await prepared(asleep, step)
    armed.append(step)
    await order(asleep, bot, WAYS[step])
    await away.wait()
    await eventually(lambda: not asleep.fleet.engine.reachable)
    assert asleep.view(bot).bot.problem is None
    asleep.runtime.come_back()
    await as_wished(asleep, bot, step)


async def test_a_bot_is_not_forgotten_when_another_one_finds_the_engine_first(rig: Rig) -> None:
    """The engine comes back without an event: every bot whose look failed is looked at again."""
    left, other = await rig.running(), await rig.running()
    rig.runtime.feeds.clear()
    rig.runtime.go_away()
    await order(rig, left, "stop")
    await eventually(lambda: not rig.fleet.engine.reachable)
    rig.runtime.come_back()
    await order(rig, other, "restart")
    await eventually(lambda: rig.fleet.engine.reachable)
    await rig.loop.watcher.resync()
    await eventually(lambda: not rig.active(left), "the order given meanwhile comes true")


class Crowded(MemoryRuntime):
    """An engine that our own calls keep from being asked."""

    full = False

    async def list_containers(self) -> list[ListedContainer]:
        """The list, unless no thread is free for it."""
        if self.full:
            raise EngineBusy("No thread is free.")
        return await super().list_containers()


async def test_having_too_much_to_do_says_nothing_about_the_engine(asleep: Rig) -> None:
    """Nobody asked it, so it isn't called away."""
    crowded = asleep.door = asleep.runtime = Crowded(images=asleep.runtime.images)
    await asleep.restart()
    await asleep.running()
    crowded.full = True
    await asleep.loop.watcher.resync()
    assert asleep.fleet.engine.reachable


@pytest.mark.parametrize("step", WAYS)
@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_controller_killed_at_a_step_is_finished_by_the_next(
    asleep: Rig, step: str, when: str
) -> None:
    """Killed before or right after any write, the next controller completes the order."""
    reached, armed = asyncio.Event(), list[str]()

    async def hold(name: str) -> None:
        if name == step and armed:
            reached.set()
            await asyncio.Event().wait()

    hooks: dict[str, Callable[[str], Awaitable[None]]] = {when: hold}
    asleep.door = Gate(asleep.runtime, **hooks)
    await asleep.restart()
    bot = await prepared(asleep, step)
    armed.append(step)
    await order(asleep, bot, WAYS[step])
    await reached.wait()
    asleep.door = asleep.runtime
    await asleep.restart()
    await as_wished(asleep, bot, step)


@pytest.mark.parametrize("wish", ["start", "stop", "restart", "delete"])
async def test_an_order_given_while_the_engine_hangs_comes_true(rig: Rig, wish: str) -> None:
    """The wish is kept, calls give up in time, and the release brings the wished world."""
    bot = await rig.running()
    rig.runtime.hang()
    await order(rig, bot, wish)
    await asyncio.sleep(0.5)
    rig.runtime.release()
    rig.runtime.come_back()
    if wish == "delete":
        await rig.gone(bot)
        return
    await eventually(rig.at_rest)
    assert rig.active(bot) is (wish != "stop")


async def test_a_foreign_container_of_that_name_is_named_and_left_alone(rig: Rig) -> None:
    """The bot says why it does not run; once the thing is away, start works."""
    bot = await rig.create()
    rig.runtime.make_foreign(bot.container_name)
    await rig.submit(bot)
    view = await rig.becomes(bot, Phase.ERROR)
    assert view.bot.problem is not None
    assert view.bot.problem.code == "foreign-container"
    assert bot.container_name in view.bot.problem.message
    assert rig.runtime.foreign == {bot.container_name}
    rig.runtime.foreign.clear()
    started = await rig.manager.lifecycle.start(ANN_ASKS, bot)
    assert started is not None
    assert started.phase is Phase.RUNNING


async def test_a_bot_with_a_foreign_namesake_can_be_removed(rig: Rig) -> None:
    """What is ours goes, the foreign container stays."""
    bot = await rig.create()
    rig.runtime.make_foreign(bot.container_name)
    await rig.submit(bot)
    await rig.becomes(bot, Phase.ERROR)
    await rig.manager.lifecycle.delete(ANN_ASKS, bot)
    await rig.gone(bot)
    assert rig.runtime.foreign == {bot.container_name}


async def test_a_missing_image_is_a_problem_with_a_reason_until_start(rig: Rig) -> None:
    """The person reads which image; after it is there, start makes the bot run."""
    rig.runtime.images.discard("example/plain:1")
    bot = await rig.create()
    await rig.submit(bot)
    view = await rig.becomes(bot, Phase.ERROR)
    assert view.bot.problem is not None
    assert view.bot.problem.code == "image-missing"
    assert "example/plain:1" in view.bot.problem.message
    rig.runtime.images.add("example/plain:1")
    started = await rig.manager.lifecycle.start(ANN_ASKS, bot)
    assert started is not None
    assert (started.phase, started.bot.problem) == (Phase.RUNNING, None)


async def test_a_spec_that_the_engine_refuses_is_a_problem(rig: Rig) -> None:
    """The engine's reason is shown, and nothing is tried again until somebody acts."""
    bot = await rig.create()
    rig.runtime.absent.add(str(rig.secrets / bot.id))
    await rig.submit(bot)
    view = await rig.becomes(bot, Phase.ERROR)
    assert view.bot.problem is not None
    assert view.bot.problem.code == "bad-spec"
    tried = rig.runtime.calls["create"]
    rig.poke(bot)
    await asyncio.sleep(0.05)
    assert rig.runtime.calls["create"] == tried
    assert len(await rig.entries(Kind.PROBLEM, bot=bot)) == 1


async def test_a_container_that_vanishes_before_its_start_is_made_again(asleep: Rig) -> None:
    """Somebody removes it between look and start: that is no problem of the bot."""
    taken: list[str] = []

    async def take(name: str) -> None:
        if name == "start" and armed and not taken:
            taken.append(name)
            await asleep.runtime.remove(bot.id, 1)

    armed: list[str] = []
    asleep.door = Gate(asleep.runtime, before=take)
    await asleep.restart()
    bot = await prepared(asleep, "start")
    armed.append("start")
    await order(asleep, bot, "start")
    view = await asleep.becomes(bot, Phase.RUNNING)
    assert view.bot.problem is None
    assert taken


@pytest.mark.parametrize("change", ["provider", "channel", "gone"])
async def test_a_bot_that_its_template_no_longer_fits_can_still_be_stopped_and_removed(
    rig: Rig, change: str
) -> None:
    """The template loses the bot's provider or channel, or goes: orders still come true."""
    bot = await rig.running()
    run = rig.run_of(bot)
    text = PLAIN % "unless-stopped"
    if change == "gone":
        (rig.templates / "plain.toml").unlink()
    else:
        rig.template(text.replace(f"{change}s.demo", f"{change}s.other"))
    await rig.restart()
    await rig.becomes(bot, Phase.RUNNING)
    assert rig.run_of(bot) == run
    view = await rig.manager.lifecycle.stop(ANN_ASKS, bot)
    assert view is not None
    assert (view.phase, rig.active(bot)) == (Phase.STOPPED, False)
    await rig.runtime.remove(bot.id, 1)
    failed = await rig.manager.lifecycle.start(ANN_ASKS, bot)
    assert failed is not None
    assert failed.phase is Phase.ERROR
    assert failed.bot.problem is not None
    assert failed.bot.problem.message
    await rig.manager.lifecycle.delete(ANN_ASKS, bot)
    await rig.gone(bot)


async def test_a_caller_who_gives_up_does_not_stop_what_was_wished(rig: Rig) -> None:
    """A cancelled order is carried out all the same: it is in the store."""
    bot = await rig.running()
    for delay in range(12):
        await rig.house.tools.wishes.change(bot.id, lambda now: replace(now, wish=Wish.RUN))
        await eventually(lambda: rig.at_rest() and rig.active(bot))
        caller = asyncio.create_task(order(rig, bot, "stop"))
        for _ in range(delay):
            await asyncio.sleep(0)
        caller.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await caller
        await asyncio.sleep(0.01)
        await eventually(rig.at_rest, f"given up after {delay} turns")


async def test_a_second_installation_on_the_same_disk_is_not_needed_to_resume(
    tmp_path: Path,
) -> None:
    """The wishes of a controller that never ran are met by the one that does."""
    rig = Rig(tmp_path)
    await rig.open()
    bot = await rig.create()
    await rig.submit(bot)
    assert not rig.runtime.containers
    await rig.restart()
    await rig.becomes(bot, Phase.RUNNING)
    await rig.kill()


@pytest.mark.parametrize("what", ["stop", "delete"])
async def test_a_bot_can_be_stopped_without_its_secrets_disk(rig: Rig, what: str) -> None:
    """The secrets folder is gone (an unmounted disk, say): a stop is a stop all the same."""
    bot = await rig.running()
    rig.secrets.rename(rig.folder / "elsewhere")
    await order(rig, bot, what)
    await eventually(lambda: not rig.active(bot))
    (rig.folder / "elsewhere").rename(rig.secrets)
    if what == "delete":
        await eventually(lambda: rig.fleet.get(bot.id) is None)
        await rig.gone(bot)


async def test_a_fatal_exit_is_seen_without_the_secrets_disk(rig: Rig) -> None:
    """A disk that is away holds back a start, not the truth about what ran."""
    bot = await rig.running()
    rig.runtime.restart_at_once = False
    rig.secrets.rename(rig.folder / "elsewhere")
    rig.runtime.crash(bot.id, 78)
    view = await rig.becomes(bot, Phase.ERROR)
    assert view.bot.problem is not None
    assert view.bot.problem.code == "fatal-exit"
    (rig.folder / "elsewhere").rename(rig.secrets)


class SlowRegistry:
    """A runtime whose images come only when the test lets them."""

    def __init__(self, runtime: MemoryRuntime) -> None:
        self._runtime = runtime
        self.answers = asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._runtime, name)

    async def pin_image(self, ref: str, pull: str, **options: Any) -> str:
        """Wait for the registry."""
        await self.answers.wait()
        return await self._runtime.pin_image(ref, pull, **options)


async def test_a_registry_that_hangs_holds_up_only_who_waits_for_it(rig: Rig) -> None:
    """More bots wait for an image than there are workers: others are stopped, theirs deleted."""
    running = await rig.running()
    registry = rig.door = SlowRegistry(rig.runtime)
    await rig.restart()
    waiting = [await rig.create() for _ in range(12)]
    for bot in waiting:
        await rig.submit(bot)
    await order(rig, running, "stop")
    await eventually(lambda: not rig.active(running), "it is stopped")
    for bot in waiting[:6]:
        await order(rig, bot, "delete")
    await eventually(lambda: len(rig.fleet) == 7, "they are gone")
    registry.answers.set()
    for bot in waiting[6:]:
        await rig.becomes(bot, Phase.RUNNING)


async def test_a_delete_during_a_look_leaves_no_volume(rig: Rig) -> None:
    """That look was made for a bot that should run, so it didn't ask whether there is a volume."""
    bot = await rig.running()
    volume = {bot.id}
    looking, go_on = asyncio.Event(), asyncio.Event()
    absent: list[str] = []

    class Slow(Gate):
        async def observe(self, bot_id: str) -> object:
            answer = await rig.runtime.observe(bot_id)
            absent.extend([bot_id] if answer is None else [])
            if len(absent) == 2:  # the first absence is doubted, the second believed
                looking.set()
                await go_on.wait()
            return answer

    rig.door = Slow(rig.runtime)  # type: ignore[assignment]
    await rig.restart()
    await rig.becomes(bot, Phase.RUNNING)
    rig.runtime.do_remove(bot.id)
    await looking.wait()
    assert rig.runtime.volumes == volume
    deletion = asyncio.create_task(rig.manager.lifecycle.delete(ANN_ASKS, bot))
    await eventually(lambda: rig.view(bot).bot.wish is Wish.REMOVE)
    go_on.set()
    await deletion
    await rig.gone(bot)

"""Carrying steps out: each is a task of its own, and its end wakes the bot.

A step that fails is held back before it is tried again, longer each time, and what holds it up is
shown. A person's new wish is tried at once.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from controller.domain.bot import Bot, Problem, Wish
from controller.domain.errors import (
    ControllerError,
    EngineBusy,
    EngineUnavailable,
    ImageMissing,
    NotFound,
    NotReady,
    OutcomeUnknown,
    RuntimeTrouble,
)
from controller.domain.journal import by_hand
from controller.domain.plan import Step
from controller.domain.release import is_same_wish
from controller.fleet.blueprint import Blueprints
from controller.fleet.threads import Threads
from controller.fleet.views import Fleet
from controller.fleet.wishes import Wishes
from controller.loop.errands import Errands
from controller.loop.former_secrets import FormerSecrets
from controller.loop.freshness import Freshness
from controller.loop.pins import Pins
from controller.loop.preparation import MISSING_PLUGIN, Preparation
from controller.loop.queue import loop_time
from controller.loop.reloads import Reloads
from controller.loop.restored_states import RestoredStates
from controller.loop.savings import Savings
from controller.loop.snapshot_steps import SnapshotSteps
from controller.loop.story import Stories
from controller.loop.trials import Trials
from controller.runtime import Runtime
from controller.vault import Redactor

log = logging.getLogger(__name__)
REFUSALS_MAX = 5  # failures of the engine in a row, over some 8 s, before a person is told
PAUSE_BASE = 0.25  # seconds; doubled with each failure in a row
PAUSE_CAP = 30.0
ENDING = {  # steps after which nobody waits for a command in the bot any longer
    Step.STOP: "is being stopped",
    Step.RESTART: "is being restarted",
    Step.REMOVE_CONTAINER: "is being removed or created again",
}
# Steps that need a container, which somebody may have removed since the look.
OF_A_CONTAINER = {Step.RENAME, Step.START, Step.RESTART, Step.RELOAD}


@dataclass(frozen=True, slots=True)
class Failure:
    """A step that failed, of the wish as it was, and until when it isn't tried again."""

    step: Step
    wish: tuple[object, ...]
    count: int
    until: float  # by the monotonic clock
    why: str


class Steps:
    """Begins steps, knows which are under way, and holds back what keeps failing."""

    def __init__(  # noqa: PLR0913 - every step needs another part
        self,
        *,
        runtime: Runtime,
        fleet: Fleet,
        wishes: Wishes,
        blueprints: Blueprints,
        preparation: Preparation,
        reloads: Reloads,
        errands: Errands,
        savings: Savings,
        restored: RestoredStates,
        snapshots: SnapshotSteps,
        former: FormerSecrets,
        redactor: Redactor,
        threads: Threads,
        stories: Stories,
        freshness: Freshness,
        pins: Pins,
        trials: Trials,
        wake: Callable[[str], None],
        doubt: Callable[[str], None],
    ) -> None:
        self._runtime = runtime
        self._fleet = fleet
        self._wishes = wishes
        self._blueprints = blueprints
        self._preparation = preparation
        self._reloads = reloads
        self._errands = errands
        self.savings = savings
        self._restored = restored
        self._snapshots = snapshots
        self._former = former
        self._redactor = redactor
        self._threads = threads
        self._stories = stories
        self._freshness = freshness
        self._wake = wake
        self._doubt = doubt
        self._running: dict[str, tuple[Step, asyncio.Task[None]]] = {}
        self._turns: dict[str, int] = {}
        self._pins = pins
        self._trials = trials
        self._failures: dict[str, Failure] = {}

    def running(self, bot_id: str) -> str:
        """The step that is under way, or an empty text."""
        found = self._running.get(bot_id)
        return found[0].value if found else ""

    def turn(self, bot_id: str) -> int:
        """A number that changes whenever a step of the bot begins or ends."""
        return self._turns.get(bot_id, 0)

    def begin(self, step: Step, bot: Bot) -> float | None:
        """Begin the step; None. Or the seconds for which it is held back."""
        failed = self._failures.get(bot.id)
        if failed is not None and (failed.step, failed.wish) == (step, _wish_of(bot)):
            left = failed.until - loop_time()
            if left > 0:
                return left
        if step in ENDING:
            self._errands.give_up(bot.id, ENDING[step])
        if step is Step.REMOVE_CONTAINER:
            self._freshness.expect_removal(bot.id)
        task = asyncio.create_task(self._carry_out(step, bot), name=f"{step}-{bot.id}")
        self._running[bot.id] = (step, task)
        self._count(bot.id)
        return None

    def settled(self, bot_id: str) -> None:
        """Nothing is left to do for the bot: nothing holds it up either."""
        self._failures.pop(bot_id, None)
        self._fleet.show_held_up(bot_id, "")

    def forget(self, bot_id: str) -> None:
        """The bot is gone."""
        self._failures.pop(bot_id, None)
        self._turns.pop(bot_id, None)
        self._pins.forget(bot_id)
        self._preparation.forget(bot_id)

    async def close(self) -> None:
        """Give up the steps that are under way; the next controller looks what came of them."""
        tasks = [task for _, task in self._running.values()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _count(self, bot_id: str) -> None:
        self._turns[bot_id] = self._turns.get(bot_id, 0) + 1

    async def _carry_out(self, step: Step, bot: Bot) -> None:
        log.info("bot %s (%s): %s", bot.name, bot.id, step)
        self._stories.tell(bot.id, "step", step.value)
        ended = "done"
        try:
            await self._take(step, bot)
            self._failures.pop(bot.id, None)
            self._fleet.show_held_up(bot.id, "")
        except asyncio.CancelledError:
            ended = "given up"
            raise
        except ControllerError as error:
            ended = error.code
            await self._failed(step, bot, error)
        except Exception as error:  # a bug of ours holds up this bot alone
            ended = type(error).__name__
            log.exception("bot %s (%s): %s failed", bot.name, bot.id, step)
            self._hold_back(step, bot, "Something went wrong inside BotMaker; its log has details.")
        finally:
            self._stories.tell(bot.id, "end", f"{step.value}: {ended}")
            self._running.pop(bot.id, None)
            if self._fleet.get(bot.id) is not None:
                self._count(bot.id)
            self._wake(bot.id)

    async def _failed(self, step: Step, bot: Bot, error: ControllerError) -> None:
        if isinstance(error, NotFound) and step in OF_A_CONTAINER:
            return  # removed by hand since the look; the next look sees that
        log.warning("bot %s (%s): %s: %s", bot.name, bot.id, step, error)
        if isinstance(error, EngineUnavailable):
            self._errands.refuse(bot.id, error)
            self._doubt(bot.id)
        count = self._hold_back(step, bot, self._redactor(error.message))
        looks_again = isinstance(error, EngineUnavailable | EngineBusy | OutcomeUnknown)
        told_often = isinstance(error, RuntimeTrouble) and count >= REFUSALS_MAX
        if bot.wish is Wish.RUN and not looks_again and (not error.retryable or told_often):
            await self._give_up(bot, error)

    def _hold_back(self, step: Step, bot: Bot, why: str) -> int:
        """Try it again later, and show why; how often in a row it has failed."""
        before = self._failures.get(bot.id)
        same = before is not None and (before.step, before.wish) == (step, _wish_of(bot))
        count = before.count + 1 if before is not None and same else 1
        pause = min(PAUSE_CAP, PAUSE_BASE * 2.0 ** min(count, 12))
        pause *= random.uniform(0.8, 1.2)  # noqa: S311 - spreads retries, guards nothing
        until = loop_time() + pause
        self._failures[bot.id] = Failure(step, _wish_of(bot), count, until, why)
        if count > 1:  # once is no news: the next try mostly works
            self._fleet.show_held_up(bot.id, why)
        self._stories.tell(bot.id, "held", f"{step.value}: failed {count} times in a row")
        return count

    async def _give_up(self, bot: Bot, error: ControllerError) -> None:
        """Note the problem and stop trying, unless a person changed the bot meanwhile."""
        problem = Problem(
            error.code, self._redactor(error.message), self._redactor(error.hint), time.time()
        )

        def still(now: Bot) -> Bot:
            tried = now.wish is Wish.RUN and is_same_wish(now, bot)
            return replace(now, problem=problem) if tried else now

        self._fleet.show_held_up(bot.id, "")  # first: the problem is never shown beside it
        try:
            if self._trials.may_return(bot):
                await self._trials.take_back(bot, problem)
            else:
                await self._wishes.change(bot.id, still)
        except ControllerError as trouble:  # it stays held back, and the next try notes it
            log.warning("bot %s (%s): not noted: %s", bot.name, bot.id, trouble)
            self._fleet.show_held_up(bot.id, problem.message)
            return
        self._failures.pop(bot.id, None)

    async def _take(self, step: Step, bot: Bot) -> None:
        grace = self._blueprints.stop_timeout(bot)
        match step:
            case Step.CREATE | Step.RESTORE:
                await (self._create if step is Step.CREATE else self._snapshots.restore)(bot)
            case Step.RENAME:
                await self._rename(bot)
            case Step.START | Step.RESTART | Step.RELOAD:
                await self._run_again(step, bot, grace)
            case Step.STOP | Step.SAVE:
                await (self._save if step is Step.SAVE else self._stop)(bot, grace)
            case Step.REMOVE_CONTAINER:
                await self._remove_container(bot, grace)
            case Step.PROPOSE | Step.PARK | Step.COMMIT | Step.TAKE_BACK | Step.UNPARK:
                await self._try(step, bot, grace)
            case Step.REMOVE_PREVIOUS:
                await self._trials.remove_previous(bot)
            case Step.REMOVE_VOLUME | Step.DROP_FOLDER | Step.FORGET:
                await self._remove_rest(step, bot)
            case Step.SETTLED | Step.LOOK_AGAIN | Step.WAIT:
                return

    async def _remove_rest(self, step: Step, bot: Bot) -> None:
        """What is left of a bot without a container; its row goes last."""
        match step:
            case Step.REMOVE_VOLUME:
                await self._runtime.remove_volume(bot.id)
            case Step.DROP_FOLDER:
                await self._drop_files(bot)
                self._redactor.forget(bot.id)
            case _:
                await self._runtime.let_go(bot.id)
                await self._wishes.forget(bot.id)
                # Secrets may have come since the look; `credentials` drops what comes from now on.
                await self._drop_files(bot)

    async def _drop_files(self, bot: Bot) -> None:
        await self._threads.secrets(lambda: self._blueprints.drop_files(bot.id))
        await self._former.drop(bot.id)
        await self._restored.drop(bot.id)
        await self._snapshots.drop(bot.id)

    async def _try(self, step: Step, bot: Bot, grace: int) -> None:
        match step:
            case Step.PROPOSE:
                await self._trials.propose(bot)
            case Step.PARK:
                await self._trials.park(bot, grace)
            case Step.COMMIT:
                await self._trials.commit(bot)
            case Step.TAKE_BACK:
                await self._trials.take_back(bot)
            case _:
                await self._trials.unpark(bot)

    async def _remove_container(self, bot: Bot, grace: int) -> None:
        # What the next one will be created from is fetched first, while this one still runs. Not
        # for one that failed: it only makes way for the one before it.
        comes_next = bot.wish is Wish.RUN and not self._fleet.require(bot.id).world.previous
        if not comes_next or await self._pins.renew(bot) is not None:
            await self._runtime.remove(bot.id, grace)

    async def _is_current(self, step: Step, bot: Bot) -> bool:
        """Whether a restart may keep the container: False when it needs another image now."""
        if step is not Step.RESTART:
            return True
        renewed = await self._pins.renew(bot)
        return renewed is not None and renewed.image == bot.image

    async def _run_again(self, step: Step, bot: Bot, grace: int) -> None:
        if not await self._is_current(step, bot) or not await self._preparation.secrets(bot):
            return
        if step is Step.START:
            await self._start(bot)
        elif step is Step.RESTART:
            await self._runtime.restart(bot.id, grace)
        else:
            await self._reloads(bot)

    async def _rename(self, bot: Bot) -> None:
        if await self._runtime.rename(bot.id):
            await self._tell_by_hand(bot, "renamed")

    async def _start(self, bot: Bot) -> None:
        if await self._runtime.start(bot.id):
            await self._tell_by_hand(bot, "paused")
        else:
            self._freshness.expect_run(bot.id)

    async def _tell_by_hand(self, bot: Bot, what: str) -> None:
        log.warning("bot %s (%s): somebody %s it outside BotMaker", bot.name, bot.id, what)
        await self._wishes.change(bot.id, lambda now: now, facts=[by_hand(what)])

    async def _name_the_end(self, bot: Bot) -> None:
        """Note first which run is about to end: a start that is asked for meanwhile must not take
        that end for a crash."""
        view = self._fleet.get(bot.id)
        container = view.world.container if view else None
        if container is not None and container.started_at != bot.run.to_end:
            run = container.started_at
            await self._wishes.change(bot.id, lambda now: replace(now, run=now.run.end(run)))

    async def _create(self, bot: Bot) -> None:
        fresh = not bot.image or self._blueprints.is_stale(bot)
        if fresh:
            pinned = await self._pins.pin(bot)
            if pinned is None:
                return
            bot = pinned
        try:
            await self._create_pinned(bot)
        except ImageMissing:
            if fresh:
                raise
            # It was pruned, or built again: what its name means now is the best there is.
            pinned = await self._pins.pin(bot)
            if pinned is not None:
                await self._create_pinned(pinned)

    async def _create_pinned(self, bot: Bot) -> None:
        try:
            spec = await self._preparation.container(bot)
        except NotReady as error:
            if error.code == MISSING_PLUGIN:
                # Whoever fixes that builds another image of that name, so it is resolved again.
                await self._wishes.change(bot.id, lambda now: replace(now, image=""))
            raise
        if spec is not None:
            await self._snapshots.before_change(bot)
            await self._restored.fill(spec)
            await self._runtime.create(spec)
            await self._restored.drop(bot.id)

    async def _stop(self, bot: Bot, grace: int) -> None:
        await self._name_the_end(bot)
        await self._runtime.stop(bot.id, grace)

    async def _save(self, bot: Bot, grace: int) -> None:
        view = self._fleet.get(bot.id)
        container = view.world.container if view else None
        if container is not None and container.state.active and self.savings.must_stop(bot):
            await self._stop(bot, grace)
        await self.savings.carry_out(bot, container)


def _wish_of(bot: Bot) -> tuple[object, ...]:
    """What a person can change about a bot: with another of these, a step is worth a new try.

    What a step changes itself isn't in here, or its second try would not be held back: the pinned
    image, and the run that a stop is about to end.
    """
    to_end = bot.run.to_end if bot.wish is Wish.RUN and bot.problem is None else ""
    typed = tuple(sorted((*bot.fields.items(), *bot.limits.items())))
    return bot.wish, bot.candidate, typed, bot.problem, to_end, bot.restoring

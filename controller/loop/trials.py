"""Trying a release: its checks, parking what it replaces, and what comes of it.

The steps follow from `domain/plan.py`. Each can be done again at any time, and a controller that
dies between two of them leaves a world from which the next one goes on.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from controller.domain.bot import Bot, Problem, Wish
from controller.domain.crashes import describe_exit
from controller.domain.errors import ControllerError, EngineUnavailable
from controller.domain.journal import proved, taken_back
from controller.domain.observation import Observation
from controller.domain.release import (
    KEPT_RELEASES,
    Content,
    Outcome,
    content_of,
    images_kept,
    is_proven,
)
from controller.domain.release import taken_back as row_taken_back
from controller.fleet.blueprint import Blueprints
from controller.fleet.threads import Threads
from controller.fleet.views import Fleet, View
from controller.fleet.wishes import Wishes
from controller.loop.errands import Errands
from controller.loop.former_secrets import FormerSecrets
from controller.loop.freshness import Freshness
from controller.loop.pins import Pins
from controller.loop.preparation import Preparation
from controller.loop.snapshot_steps import SnapshotSteps
from controller.runtime import Runtime
from controller.store import Store, Transaction

log = logging.getLogger(__name__)


class Trials:
    """Takes the steps of a release."""

    def __init__(  # noqa: PLR0913 - a release touches everything that a run is made of
        self,
        *,
        runtime: Runtime,
        store: Store,
        fleet: Fleet,
        wishes: Wishes,
        blueprints: Blueprints,
        preparation: Preparation,
        pins: Pins,
        errands: Errands,
        freshness: Freshness,
        threads: Threads,
        former: FormerSecrets,
        snapshots: SnapshotSteps,
        tail: Callable[[Bot], Awaitable[tuple[str, ...]]],
    ) -> None:
        self._runtime = runtime
        self._store = store
        self._fleet = fleet
        self._wishes = wishes
        self._blueprints = blueprints
        self._preparation = preparation
        self._pins = pins
        self._errands = errands
        self._freshness = freshness
        self._threads = threads
        self._former = former
        self._snapshots = snapshots
        self._tail = tail

    async def propose(self, bot: Bot) -> None:
        """Make a release of what a new container would be: its template has changed."""
        view = self._fleet.get(bot.id)
        if view is not None and not view.bot.candidate and view.bot.release == bot.release:
            await self._wishes.change(bot.id, lambda now: now, why="template")

    async def park(self, bot: Bot, grace: int) -> None:
        """Check all that can be checked, then park what runs. Raises what the checks found: what
        runs is left alone then."""
        if bot.wish is Wish.RUN and self._parked(bot) is None:
            renewed = await self._pins.renew(bot)
            if renewed is None or not await self._preparation.rehearse(renewed):
                return
            view = self._fleet.get(bot.id)
            if view is None or view.bot.wish is not Wish.RUN:
                return
            if view.bot.candidate != bot.candidate:
                return  # somebody wants something else by now
        self._errands.give_up(bot.id, "is being replaced")
        self._freshness.expect_removal(bot.id)
        await self._runtime.park(bot.id, grace)

    async def commit(self, bot: Bot) -> None:
        """The candidate has proved itself."""

        def edit(now: Bot) -> Bot:
            if now.candidate != bot.candidate:
                return now
            return replace(now, release=bot.candidate, candidate=0, setback=None)

        async def note(write: Transaction) -> None:
            await write.releases.end(bot.id, bot.candidate, Outcome.GOOD, time.time())

        view = self._fleet.get(bot.id)
        if view is None or view.bot.candidate != bot.candidate:
            return
        log.info("bot %s (%s): release %d has proved itself", bot.name, bot.id, bot.candidate)
        await self._keep_images(view.bot)  # first: what it replaced is still kept by its container
        await self._wishes.change(bot.id, edit, facts=[proved(bot.candidate)], also=note)
        await self._former.destroy(bot.id)

    async def _keep_images(self, bot: Bot) -> None:
        """Have the images kept that the bot runs on and may go back to. Raises EngineUnavailable;
        for any other reason nobody has to doubt a release that works."""
        earlier = await self._store.releases(bot.id, KEPT_RELEASES, good=True)
        if not earlier:
            return  # the tag that keeps what it was pinned to is enough
        try:
            await self._runtime.keep_images(bot.id, images_kept(content_of(bot), earlier))
        except EngineUnavailable:
            raise
        except ControllerError as error:
            log.warning("bot %s (%s): a prune may take its images: %s", bot.name, bot.id, error)

    def may_return(self, bot: Bot) -> bool:
        """Whether a release that worked, and its container, are there to come back to."""
        view = self._fleet.get(bot.id)
        if view is None or not bot.candidate or not bot.release:
            return False
        container = view.world.container
        runs = container is not None and container.state.active and is_proven(bot, container)
        return view.world.previous is not None or runs or self._former.waits(bot)

    async def take_back(self, bot: Bot, problem: Problem | None = None) -> None:
        """The candidate has failed: the row is again what the release before it was.

        Its container then gives way to the parked one, or what runs simply goes on.
        """
        view = self._fleet.require(bot.id)
        why = problem or _why(view)
        former = await self._store.release(bot.id, bot.release)
        content = self._held(bot, former.content, former.snapshot) if former else None
        kept = content is not None and self._former.has(bot.id, content.secret_set)
        parked = view.world.previous is not None
        message = f"Release {bot.candidate} was taken back: {why.message}"
        if kept:
            message = f"{message} Its former secrets are used again."
        copied = await self._snapshots.before(bot)
        if copied is not None:
            message = f"{message} Its state from before is snapshot {copied.number}."
        setback = replace(why, message=message)
        ran = view.world.container is not None and (parked or kept)
        tail = await self._tail(bot) if ran else ()

        def is_tried(now: Bot) -> bool:
            return (now.candidate, now.release) == (bot.candidate, bot.release)

        def edit(now: Bot) -> Bot:
            if not is_tried(now):
                return now
            row = row_taken_back(now, content, setback, kept=kept, parked=parked)
            # What it printed of the failed secrets nobody could hide after the next start.
            run = row.run.hide_log(self._runtime.engine_time()) if kept else row.run
            return replace(row, run=run)

        async def note(write: Transaction) -> None:
            ended = (Outcome.FAILED, time.time(), why, tail)
            await write.releases.end(bot.id, bot.candidate, *ended)

        now = self._fleet.get(bot.id)
        if now is None or not is_tried(now.bot):
            return  # somebody wants something else by now
        log.warning("bot %s (%s): %s", bot.name, bot.id, message)
        fact = taken_back(bot.candidate, bot.release, why)
        view = await self._wishes.change(bot.id, edit, facts=[fact], forgive=True, also=note)
        # Its secrets, and what it reads of its config beside them, are the former ones again.
        await self._preparation.secrets(view.bot)

    def _held(self, bot: Bot, content: Content, snapshot: str) -> Content:
        """The former content, held to its own template where the present one is another."""
        follows = replace(bot, template=content.template, held="")
        if content.held or not snapshot or snapshot == self._blueprints.snapshot(follows):
            return content
        return replace(content, held=snapshot)

    async def unpark(self, bot: Bot) -> None:
        """Make the parked container the bot's own again. The next step starts it."""
        previous = self._parked(bot)
        if previous is None:
            return
        # Its end was for the release that failed, and is no news.
        end = previous.finished_at
        await self._wishes.change(bot.id, lambda now: replace(now, run=now.run.account(end)))
        await self._reseed(bot)
        self._freshness.expect_return(bot.id, previous)
        await self._runtime.unpark(bot.id, self._blueprints.restart_policy(bot))

    async def _reseed(self, bot: Bot) -> None:
        """What the release that failed put into the bot's volume gives way as well."""
        if self._blueprints.fitting(bot) is None or not bot.image:
            return
        spec = self._blueprints.spec(bot)
        rewritten = tuple(seed for seed in spec.seeds if not seed.keep)
        if rewritten:
            await self._runtime.reseed(replace(spec, seeds=rewritten))

    async def remove_previous(self, bot: Bot) -> None:
        """Remove the parked container, and the config that only it had mounted."""
        await self._runtime.remove_previous(bot.id)
        if bot.wish is Wish.RUN:
            await self._threads(lambda: self._blueprints.drop_former_files(bot))

    def _parked(self, bot: Bot) -> Observation | None:
        view = self._fleet.get(bot.id)
        return view.world.previous if view else None


def _why(view: View) -> Problem:
    """Why the candidate failed, as far as it is seen."""
    bot, world, crash = view.bot, view.world, view.last_crash
    if bot.problem is not None:
        return bot.problem
    reason = world.failure or "It didn't work."
    if crash is not None:
        reason = f"{reason} ({describe_exit(crash.exit_code, oom_killed=crash.oom_killed)})"
    container = world.container
    if container is not None and container.probe_output:
        reason = f"{reason} Its health check says: {container.probe_output}"
    return Problem(code="not-proven", message=reason, hint="", at=time.time())

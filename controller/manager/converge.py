"""The single converge path: look, ask `domain.plan.decide`, do one step, look again.

The only module that calls mutating methods of the runtime. Who pokes it is next door: commands
through `wishes`, the engine's events through `watcher`, the queue in `reconciler`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace

from controller.domain import crashes as crash_rules
from controller.domain.bot import Bot, Crash, Problem, Wish
from controller.domain.errors import (
    Conflict,
    ControllerError,
    EngineUnavailable,
    NotFound,
    OutcomeUnknown,
    RuntimeTrouble,
    StorageTrouble,
)
from controller.domain.events import LogQuery
from controller.domain.observation import Observation, World
from controller.domain.plan import Step, decide
from controller.manager.audit import Audit
from controller.manager.blueprint import Blueprints
from controller.manager.disk import Disk
from controller.manager.fleet import Fleet, View
from controller.manager.wishes import Wishes
from controller.runtime import Runtime
from controller.store import Store
from controller.vault import Redactor

log = logging.getLogger(__name__)
STEPS_AT_ONCE = 12  # more than any way from nothing to running, or back
PACE = 1.0  # seconds between looks while the engine is on its way; events usually come first
TAIL_LINES = 8
SAID_MAX = 1000  # characters of what a failed check said
REFUSALS_MAX = 5  # failures of the engine in a row, over some 8 s, that are not told yet
TOLD_WITHIN = 5.0  # seconds between an end and the event that tells of it, at most


class Converger:
    """Makes the world of one bot match its wish, one step at a time."""

    def __init__(  # noqa: PLR0913 - the one place where all the parts meet
        self,
        *,
        runtime: Runtime,
        store: Store,
        fleet: Fleet,
        wishes: Wishes,
        blueprints: Blueprints,
        audit: Audit,
        redactor: Redactor,
        disk: Disk,
    ) -> None:
        self._runtime = runtime
        self._store = store
        self._fleet = fleet
        self._wishes = wishes
        self._blueprints = blueprints
        self._audit = audit
        self._redactor = redactor
        self._disk = disk
        self._exits: dict[str, tuple[float, int]] = {}
        self._ooms: dict[str, float] = {}
        self.unfinished: set[str] = set()  # bots whose look the engine's absence cut short
        # When a submit of secrets was cut short by the end of the last controller, by bot.
        self.new_secrets: dict[str, float] = {}
        self._in_gap: dict[str, str] = {}  # the run of each bot that ran when the engine went away
        self._refusals: dict[str, int] = {}  # how often in a row the engine failed at a step

    def note_exit(self, bot_id: str, at: float, exit_code: int) -> None:
        """Remember an exit code that an event told: after a restart no look can see it."""
        self._exits[bot_id] = (at, exit_code)

    def note_oom(self, bot_id: str, at: float) -> None:
        """Remember that the kernel took a process for lack of memory, likewise."""
        self._ooms[bot_id] = at

    def note_gap(self, bot_id: str) -> None:
        """The engine is or was away: the bot's run of now may end, or have ended, with it."""
        view = self._fleet.get(bot_id)
        container = view.world.container if view else None
        if container is not None and container.state.active:
            self._in_gap[bot_id] = container.started_at

    def note_unchanged(self, bot_id: str) -> None:
        """The engine is there, and this bot's run outlived the gap."""
        self._in_gap.pop(bot_id, None)

    async def __call__(self, bot_id: str) -> float | None:
        """Converge one bot; None when settled, else seconds until the next look."""
        self.unfinished.discard(bot_id)
        try:
            return await self._converge(bot_id)
        except EngineUnavailable as error:
            # The patrol notices its return and pokes these bots: no need to try on our own.
            self.unfinished.add(bot_id)
            self._fleet.engine_is(False, error.message)
            return None

    async def _converge(self, bot_id: str) -> float | None:
        for _ in range(STEPS_AT_ONCE):
            view = self._fleet.get(bot_id)
            if view is None:
                return None
            bot, world = await self._look(view)
            step = decide(bot, world)
            if step is Step.SETTLED:
                return self._fleet.next_decay(bot_id)
            if step is Step.LOOK_AGAIN:
                return PACE
            await self._try(step, bot)
            if step is Step.FORGET:
                return None
        return PACE

    async def _look(self, view: View) -> tuple[Bot, World]:
        before, bot = view.world.container, view.bot
        try:
            container = await self._runtime.observe(bot.id)
        except Conflict:
            # Somebody else's, and none of our business; a create will say that it is in the way.
            container = None
        if container is not None:  # words from inside: hostile, and shown to people
            container = replace(
                container,
                probe_output=self._redactor(container.probe_output)[:SAID_MAX],
                error=self._redactor(container.error),
            )
        removing = bot.wish is Wish.REMOVE
        world = World(
            container=container,
            volume=removing and await self._runtime.has_volume(bot.id),
            folder=removing
            and container is None
            and await self._disk(lambda: self._blueprints.has_files(bot.id)),
            missing=await self._missing(bot),
            ready_by=self._ready_by(bot, container),
            spec=self._spec_digest(bot),
        )
        self._fleet.engine_is(True)
        # Shown before it is accounted for: a cleared wish must never meet the former look.
        self._fleet.look(bot.id, world)
        return await self._account(bot, before, container), world

    def _ready_by(self, bot: Bot, container: Observation | None) -> float:
        template = self._blueprints.known(bot)
        if template is None or container is None or not container.started:
            return 0.0
        return container.started + template.run.start_timeout

    async def _missing(self, bot: Bot) -> tuple[str, ...]:
        try:
            return await self._disk(lambda: self._blueprints.missing_secrets(bot))
        except StorageTrouble:
            if bot.wish is Wish.RUN:
                raise
            return ()  # a disk that is away holds back a start, never a stop or a removal

    def _spec_digest(self, bot: Bot) -> str:
        if not bot.image or self._blueprints.fitting(bot) is None:
            return ""
        return self._blueprints.spec(bot).digest()

    async def _account(
        self, bot: Bot, before: Observation | None, container: Observation | None
    ) -> Bot:
        """Tell ends that were wished for, or the engine's doing, from crashes; note all of them."""
        gap_run = self._in_gap.pop(bot.id, None)
        bot = await self._owe_a_run(bot, container)
        if bot.ended_run and (
            container is None or container.started_at != bot.ended_run or not container.state.active
        ):
            ended = container.finished_at if container else 0.0
            floor = _log_floor(bot, before, container)
            return await self._edit(bot, accounted_end=ended, ended_run="", log_floor=floor)
        if container is None:
            return bot
        found = crash_rules.detect(bot.accounted_end, before, container)
        if not found:
            return bot
        engines = crash_rules.ended_with_engine(container, in_gap=gap_run == container.started_at)
        if engines or bot.wish is not Wish.RUN or bot.problem is not None:
            log.info("bot %s (%s): its run ended, and not by itself", bot.name, bot.id)
            return await self._edit(bot, accounted_end=container.finished_at)
        # Noted before it is accounted for: a kill in between must not lose it.
        crashes = await self._note_crashes(bot, found)
        bot = await self._edit(bot, accounted_end=container.finished_at)
        template = self._blueprints.known(bot)
        problem = crash_rules.judge(
            crashes,
            container,
            time.time(),
            fatal=template.run.fatal_exit_codes if template else (),
            restart=template.run.restart if template else "unless-stopped",
        )
        return await self._edit(bot, problem=problem) if problem else bot

    async def _owe_a_run(self, bot: Bot, container: Observation | None) -> Bot:
        """New secrets may be on the disk that the present run never read: end it, as their submit
        was about to."""
        written = self.new_secrets.get(bot.id, 0.0)
        if container and container.state.active and 0 < container.started < written:
            bot = await self._edit(bot, ended_run=container.started_at)
        self.new_secrets.pop(bot.id, None)
        return bot

    async def _note_crashes(self, bot: Bot, found: tuple[Crash, ...]) -> tuple[Crash, ...]:
        view = self._fleet.get(bot.id)
        noted = view.crashes if view else ()
        found = tuple(crash for crash in found if crash.at not in {known.at for known in noted})
        if not found:
            return noted
        at, code = self._exits.get(bot.id, (0.0, None))
        if code is not None and abs(at - found[-1].at) < TOLD_WITHIN:
            oom = code == 137 and abs(self._ooms.get(bot.id, 0.0) - at) < TOLD_WITHIN
            found = (*found[:-1], crash_rules.with_exit(found[-1], code, oom_killed=oom))
        await self._store.add_crashes(bot.id, found)
        crashes = (*noted, *found)
        self._fleet.crashed(bot.id, crashes, await self._tail(bot))
        last = found[-1]
        what = crash_rules.describe_exit(last.exit_code, oom_killed=last.oom_killed)
        log.warning("bot %s (%s) crashed: %s", bot.name, bot.id, what)
        await self._audit.note("crash", bot, what)
        return crashes

    async def _tail(self, bot: Bot) -> tuple[str, ...]:
        query = LogQuery(lines=TAIL_LINES, since=bot.log_floor)
        try:
            lines = await self._runtime.logs(bot.id, query)
        except ControllerError:
            return ()  # no log is no reason to stop telling of the crash
        return tuple(self._redactor.lines([line.text for line in lines]))

    async def _edit(self, bot: Bot, **changes: object) -> Bot:
        view = await self._wishes.change(
            bot.id,
            lambda now: replace(now, **changes),  # type: ignore[arg-type]  # names are Bot's own
        )
        return view.bot

    async def _try(self, step: Step, bot: Bot) -> None:
        log.info("bot %s (%s): %s", bot.name, bot.id, step)
        try:
            await self._take(step, bot)
            self._refusals.pop(bot.id, None)
        except (EngineUnavailable, asyncio.CancelledError):
            raise
        except OutcomeUnknown as error:
            log.warning("bot %s (%s): %s: %s; looking again", bot.name, bot.id, step, error)
        except ControllerError as error:
            if isinstance(error, NotFound) and step in {Step.START, Step.RESTART}:
                return  # removed by hand since the look; the next look sees that
            if bot.wish is not Wish.RUN or (error.retryable and not self._hopeless(bot, error)):
                raise
            log.warning("bot %s (%s): %s failed: %s", bot.name, bot.id, step, error)
            problem = Problem(
                error.code, self._redactor(error.message), self._redactor(error.hint), time.time()
            )
            await self._wishes.change(
                bot.id, lambda now: replace(now, problem=problem) if now.wish is Wish.RUN else now
            )
            await self._audit.note("problem", bot, f"{step} failed: {problem.message}")

    def _hopeless(self, bot: Bot, error: ControllerError) -> bool:
        """Whether the engine itself refused so often in a row that a person has to know why."""
        if not isinstance(error, RuntimeTrouble):
            return False
        self._refusals[bot.id] = self._refusals.get(bot.id, 0) + 1
        if self._refusals[bot.id] < REFUSALS_MAX:
            return False
        del self._refusals[bot.id]
        return True

    async def _take(self, step: Step, bot: Bot) -> None:
        grace = self._blueprints.stop_timeout(bot)
        match step:
            case Step.CREATE:
                await self._create(bot)
            case Step.START:
                await self._runtime.start(bot.id)
            case Step.RESTART:
                await self._runtime.restart(bot.id, grace)
            case Step.STOP:
                await self._end_run(bot)
                await self._runtime.stop(bot.id, grace)
            case Step.REMOVE_CONTAINER:
                await self._runtime.remove(bot.id, grace)
            case Step.REMOVE_VOLUME:
                await self._runtime.remove_volume(bot.id)
            case Step.DROP_FOLDER:
                await self._disk(lambda: self._blueprints.drop_files(bot.id))
                self._redactor.forget(bot.id)
            case Step.FORGET:
                await self._wishes.forget(bot.id)
                # Secrets may have come since the look; `credentials` drops what comes from now on.
                await self._disk(lambda: self._blueprints.drop_files(bot.id))
            case Step.SETTLED | Step.LOOK_AGAIN:
                return

    async def _end_run(self, bot: Bot) -> None:
        """Note first which run is about to be ended: a start asked for meanwhile must not take that
        end for a crash."""
        view = self._fleet.get(bot.id)
        container = view.world.container if view else None
        if container is not None and container.started_at != bot.ended_run:
            await self._edit(bot, ended_run=container.started_at)

    async def _create(self, bot: Bot) -> None:
        if not bot.image:
            image = self._blueprints.template(bot).image
            pinned = await self._runtime.pin_image(image.ref, image.pull)
            bot = await self._edit(bot, image=pinned)
        await self._disk(lambda: self._blueprints.write_files(bot))
        await self._runtime.create(self._blueprints.spec(bot))


def _log_floor(bot: Bot, before: Observation | None, container: Observation | None) -> float:
    """Where the bot's log may be shown from, once a run is over: the lines that the run wrote after
    its secrets were replaced, while it still had the old ones, stay hidden too."""
    if not bot.log_floor or container is None:
        return bot.log_floor
    was_that_run = before is None or before.started < bot.log_floor
    return max(bot.log_floor, container.started) if was_that_run else bot.log_floor

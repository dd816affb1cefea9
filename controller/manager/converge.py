"""The single converge path: look, ask `domain.plan.decide`, do one step, look again.

With its parts next door (`ends`, `preparation`, `reloads`, `symptoms`, `errands`) the only place
that calls mutating methods of the runtime. Who pokes it: commands through `wishes`, the engine's
events through `watcher`, the queue in `reconciler`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from dataclasses import replace

from controller.domain.bot import Bot, Problem, Wish
from controller.domain.errors import (
    Conflict,
    ControllerError,
    EngineUnavailable,
    ImageMissing,
    NotFound,
    NotReady,
    OutcomeUnknown,
    RuntimeTrouble,
    StorageTrouble,
)
from controller.domain.events import LogQuery
from controller.domain.observation import ContainerState, Observation, World
from controller.domain.plan import Step, decide
from controller.manager.audit import Audit
from controller.manager.blueprint import Blueprints
from controller.manager.disk import Disk
from controller.manager.ends import Ends
from controller.manager.errands import Errands, not_running
from controller.manager.fleet import Fleet, View
from controller.manager.patience import while_wished
from controller.manager.preparation import MISSING_PLUGIN, Preparation
from controller.manager.reloads import Reloads
from controller.manager.symptoms import Symptoms
from controller.manager.wishes import Wishes
from controller.runtime import Runtime
from controller.store import Store
from controller.vault import Redactor, Vault

log = logging.getLogger(__name__)
STEPS_AT_ONCE = 12  # more than any way from nothing to running, or back
PACE = 1.0  # seconds between looks while the engine is on its way; events usually come first
TAIL_LINES = 8
PULLS_AT_ONCE = 4  # a pull may take minutes: half of the workers are left for all other bots
SAID_MAX = 1000  # characters of what a failed check said
REFUSALS_MAX = 5  # failures of the engine in a row, over some 8 s, that are not told yet
LONG_PAST = 1.0  # seconds since the epoch
ENDING = {  # steps after which nobody waits for a command in the bot any longer
    Step.STOP: "is being stopped",
    Step.RESTART: "is being restarted",
    Step.REMOVE_CONTAINER: "is being removed or made anew",
}


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
        vault: Vault,
        errands: Errands,
        audit: Audit,
        redactor: Redactor,
        disk: Disk,
    ) -> None:
        self._runtime = runtime
        self._fleet = fleet
        self._wishes = wishes
        self._blueprints = blueprints
        self._audit = audit
        self._redactor = redactor
        self._disk = disk
        self._errands = errands
        self.ends = Ends(
            store=store,
            fleet=fleet,
            wishes=wishes,
            blueprints=blueprints,
            audit=audit,
            tail=self._tail,
        )
        self.reloads = Reloads(
            runtime=runtime, fleet=fleet, wishes=wishes, blueprints=blueprints, audit=audit
        )
        self.symptoms = Symptoms(runtime, blueprints, disk)
        self.preparation = Preparation(
            runtime=runtime,
            fleet=fleet,
            blueprints=blueprints,
            vault=vault,
            redactor=redactor,
            audit=audit,
            disk=disk,
        )
        self.unfinished: set[str] = set()  # bots whose look the engine's absence cut short
        self._pulling: set[str] = set()  # bots whose image is being resolved, or even pulled
        self._refusals: dict[str, int] = {}  # how often in a row the engine failed at a step
        # When each bot's run was first seen, by a clock that nobody sets back.
        self._first_seen: dict[str, tuple[str, float]] = {}
        self.clock: Callable[[], float] = time.monotonic

    async def __call__(self, bot_id: str) -> float | None:
        """Converge one bot; None when settled, else seconds until the next look."""
        self.unfinished.discard(bot_id)
        try:
            return await self._converge(bot_id)
        except EngineUnavailable as error:
            # The patrol notices its return and pokes these bots: no need to try on our own.
            self.unfinished.add(bot_id)
            self._errands.refuse(bot_id, error)
            self._fleet.engine_is(False, error.message)
            return None

    async def _converge(self, bot_id: str) -> float | None:
        for _ in range(STEPS_AT_ONCE):
            view = self._fleet.get(bot_id)
            if view is None:
                self._forget(bot_id)
                return None
            bot, world = await self._look(view)
            step = decide(bot, world)
            if not self._serve(step, bot, world):
                return PACE
            if step is Step.SETTLED:
                return self._next_look(bot_id)
            if step is Step.LOOK_AGAIN:
                return PACE
            await self._try(step, bot)
        return PACE

    def _next_look(self, bot_id: str) -> float | None:
        due = (self._fleet.next_decay(bot_id), self.symptoms.next_reading(bot_id))
        return min((seconds for seconds in due if seconds is not None), default=None)

    def _serve(self, step: Step, bot: Bot, world: World) -> bool:
        """Begin, keep waiting or give up what people asked to run in the bot, before the step is
        done; False when the step has to wait for what runs."""
        if step in ENDING:
            self._errands.give_up(bot.id, ENDING[step])
        elif step is Step.CREATE and not bot.image:
            return len(self._pulling) < PULLS_AT_ONCE or bot.id in self._pulling
        elif step is Step.RELOAD:
            return not self._errands.busy(bot.id)  # two programs beside the bot's own are too many
        elif world.container is None or world.container.state is not ContainerState.RUNNING:
            self._errands.refuse(bot.id, not_running(f"{bot.name} does not run."))
        elif bot.wish is Wish.RUN and step in {Step.SETTLED, Step.LOOK_AGAIN}:
            self._errands.begin(bot.id)
        return True

    def _forget(self, bot_id: str) -> None:
        self._errands.give_up(bot_id, "is gone")
        self.symptoms.forget(bot_id)
        self._first_seen.pop(bot_id, None)
        self._refusals.pop(bot_id, None)

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
        missing, faults, trouble = await self._secret_trouble(bot)
        world = World(
            container=container,
            volume=removing and await self._runtime.has_volume(bot.id),
            folder=removing
            and container is None
            and await self._disk(lambda: self._blueprints.has_files(bot.id)),
            missing=missing,
            faults=faults,
            degraded=await self.symptoms(bot, container),
            ready_by=self._ready_by(bot, container),
            spec=self._spec_digest(bot),
        )
        self._fleet.engine_is(True)
        # Shown before it is accounted for: a cleared wish must never meet the former look.
        self._fleet.look(bot.id, world)
        bot = await self.reloads.owe(bot, container)
        bot = await self.ends.account(bot, before, container, world.spec)
        if trouble is not None and bot.wish is Wish.RUN and bot.problem is None:
            raise trouble  # a disk that is away holds back a start, never a stop or a removal
        return bot, world

    def _ready_by(self, bot: Bot, container: Observation | None) -> float:
        template = self._blueprints.known(bot)
        if template is None or container is None or not container.started:
            return 0.0
        run, first = self._first_seen.get(bot.id, ("", 0.0))
        if run != container.started_at:
            first = self.clock()
            self._first_seen[bot.id] = (container.started_at, first)
        if self.clock() - first > template.run.start_timeout:
            return LONG_PAST  # whatever a clock says that was set back since
        return container.started + template.run.start_timeout

    async def _secret_trouble(
        self, bot: Bot
    ) -> tuple[tuple[str, ...], tuple[str, ...], StorageTrouble | None]:
        """What is missing, what cannot be used; or why nobody can tell."""
        try:
            return (*await self._disk(lambda: self._blueprints.secret_trouble(bot)), None)
        except StorageTrouble as error:
            return (), (), error

    def _spec_digest(self, bot: Bot) -> str:
        if not bot.image or self._blueprints.fitting(bot) is None:
            return ""
        return self._blueprints.spec(bot).digest()

    async def _tail(self, bot: Bot) -> tuple[str, ...]:
        query = LogQuery(lines=TAIL_LINES, since=bot.log_floor)
        try:
            lines = await self._runtime.logs(bot.id, query)
        except ControllerError:
            return ()  # no log is no reason to stop telling of the crash
        return tuple(self._redactor.lines([line.text for line in lines]))

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
            if isinstance(error, NotFound) and step in {Step.START, Step.RESTART, Step.RELOAD}:
                return  # removed by hand since the look; the next look sees that
            if bot.wish is not Wish.RUN or (error.retryable and not self._hopeless(bot, error)):
                raise
            log.warning("bot %s (%s): %s failed: %s", bot.name, bot.id, step, error)
            problem = Problem(
                error.code, self._redactor(error.message), self._redactor(error.hint), time.time()
            )

            def still(now: Bot) -> Bot:
                # Of the settings as they were: a person may have mended them meanwhile.
                tried = now.wish is Wish.RUN and now.fields == bot.fields
                return replace(now, problem=problem) if tried else now

            await self._wishes.change(bot.id, still)
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
            case Step.START | Step.RESTART | Step.RELOAD:
                if await self.preparation.secrets(bot):
                    await self._run_anew(step, bot, grace)
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

    async def _run_anew(self, step: Step, bot: Bot, grace: int) -> None:
        if step is Step.START:
            await self._runtime.start(bot.id)
        elif step is Step.RESTART:
            await self._runtime.restart(bot.id, grace)
        else:
            await self.reloads(bot)
            self.symptoms.soon(bot.id)

    async def _end_run(self, bot: Bot) -> None:
        """Note first which run is about to be ended: a start asked for meanwhile must not take that
        end for a crash."""
        view = self._fleet.get(bot.id)
        container = view.world.container if view else None
        if container is not None and container.started_at != bot.ended_run:
            await self._wishes.edit(bot.id, ended_run=container.started_at)

    async def _create(self, bot: Bot) -> None:
        if not bot.image:
            image = await self._resolved(bot)
            if image is None:
                return
            bot = await self._wishes.edit(bot.id, image=image)
        try:
            spec = await self.preparation.container(bot)
        except NotReady as error:
            if error.code == MISSING_PLUGIN:
                # Whoever mends that builds another image of that name: it is resolved anew.
                await self._wishes.edit(bot.id, image="")
            raise
        if spec is not None:
            await self._runtime.create(spec)

    async def _resolved(self, bot: Bot) -> str | None:
        """The image to make it from; None when the bot is not wished to run any more."""
        self._pulling.add(bot.id)
        try:
            return await while_wished(self._fleet, bot.id, _to_run, self._pinned(bot))
        finally:
            self._pulling.discard(bot.id)

    async def _pinned(self, bot: Bot) -> str:
        image = self._blueprints.template(bot).image
        try:
            return await self._runtime.pin_image(image.ref, image.pull)
        except ImageMissing as error:  # its template may know better how to come by it
            raise ImageMissing(error.message, hint=image.hint or error.hint) from None


def _to_run(view: View | None) -> bool:
    return view is not None and view.bot.wish is Wish.RUN

"""The loop as one value: builds its parts, loads what is known, runs until cancelled."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from controller.domain.bot import Bot
from controller.domain.errors import ControllerError
from controller.domain.observation import World
from controller.fleet.blueprint import Blueprints
from controller.fleet.journal import Journal
from controller.fleet.snapshot_files import SnapshotFiles
from controller.fleet.threads import Threads
from controller.fleet.views import Fleet
from controller.fleet.wishes import Wishes
from controller.loop.account import Accounts
from controller.loop.clearance import Clearance
from controller.loop.converge import Converger
from controller.loop.errands import Errands
from controller.loop.former_secrets import FormerSecrets
from controller.loop.freshness import Freshness
from controller.loop.look import Looker
from controller.loop.pins import Pins
from controller.loop.preparation import Preparation
from controller.loop.queue import Queue
from controller.loop.reloads import Reloads
from controller.loop.restored_states import RestoredStates
from controller.loop.savings import Savings
from controller.loop.snapshot_steps import SnapshotSteps
from controller.loop.steps import Steps
from controller.loop.story import Stories
from controller.loop.strays import Strays
from controller.loop.trials import Trials
from controller.loop.watcher import Watcher
from controller.runtime import Runtime
from controller.store import Store
from controller.vault import Redactor, Vault

log = logging.getLogger(__name__)
ARCHIVE_SECONDS = 86_400.0  # between two searches for old journal entries
FORMS_SECONDS = 3600.0  # between two searches for forms that nobody can send any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Tools:
    """What the loop works with; the use-cases share these."""

    runtime: Runtime
    store: Store
    vault: Vault
    redactor: Redactor
    blueprints: Blueprints
    fleet: Fleet
    wishes: Wishes
    journal: Journal
    threads: Threads
    errands: Errands
    clearance: Clearance
    savings: Savings
    restored: RestoredStates
    snapshots: SnapshotFiles
    former: FormerSecrets
    queue: Queue


class Loop:
    """Makes the world match the wishes."""

    def __init__(self, tools: Tools) -> None:
        runtime, fleet, wishes = tools.runtime, tools.fleet, tools.wishes
        blueprints, redactor, threads = tools.blueprints, tools.redactor, tools.threads
        self._tools = tools
        self._queue = tools.queue
        self.stories = Stories()
        freshness = Freshness()
        self.looker = Looker(
            runtime=runtime,
            blueprints=blueprints,
            threads=threads,
            redactor=redactor,
            former=tools.former,
        )
        self.accounts = Accounts(
            runtime=runtime,
            fleet=fleet,
            wishes=wishes,
            blueprints=blueprints,
            redactor=redactor,
            threads=threads,
            stories=self.stories,
        )
        self.reloads = Reloads(
            runtime=runtime,
            fleet=fleet,
            wishes=wishes,
            blueprints=blueprints,
            signs=self.looker.signs,
        )
        self.preparation = Preparation(
            runtime=runtime,
            fleet=fleet,
            blueprints=blueprints,
            vault=tools.vault,
            redactor=redactor,
            journal=tools.journal,
            threads=threads,
            former=tools.former,
        )
        pins = Pins(runtime=runtime, fleet=fleet, wishes=wishes, blueprints=blueprints)
        snapshots = SnapshotSteps(
            files=tools.snapshots,
            runtime=runtime,
            store=tools.store,
            wishes=wishes,
            blueprints=blueprints,
            threads=threads,
        )
        trials = Trials(
            runtime=runtime,
            store=tools.store,
            fleet=fleet,
            wishes=wishes,
            blueprints=blueprints,
            preparation=self.preparation,
            pins=pins,
            errands=tools.errands,
            freshness=freshness,
            threads=threads,
            former=tools.former,
            snapshots=snapshots,
            tail=self.accounts.tail,
        )
        self.steps = Steps(
            runtime=runtime,
            fleet=fleet,
            wishes=wishes,
            blueprints=blueprints,
            preparation=self.preparation,
            reloads=self.reloads,
            errands=tools.errands,
            savings=tools.savings,
            restored=tools.restored,
            snapshots=snapshots,
            former=tools.former,
            redactor=redactor,
            threads=threads,
            stories=self.stories,
            freshness=freshness,
            pins=pins,
            trials=trials,
            wake=self._queue.poke,
            doubt=self._doubt,
        )
        self.converger = Converger(
            fleet=fleet,
            looker=self.looker,
            accounts=self.accounts,
            steps=self.steps,
            reloads=self.reloads,
            errands=tools.errands,
            stories=self.stories,
            freshness=freshness,
            doubt=self._doubt,
        )
        self.strays = Strays(runtime=runtime, fleet=fleet, store=tools.store)
        self.watcher = Watcher(
            runtime=runtime,
            fleet=fleet,
            accounts=self.accounts,
            unfinished=self.converger.unfinished,
            poke=self._queue.poke,
            nudge=self._queue.nudge,
        )

    def _doubt(self, bot_id: str) -> None:
        self.watcher.doubt(bot_id)

    async def load(self) -> None:
        """Read what is wished for, and sweep what a crash in the middle of a write left."""
        tools = self._tools
        crashes = await tools.store.crashes()
        bots = [await self._with_reference(known) for known in await tools.store.bots()]
        troubles = await tools.threads.secrets_of_each(tools.blueprints.secret_trouble, bots)
        for bot, found in zip(bots, troubles, strict=True):
            # An error is one bot's trouble, of which its own look tells; it stops no start.
            missing, faults = ((), ()) if isinstance(found, ControllerError) else found
            tools.fleet.add(bot, World(missing=missing, faults=faults), seen=False)
            if bot.id in crashes:
                tools.fleet.show_crashes(bot.id, tuple(crashes[bot.id]))
        swept = await tools.threads.secrets(tools.vault.sweep, things=len(bots))
        if swept:
            log.warning("removed %d half-written secret files of an earlier crash", swept)
        await tools.threads(tools.snapshots.sweep)
        forms = await self._forms_in_use()
        staging = tools.blueprints.staging
        await tools.threads.secrets(lambda: staging.sweep(lambda _, form_id: form_id in forms))
        await tools.former.load({bot.id: bot for bot in bots})
        await self._learn(bots)

    def owe_reload(self, bot_id: str) -> None:
        """A submit that the last controller's end cut short is written now: the bot's present run
        must read it."""
        self.reloads.unsettled.add(bot_id)
        self._queue.poke(bot_id)

    async def run(self) -> None:
        """Converge and watch until cancelled. Every bot is looked at once at the start."""
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._queue.run(self.converger), name="converge")
                group.create_task(self.watcher.run(), name="watcher")
                group.create_task(self._archive(), name="archive")
                group.create_task(self.strays.run(), name="strays")
                group.create_task(self._tools.clearance.run(), name="clearance")
                group.create_task(self._forget_forms(), name="forms")
        finally:
            await self.steps.close()
            self._tools.errands.close()
            self._tools.clearance.close()

    async def _with_reference(self, bot: Bot) -> Bot:
        """A bot that an earlier version pinned: from now on its template's reference counts."""
        template = self._tools.blueprints.known(bot)
        if not bot.image or bot.image_ref or template is None:
            return bot
        bot = replace(bot, image_ref=template.image.ref)
        async with self._tools.store.transaction() as write:
            await write.save_bot(bot)
        return bot

    async def _learn(self, bots: Sequence[Bot]) -> None:
        """Teach the redactor the bots' values that are on the disk, in unfinished forms too."""
        blueprints, redactor = self._tools.blueprints, self._tools.redactor
        for bot_id, _, staged in await self._tools.threads.secrets(blueprints.staging.everything):
            redactor.learn(bot_id, staged.secrets.values())

        def learn(bot: Bot) -> None:
            redactor.learn(bot.id, blueprints.secret_values(bot).values())

        for trouble in await self._tools.threads.secrets_of_each(learn, bots):
            if trouble is not None:
                raise trouble  # without its values a log could show them

    async def _archive(self) -> None:
        while True:
            try:
                moved = await self._tools.journal.archive()
                if moved:
                    log.info("moved %d old journal entries to monthly files", moved)
            except ControllerError as error:
                log.warning("old journal entries stay in the database: %s", error)
            await asyncio.sleep(ARCHIVE_SECONDS)

    async def _forms_in_use(self) -> set[str]:
        """The ids of the forms that can be sent, or that `credentials` has not finished."""
        store = self._tools.store
        usable = await store.usable_forms(time.time())
        return usable | {form.id for form in await store.unsettled()}

    async def _forget_forms(self) -> None:
        """Forget what was typed into a form once nobody can send it any more."""
        while True:
            await asyncio.sleep(FORMS_SECONDS)
            try:
                await self._drop_staged()
            except ControllerError as error:
                log.warning("what was typed into expired forms stays for now: %s", error)

    async def _drop_staged(self) -> None:
        staging, threads = self._tools.blueprints.staging, self._tools.threads
        # Listed before the rows are read: a form that is opened in between is safe.
        for bot_id, form_id in await threads.secrets(staging.forms):
            if form_id not in await self._forms_in_use():
                await threads.secrets(partial(staging.drop, bot_id, form_id))

"""The manager: one frozen value with every use-case, built here, handed down, reaching nowhere."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from pathlib import Path

from controller.catalog import Catalog
from controller.domain.bot import Bot
from controller.domain.errors import ControllerError
from controller.domain.observation import World
from controller.manager.access import Access, StaticGrants
from controller.manager.actions import Actions
from controller.manager.audit import CUT_SHORT, Audit
from controller.manager.blueprint import Blueprints
from controller.manager.converge import Converger
from controller.manager.credentials import Credentials
from controller.manager.disk import Disk
from controller.manager.doctor import Patient
from controller.manager.edits import Edits
from controller.manager.errands import Errands
from controller.manager.fleet import Fleet
from controller.manager.hostpaths import HostPaths
from controller.manager.lifecycle import Lifecycle
from controller.manager.logbook import Logbook
from controller.manager.orphans import Orphans
from controller.manager.reconciler import Reconciler
from controller.manager.watcher import Watcher
from controller.manager.wishes import Wishes
from controller.runtime import Runtime
from controller.services import LiveChecks
from controller.store import Store
from controller.vault import Fingerprints, Redactor, Vault

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manager:
    """Everything that can be asked of BotMaker, whoever asks."""

    started_at: float
    instance: str
    store: Store
    catalog: Catalog
    vault: Vault
    redactor: Redactor
    runtime: Runtime
    fleet: Fleet
    wishes: Wishes
    access: Access
    audit: Audit
    lifecycle: Lifecycle
    credentials: Credentials
    actions: Actions
    edits: Edits
    errands: Errands
    blueprints: Blueprints
    logbook: Logbook
    orphans: Orphans
    reconciler: Reconciler
    converger: Converger
    watcher: Watcher
    disk: Disk
    patient: Patient

    async def load(self) -> None:
        """Read what is wished for, and sweep what a crash in the middle of a write left."""
        crashes = await self.store.crashes()
        for bot in await self.store.bots():
            missing, faults = await self._secret_trouble(bot)
            self.fleet.add(bot, World(missing=missing, faults=faults), seen=False)
            self.fleet.crashed(bot.id, tuple(crashes.get(bot.id, ())), ())
        await self.access.load()
        cut_short = await self.store.cut_short_forms(CUT_SHORT)
        self.converger.reloads.cut_short.update(cut_short)
        swept = await self.disk(self.vault.sweep)
        if swept:
            log.warning("removed %d half-written secret files of an earlier crash", swept)
        await self.credentials.learn()

    async def _secret_trouble(self, bot: Bot) -> tuple[tuple[str, ...], tuple[str, ...]]:
        try:
            return await self.disk(lambda: self.blueprints.secret_trouble(bot))
        except ControllerError:
            return (), ()  # one bot's trouble is told by its own look, and stops no start

    async def run(self) -> None:
        """Converge and watch until cancelled. Every bot is looked at once at the start."""
        for view in self.fleet:
            self.reconciler.poke(view.bot.id)
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self.reconciler.run(self.converger), name="reconciler")
                group.create_task(self.watcher.run(), name="watcher")
        finally:
            self.errands.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a manager is built of; the composition root opens these."""

    instance: str
    store: Store
    catalog: Catalog
    vault: Vault
    redactor: Redactor
    fingerprints: Fingerprints
    runtime: Runtime
    host: HostPaths
    data_dir: Path
    static_grants: StaticGrants
    live: LiveChecks


def build(parts: Parts) -> Manager:
    """Wire the parts together."""
    disk, fleet = Disk(), Fleet()
    store, vault, runtime = parts.store, parts.vault, parts.runtime
    audit = Audit(store)
    blueprints = Blueprints(parts.catalog, vault, parts.data_dir / "files", parts.host)
    reconciler = Reconciler("converge")
    wishes = Wishes(store, fleet, reconciler.poke)
    errands = Errands(runtime, reconciler.poke)
    access = Access(store, parts.static_grants)
    converger = Converger(
        runtime=runtime,
        store=store,
        fleet=fleet,
        wishes=wishes,
        blueprints=blueprints,
        vault=vault,
        errands=errands,
        audit=audit,
        redactor=parts.redactor,
        disk=disk,
    )
    return Manager(
        started_at=time.time(),
        instance=parts.instance,
        store=store,
        catalog=parts.catalog,
        vault=vault,
        redactor=parts.redactor,
        runtime=runtime,
        fleet=fleet,
        wishes=wishes,
        access=access,
        audit=audit,
        lifecycle=Lifecycle(
            store=store,
            fleet=fleet,
            wishes=wishes,
            catalog=parts.catalog,
            runtime=runtime,
            audit=audit,
        ),
        credentials=Credentials(
            store=store,
            fleet=fleet,
            wishes=wishes,
            vault=vault,
            blueprints=blueprints,
            fingerprints=parts.fingerprints,
            redactor=parts.redactor,
            audit=audit,
            disk=disk,
            live=parts.live,
        ),
        actions=Actions(
            fleet=fleet,
            blueprints=blueprints,
            access=access,
            audit=audit,
            redactor=parts.redactor,
            errands=errands,
        ),
        edits=Edits(store=store, fleet=fleet, wishes=wishes, blueprints=blueprints, audit=audit),
        errands=errands,
        blueprints=blueprints,
        logbook=Logbook(runtime, parts.redactor, disk),
        orphans=Orphans(runtime, fleet, vault, disk),
        reconciler=reconciler,
        converger=converger,
        watcher=Watcher(runtime, fleet, converger, reconciler.poke),
        disk=disk,
        patient=Patient(
            runtime=runtime,
            vault=vault,
            catalog=parts.catalog,
            host=parts.host,
            data_dir=parts.data_dir,
            disk=disk,
        ),
    )

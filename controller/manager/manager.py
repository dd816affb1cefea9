"""The manager: everything that an edge may ask, as one frozen value. And how it is built.

It reaches nothing: the store, the runtime and the loop stay below.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from controller.catalog import Catalog
from controller.domain.errors import ControllerError
from controller.domain.incident import Pace
from controller.domain.webhooks import Timing
from controller.fleet.blueprint import Blueprints
from controller.fleet.hostpaths import HostPaths
from controller.fleet.journal import Journal
from controller.fleet.threads import Threads
from controller.fleet.uid_shift import UidShift
from controller.fleet.views import Fleet
from controller.fleet.wishes import Wishes
from controller.loop import Loop, Tools
from controller.loop.errands import Errands
from controller.loop.queue import Queue
from controller.loop.restored_states import RestoredStates
from controller.loop.savings import Savings
from controller.loop.story import Stories
from controller.manager.access import Access, StaticGrants
from controller.manager.actions import Actions
from controller.manager.backup_contents import Sources, States
from controller.manager.backups import Backups, Plan
from controller.manager.bots import Bots
from controller.manager.courier import Courier
from controller.manager.credentials import Credentials
from controller.manager.doctor import Doctor, Finding, Patient, backup_findings
from controller.manager.edits import Edits
from controller.manager.feed import Feed
from controller.manager.following import Following
from controller.manager.history import History
from controller.manager.incident_checks import CheckTools, IncidentChecks
from controller.manager.incident_keeper import IncidentKeeper, KeeperTools
from controller.manager.incidents import Incidents
from controller.manager.lifecycle import Lifecycle
from controller.manager.log_reader import ReadingTools
from controller.manager.logbook import Logbook
from controller.manager.notebook import Notebook
from controller.manager.orphans import Orphans
from controller.manager.releases import Releases
from controller.manager.restore_files import STATES
from controller.manager.sameness import Sameness
from controller.manager.sealed_entry import SealedEntry
from controller.manager.single_use import SingleUse
from controller.manager.tokens import Tokens
from controller.manager.web_sessions import WebSessions
from controller.manager.webhook_delivery import DeliveryTools
from controller.manager.webhook_sender import WebhookSender
from controller.manager.webhooks import Webhooks, WebhookTools
from controller.runtime import Runtime
from controller.services import LiveChecks, Postman
from controller.store import Store
from controller.vault import AtRest, Fingerprints, Redactor, SealKey, Vault, WebhookVault

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Manager:
    """Everything that can be asked of BotMaker, whoever asks."""

    started_at: float  # seconds since the epoch
    redact: Callable[[str], str]  # for words that an edge got from outside
    secrets_answer: Callable[[], bool]  # whether the secrets disk answers
    access: Access
    bots: Bots
    lifecycle: Lifecycle
    credentials: Credentials
    sameness: Sameness
    edits: Edits
    releases: Releases
    actions: Actions
    logbook: Logbook
    following: Following
    feed: Feed
    history: History
    incidents: Incidents
    orphans: Orphans
    doctor: Doctor
    backups: Backups
    tokens: Tokens
    webhooks: Webhooks
    web_sessions: WebSessions
    notebook: Notebook
    stories: Stories


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What an installation is built of; the composition root opens these."""

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
    seal_key: SealKey
    at_rest: AtRest
    sealed_only: bool = False  # whether a secret that wasn't sealed is refused
    secret_reminder: float = 0.0  # seconds after which secrets are due to be replaced; 0: never
    shift: UidShift | None = None
    postman: Postman = field(default_factory=Postman)
    timing: Timing = field(default_factory=Timing)  # of the webhooks
    own_tokens: frozenset[str] = frozenset()  # `Fingerprints.of_value` of BotMaker's own
    key: bytes = field(default=b"", repr=False)  # the installation's, for backups
    templates_dir: Path | None = None
    backups: Plan = field(default_factory=Plan)
    pace: Pace = field(default_factory=Pace)  # of the incidents
    clock: Callable[[], float] = time.time  # of the incidents


@dataclass(frozen=True, slots=True, kw_only=True)
class Installation:
    """The manager for the edges, the loop that runs beside them, and the tools of both."""

    instance: str  # its id, as its containers carry it
    manager: Manager
    loop: Loop
    courier: Courier
    tools: Tools

    async def load(self) -> None:
        """Read what is known, and end what a controller that died left open."""
        await self.loop.load()
        await self.manager.access.load()
        await self.manager.feed.load()
        await self.manager.tokens.load()
        await self.manager.webhooks.load()
        await self.manager.web_sessions.load()
        await self.manager.backups.load()
        await self.manager.incidents.load()
        await self.manager.credentials.resume(self.loop.owe_reload)
        cut_short = await self.tools.journal.end_open()
        if cut_short:
            log.warning("%d requests were cut short by the end of the last controller", cut_short)

    async def close(self) -> None:
        """Let changes end whose callers have given up, then the threads. Before the store."""
        await self.manager.credentials.close()
        await self.manager.feed.close()
        await self.tools.wishes.drain()
        with contextlib.suppress(ControllerError):  # the disk may be the reason for the end
            await self.tools.journal.write_refusals()
        self.tools.threads.close()


def build(parts: Parts) -> Installation:
    """Wire the parts together."""
    threads, queue = Threads(), Queue("converge")
    fleet = Fleet(engine_time=parts.runtime.engine_time)
    store, vault, runtime, redactor = parts.store, parts.vault, parts.runtime, parts.redactor
    journal = Journal(store, parts.data_dir / "journal", threads)
    files = parts.data_dir / "files"
    blueprints = Blueprints(parts.catalog, vault, files, parts.host, parts.at_rest, parts.shift)
    wishes = Wishes(store, fleet, queue.poke, blueprints.snapshot)
    tools = Tools(
        runtime=runtime,
        store=store,
        vault=vault,
        redactor=redactor,
        blueprints=blueprints,
        fleet=fleet,
        wishes=wishes,
        journal=journal,
        threads=threads,
        errands=Errands(runtime, queue.poke),
        savings=Savings(runtime, blueprints, queue.poke),
        restored=RestoredStates(parts.data_dir / STATES, runtime, threads),
        queue=queue,
    )
    loop = Loop(tools)
    access = Access(store, fleet, journal, parts.static_grants)
    keys = WebhookVault(vault.root)
    sender = WebhookSender(keys, threads, parts.postman, parts.timing.clock)
    courier = _courier(parts, tools, sender)
    webhooks = Webhooks(
        WebhookTools(
            instance=parts.instance,
            store=store,
            journal=journal,
            access=access,
            vault=keys,
            threads=threads,
            fingerprints=parts.fingerprints,
            redactor=redactor,
            sender=sender,
            courier=courier,
            clock=parts.timing.clock,
        )
    )
    manager = _manager(parts, tools, loop, access, webhooks)
    return Installation(
        instance=parts.instance, manager=manager, loop=loop, courier=courier, tools=tools
    )


def _courier(parts: Parts, tools: Tools, sender: WebhookSender) -> Courier:
    return Courier(
        DeliveryTools(
            instance=parts.instance,
            store=tools.store,
            journal=tools.journal,
            threads=tools.threads,
            sender=sender,
            redact=tools.redactor,
            timing=parts.timing,
        )
    )


def _manager(parts: Parts, tools: Tools, loop: Loop, access: Access, webhooks: Webhooks) -> Manager:
    fleet, wishes, journal = tools.fleet, tools.wishes, tools.journal
    blueprints, threads, runtime = tools.blueprints, tools.threads, tools.runtime
    sealed = SealedEntry(parts.seal_key, tools.store, access, only=parts.sealed_only)
    patient = Patient(
        runtime=runtime,
        vault=tools.vault,
        catalog=parts.catalog,
        host=parts.host,
        data_dir=parts.data_dir,
        threads=threads,
        seal_print=sealed.fingerprint,
        running=True,
    )
    backups = Backups(_sources(parts, tools), parts.key, parts.backups, journal, access)

    def backups_found() -> list[Finding]:
        return backup_findings(backups.state, scheduled=backups.plan.scheduled)

    bots = Bots(
        fleet=fleet,
        access=access,
        catalog=parts.catalog,
        blueprints=blueprints,
        runtime=runtime,
    )
    keeper = IncidentKeeper(
        KeeperTools(
            store=tools.store,
            fleet=fleet,
            memory=bots.memory_limit,
            tail=loop.accounts.tail,
            backup=lambda: backups.state,
            hearing_backup=backups.hearing,
            clock=parts.clock,
            pace=parts.pace,
        )
    )
    checks = IncidentChecks(
        CheckTools(
            fleet=fleet,
            vault=tools.vault,
            threads=threads,
            data_dir=parts.data_dir,
            reminder=parts.secret_reminder,
            clock=parts.clock,
        ),
        keeper,
    )
    return Manager(
        started_at=time.time(),
        redact=tools.redactor,
        secrets_answer=lambda: threads.secrets_answer,
        access=access,
        bots=bots,
        lifecycle=Lifecycle(
            fleet=fleet,
            wishes=wishes,
            catalog=parts.catalog,
            runtime=runtime,
            journal=journal,
            access=access,
        ),
        credentials=Credentials(
            store=tools.store,
            fleet=fleet,
            wishes=wishes,
            vault=tools.vault,
            blueprints=blueprints,
            fingerprints=parts.fingerprints,
            redactor=tools.redactor,
            journal=journal,
            access=access,
            threads=threads,
            live=parts.live,
            single_use=SingleUse(
                store=tools.store,
                fleet=fleet,
                blueprints=blueprints,
                fingerprints=parts.fingerprints,
                threads=threads,
                own=parts.own_tokens,
            ),
            sealed=sealed,
            engine_time=runtime.engine_time,
        ),
        sameness=Sameness(blueprints, parts.fingerprints, access, threads, sealed),
        edits=Edits(
            fleet=fleet, wishes=wishes, blueprints=blueprints, journal=journal, access=access
        ),
        releases=Releases(
            store=tools.store,
            fleet=fleet,
            wishes=wishes,
            blueprints=blueprints,
            runtime=runtime,
            journal=journal,
            access=access,
        ),
        actions=Actions(
            fleet=fleet,
            blueprints=blueprints,
            access=access,
            journal=journal,
            redactor=tools.redactor,
            threads=threads,
            errands=tools.errands,
        ),
        logbook=Logbook(runtime, tools.redactor, threads, access),
        following=Following(ReadingTools(runtime, tools.redactor, threads, fleet), access),
        feed=Feed(fleet, tools.store, access),
        history=History(tools.store, fleet, journal, access),
        incidents=Incidents(keeper, checks, tools.store, fleet, journal, access, parts.clock),
        orphans=Orphans(runtime, fleet, tools.vault, threads, access),
        doctor=Doctor(patient, fleet, loop.stories, access, backups_found),
        backups=backups,
        tokens=Tokens(tools.store, journal, access),
        webhooks=webhooks,
        web_sessions=WebSessions(tools.store, journal, access),
        notebook=Notebook(tools.store),
        stories=loop.stories,
    )


def _sources(parts: Parts, tools: Tools) -> Sources:
    """What a backup is made of."""
    return Sources(
        store=tools.store,
        vault=tools.vault,
        threads=tools.threads,
        box=parts.at_rest,
        data_dir=parts.data_dir,
        templates_dir=parts.templates_dir,
        states=States(tools.fleet, parts.runtime, tools.savings),
    )

"""Builds every part of an installation and wires the use-cases into one `Manager`."""

from __future__ import annotations

import logging
import time

from controller.charts import Charts
from controller.fleet.blueprint import Blueprints
from controller.fleet.journal import Journal
from controller.fleet.snapshot_files import SNAPSHOTS, SnapshotFiles
from controller.fleet.threads import Threads
from controller.fleet.views import Fleet
from controller.fleet.wishes import Wishes
from controller.loop import Loop, Tools
from controller.loop.clearance import Clearance
from controller.loop.errands import Errands
from controller.loop.former_secrets import FormerSecrets
from controller.loop.queue import Queue
from controller.loop.restored_states import RestoredStates
from controller.loop.savings import Savings
from controller.manager.access import Access
from controller.manager.actions import Actions
from controller.manager.backup_contents import Sources, States
from controller.manager.backups import Backups
from controller.manager.batches import ActTools, Batches
from controller.manager.boards import Boards
from controller.manager.bots import Bots
from controller.manager.courier import Courier
from controller.manager.credentials import Credentials
from controller.manager.digests import Digests
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
from controller.manager.manager import Installation, Manager, Parts
from controller.manager.notebook import Notebook
from controller.manager.orphans import Orphans
from controller.manager.releases import Releases
from controller.manager.restore_files import STATES
from controller.manager.sameness import Sameness
from controller.manager.sampling import Sampler
from controller.manager.schedule_runs import ScheduleRuns
from controller.manager.schedules import Schedules
from controller.manager.sealed_entry import SealedEntry
from controller.manager.single_use import SingleUse
from controller.manager.snapshots import Snapshots
from controller.manager.stats import Stats
from controller.manager.tokens import Tokens
from controller.manager.update_checks import UpdateChecks
from controller.manager.web_sessions import WebSessions
from controller.manager.webhook_delivery import DeliveryTools
from controller.manager.webhook_sender import WebhookSender
from controller.manager.webhooks import Webhooks, WebhookTools
from controller.manager.worker_deployments import WorkerDeployments, WorkerTools
from controller.vault import (
    SETS,
    SealedSets,
    WebhookVault,
)

log = logging.getLogger(__name__)


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
        clearance=Clearance(runtime=runtime, fleet=fleet, blueprints=blueprints, threads=threads),
        savings=Savings(runtime, blueprints, queue.poke),
        restored=RestoredStates(parts.data_dir / STATES, runtime, threads),
        snapshots=SnapshotFiles(parts.data_dir / SNAPSHOTS),
        former=FormerSecrets(
            sets=SealedSets(parts.data_dir / SETS, parts.at_rest),
            vault=vault,
            fleet=fleet,
            blueprints=blueprints,
            redactor=redactor,
            threads=threads,
        ),
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

    releases = Releases(
        store=tools.store,
        fleet=fleet,
        wishes=wishes,
        blueprints=blueprints,
        runtime=runtime,
        journal=journal,
        access=access,
    )

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
    lifecycle = Lifecycle(
        fleet=fleet,
        wishes=wishes,
        catalog=parts.catalog,
        runtime=runtime,
        journal=journal,
        access=access,
        ceiling=parts.ceiling,
    )
    acting = ActTools(
        store=tools.store,
        fleet=fleet,
        journal=journal,
        access=access,
        lifecycle=lifecycle,
        releases=releases,
    )
    runs = ScheduleRuns(acting, backups)
    sampler = Sampler(runtime, fleet, tools.store)

    return Manager(
        started_at=time.time(),
        redact=tools.redactor,
        secrets_answer=lambda: threads.secrets_answer,
        access=access,
        bots=bots,
        lifecycle=lifecycle,
        credentials=Credentials(
            store=tools.store,
            fleet=fleet,
            wishes=wishes,
            vault=tools.vault,
            blueprints=blueprints,
            former=tools.former,
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
            fleet=fleet,
            wishes=wishes,
            blueprints=blueprints,
            journal=journal,
            access=access,
            ceiling=parts.ceiling,
        ),
        releases=releases,
        snapshots=Snapshots(
            files=tools.snapshots,
            fleet=fleet,
            wishes=wishes,
            threads=threads,
            journal=journal,
            access=access,
        ),
        schedules=Schedules(tools.store, journal, access, threads, runs.wake),
        schedule_runs=runs,
        batches=Batches(acting),
        sampler=sampler,
        stats=Stats(sampler, tools.store, access),
        charts=Charts(parts.data_dir / "charts"),
        update_checks=UpdateChecks(
            store=tools.store,
            fleet=fleet,
            blueprints=blueprints,
            runtime=runtime,
            releases=releases,
            journal=journal,
            access=access,
            every=parts.update_checks,
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
        digests=Digests(tools.store, fleet, journal, access, parts.clock),
        orphans=Orphans(tools, access),
        doctor=Doctor(patient, fleet, loop.stories, access, backups_found),
        backups=backups,
        boards=Boards(tools.store, journal, access),
        tokens=Tokens(tools.store, journal, access),
        webhooks=webhooks,
        web_sessions=WebSessions(tools.store, journal, access),
        worker=WorkerDeployments(
            WorkerTools(
                plan=parts.worker,
                store=tools.store,
                journal=journal,
                access=access,
                threads=threads,
                fingerprints=parts.fingerprints,
                redactor=tools.redactor,
            )
        ),
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

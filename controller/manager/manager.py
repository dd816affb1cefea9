"""The manager: everything that an edge may ask, as one frozen value. `building` makes it.

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
from controller.charts import Charts
from controller.domain.bot_limits import Ceiling
from controller.domain.errors import ControllerError
from controller.domain.incident import Pace
from controller.domain.webhooks import Timing
from controller.fleet.hostpaths import HostPaths
from controller.fleet.uid_shift import UidShift
from controller.loop import Loop, Tools
from controller.loop.story import Stories
from controller.manager.access import Access, StaticGrants
from controller.manager.actions import Actions
from controller.manager.backups import Backups, Plan
from controller.manager.batches import Batches
from controller.manager.boards import Boards
from controller.manager.bots import Bots
from controller.manager.courier import Courier
from controller.manager.credentials import Credentials
from controller.manager.digests import Digests
from controller.manager.doctor import Doctor
from controller.manager.edits import Edits
from controller.manager.feed import Feed
from controller.manager.following import Following
from controller.manager.history import History
from controller.manager.incidents import Incidents
from controller.manager.lifecycle import Lifecycle
from controller.manager.logbook import Logbook
from controller.manager.notebook import Notebook
from controller.manager.orphans import Orphans
from controller.manager.releases import Releases
from controller.manager.sameness import Sameness
from controller.manager.sampling import Sampler
from controller.manager.schedule_runs import ScheduleRuns
from controller.manager.schedules import Schedules
from controller.manager.snapshots import Snapshots
from controller.manager.stats import Stats
from controller.manager.tokens import Tokens
from controller.manager.update_checks import UpdateChecks
from controller.manager.web_sessions import WebSessions
from controller.manager.webhooks import Webhooks
from controller.manager.worker_deployments import WorkerDeployments, WorkerPlan
from controller.runtime import Runtime
from controller.services import LiveChecks, Postman
from controller.store import Store
from controller.vault import (
    AtRest,
    Fingerprints,
    Redactor,
    SealKey,
    Vault,
)

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
    snapshots: Snapshots
    schedules: Schedules
    schedule_runs: ScheduleRuns
    batches: Batches
    sampler: Sampler
    stats: Stats
    charts: Charts
    update_checks: UpdateChecks
    actions: Actions
    logbook: Logbook
    following: Following
    feed: Feed
    history: History
    incidents: Incidents
    digests: Digests
    orphans: Orphans
    doctor: Doctor
    backups: Backups
    boards: Boards
    tokens: Tokens
    webhooks: Webhooks
    web_sessions: WebSessions
    worker: WorkerDeployments
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
    update_checks: float = 0.0  # seconds between two of them; 0: never by themselves
    worker: WorkerPlan = field(default_factory=WorkerPlan)
    ceiling: Ceiling = field(default_factory=Ceiling)  # of what one bot may get
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
        await self.manager.batches.load()
        await self.manager.boards.load()
        await self.manager.digests.load()
        await self.manager.credentials.resume(self.loop.owe_reload)
        cut_short = await self.tools.journal.end_open()
        if cut_short:
            log.warning("%d requests were cut short by the end of the last controller", cut_short)

    async def close(self) -> None:
        """Let changes end whose callers have given up, then the threads. Before the store."""
        await self.manager.credentials.close()
        await self.manager.feed.close()
        await self.manager.update_checks.close()
        await self.tools.wishes.drain()
        with contextlib.suppress(ControllerError):  # the disk may be the reason for the end
            await self.tools.journal.write_refusals()
        self.tools.threads.close()

"""The edge as one value: built by the composition root where the settings name a Worker."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from controller.domain.roles import Role
from controller.domain.webhooks import Timing
from controller.edge.exporter import Exporter, ExportTools
from controller.edge.internal_calls import InternalCalls
from controller.edge.link import ANSWER_MOST, Link
from controller.edge.report import Report
from controller.edge.shared_key import SharedKey
from controller.edge.signed_callers import WorkerCalls
from controller.edge.wishes_taken import WishesTaken
from controller.manager import Installation
from controller.manager.outgoing_events import Outgoing
from controller.services import Postman
from controller.vault import Fingerprints


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgePlan:
    """What the settings say of the Worker, and of those whom it knows."""

    url: str
    keys_file: Path
    roles: Mapping[str, Role]
    timing: Timing = field(default_factory=Timing)


@dataclass(frozen=True, slots=True)
class Edge:
    """Both ways: what goes to the Worker, and what comes from it."""

    exporter: Exporter
    wishes: WishesTaken
    calls: WorkerCalls
    internal: InternalCalls

    async def run(self) -> None:
        """Until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.exporter.run(), name="edge events")
            group.create_task(self.wishes.run(), name="edge wishes")


def build_edge(
    plan: EdgePlan,
    installation: Installation,
    fingerprints: Fingerprints,
    connected: Callable[[], bool],
) -> Edge:
    """Wire the parts together."""
    tools, manager = installation.tools, installation.manager
    clock = plan.timing.clock
    key = SharedKey(plan.keys_file, tools.threads, tools.redactor)
    link = Link(plan.url, key, Postman(answer_most=ANSWER_MOST), clock)
    calls = WorkerCalls(key, tools.store, plan.roles, clock)
    report = Report(manager, tools.store, tools.journal, connected, time.monotonic)
    wishes = WishesTaken(manager, tools.store, link, calls)
    exporter = Exporter(
        ExportTools(
            instance=installation.instance,
            url=plan.url,
            store=tools.store,
            outgoing=Outgoing(tools.store, tools.journal, tools.threads, clock),
            threads=tools.threads,
            link=link,
            report=report,
            fingerprints=fingerprints,
            redact=tools.redactor,
            timing=plan.timing,
            hint=wishes.hint,
        )
    )
    internal = InternalCalls(manager, calls, report, installation.instance)
    return Edge(exporter, wishes, calls, internal)

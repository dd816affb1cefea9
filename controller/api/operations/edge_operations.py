"""The operations on the Worker in front of BotMaker."""

from __future__ import annotations

from datetime import datetime

from controller.api.operation import Answer, Call, Nothing, Operation, Operations
from controller.api.resources import Resource, moment
from controller.domain import acts
from controller.domain.webhook_progress import state
from controller.manager.worker_deployments import Deployed, WorkerSeen


class EdgeOut(Resource):
    """How the Worker is, and how far events have come."""

    url: str
    version: str  # empty where it doesn't answer
    reason: str  # why it doesn't
    worker: str  # ok, degraded or down, as it says itself; or unreachable
    d1: str
    tunnel: str
    orchestrator: str
    events: str  # ok, failing, stopped; or none before the first
    events_reason: str  # of the last failure
    delivered_at: datetime | None
    settled: int  # the number of the last entry that the Worker has
    waiting: int
    dead: int
    lost: int


class DeployedOut(Resource):
    """What is served now, and what was before."""

    version: str
    before: str
    changed: bool


async def get_edge(call: Call[Nothing, Nothing]) -> Answer:
    """How it is."""
    return Answer(edge_out(await call.manager.worker.status(call.caller)))


async def deploy_edge(call: Call[Nothing, Nothing]) -> Answer:
    """Serve this version."""
    return Answer(_deployed_out(await call.manager.worker.deploy(call.caller)))


async def rollback_edge(call: Call[Nothing, Nothing]) -> Answer:
    """Serve the version before this one."""
    return Answer(_deployed_out(await call.manager.worker.rollback(call.caller)))


def edge_out(seen: WorkerSeen) -> EdgeOut:
    """The Worker as it is answered."""
    row, health = seen.row, {name: str(value)[:100] for name, value in seen.health.items()}
    return EdgeOut(
        url=seen.url,
        version=health.get("version", ""),
        reason=seen.reason,
        worker=health.get("status", "unreachable"),
        d1=health.get("d1", "unknown"),
        tunnel=health.get("tunnel", "unknown"),
        orchestrator=health.get("orchestrator", "unknown"),
        events=state(row) if row else "none",
        events_reason=row.reason if row else "",
        delivered_at=moment(row.delivered_at or 0.0) if row else None,
        settled=row.cursor if row else 0,
        waiting=seen.waiting,
        dead=row.dead if row else 0,
        lost=row.lost if row else 0,
    )


def _deployed_out(done: Deployed) -> DeployedOut:
    return DeployedOut(version=done.version, before=done.before, changed=done.changed)


EDGE_OPERATIONS: Operations = (
    Operation(
        id="getEdge",
        method="GET",
        path="/edge",
        act=acts.EDGE_STATUS,
        summary="How the Worker in front of BotMaker is, and how far events have come.",
        query=Nothing,
        body=Nothing,
        answer=EdgeOut,
        handler=get_edge,
    ),
    Operation(
        id="deployEdge",
        method="POST",
        path="/edge/deploy",
        act=acts.EDGE_DEPLOY,
        summary="Deploy the Worker and its D1; nothing is done if it is up to date.",
        query=Nothing,
        body=Nothing,
        answer=DeployedOut,
        handler=deploy_edge,
    ),
    Operation(
        id="rollbackEdge",
        method="POST",
        path="/edge/rollback",
        act=acts.EDGE_ROLLBACK,
        summary="Serve the version of the Worker before the present one again.",
        query=Nothing,
        body=Nothing,
        answer=DeployedOut,
        handler=rollback_edge,
    ),
)

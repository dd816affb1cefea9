"""What the settings say of the edge, as the parts take it. Where they name no Worker, nothing of
`controller.edge` is imported."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from controller.manager import Installation
from controller.manager.worker_deployments import WorkerPlan
from controller.settings import Settings
from controller.vault import Fingerprints

if TYPE_CHECKING:
    from controller.edge.edge_tasks import Edge

BOUND_NAME = "controller.internal"  # that the Worker uses over a service binding


def edge_of(
    settings: Settings,
    installation: Installation,
    fingerprints: Fingerprints,
    connected: Callable[[], bool],
) -> Edge | None:
    """The edge, where the settings name a Worker; else nothing of it is even imported."""
    if not settings.edge_url or settings.edge_keys_file is None:
        return None
    from controller.edge.edge_tasks import EdgePlan, build_edge  # noqa: PLC0415

    plan = EdgePlan(
        url=settings.edge_url, keys_file=settings.edge_keys_file, roles=settings.edge_roles
    )
    return build_edge(plan, installation, fingerprints, connected)


def edge_names(settings: Settings) -> frozenset[str]:
    """The names under which the Worker reaches BotMaker, besides the public one."""
    if not settings.edge_url:
        return frozenset()
    name = urlsplit(settings.edge_origin).hostname
    return frozenset({BOUND_NAME, name} if name else {BOUND_NAME})


def worker_plan(settings: Settings) -> WorkerPlan:
    """What the settings say of the Worker's deployment."""
    return WorkerPlan(
        url=settings.edge_url,
        keys_file=settings.edge_keys_file,
        origin=settings.edge_origin or ("" if settings.edge_service else settings.public_url),
        service=settings.edge_service,
        name=settings.edge_name,
        account=settings.edge_account,
        token_file=settings.edge_cloudflare_token_file,
        jwt_keys_file=settings.edge_jwt_keys_file,
        jwt_issuer=settings.edge_jwt_issuer,
        api=settings.edge_api_url,
    )

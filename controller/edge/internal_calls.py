"""What only the Worker, or another holder of the shared key, may call: `/internal/orchestrator`,
`/internal/deploy` and `/internal/health`, signed.

A request is `{action, payload, siteId}`, an answer `{success, data, error, timestamp}`.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

import controller
from controller.domain.acts import FLEET_STATUS
from controller.domain.errors import BadInput, ControllerError, Denied, NotFound, NotSignedIn
from controller.edge.report import Report
from controller.edge.signed_callers import WorkerCalls
from controller.edge.wishes_taken import change_settings
from controller.fleet.journal import Caller
from controller.manager import Manager

log = logging.getLogger(__name__)
BODY_MOST = 65_536
STATUSES: Mapping[type[ControllerError], int] = {
    NotSignedIn: 401,
    Denied: 403,
    NotFound: 404,
    BadInput: 422,
}


class Order(BaseModel):
    """What is asked. Unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    action: Literal["deploy_worker", "update_config", "get_status"]
    payload: dict[str, Any] = Field(default_factory=dict)
    site_id: str = Field(alias="siteId")


class InternalCalls:
    """Answers signed calls, whatever happens, with the same form."""

    def __init__(self, manager: Manager, calls: WorkerCalls, report: Report, instance: str) -> None:
        self._manager = manager
        self._calls = calls
        self._report = report
        self._instance = instance

    def add_to(self, app: web.Application) -> None:
        """Add the routes."""
        app.router.add_get("/internal/health", self.health)
        app.router.add_post("/internal/orchestrator", self.orchestrate)
        app.router.add_post("/internal/deploy", self.deploy)

    async def orchestrate(self, request: web.Request) -> web.Response:
        """POST /internal/orchestrator."""
        return await self._answered(request, "")

    async def deploy(self, request: web.Request) -> web.Response:
        """POST /internal/deploy: the action `deploy_worker` alone, whose name may be left out."""
        return await self._answered(request, "deploy_worker")

    async def health(self, request: web.Request) -> web.Response:
        """GET /internal/health: `ok` or `degraded`, for whoever holds the key."""

        async def looked() -> Mapping[str, Any]:
            await self._calls.require_worker(request.raw_path, request.headers)
            return {"status": self._report.health()}

        return await self._told(looked())

    async def _answered(self, request: web.Request, only: str) -> web.Response:
        async def done() -> Mapping[str, Any]:
            caller, raw = await self._caller(request)
            return await self._done(caller, _order(raw, only, self._instance))

        return await self._told(done())

    async def _told(self, work: Awaitable[Mapping[str, Any]]) -> web.Response:
        try:
            return _answer(await work)
        except ControllerError as error:
            status = next((code for kind, code in STATUSES.items() if isinstance(error, kind)), 409)
            return _answer(status=status, error=error)
        except Exception:  # the edge: a bug of ours is answered in the same form
            log.exception("a signed call")
            return _answer(status=500, error=ControllerError("BotMaker made a mistake."))

    async def _caller(self, request: web.Request) -> tuple[Caller, bytes]:
        if (request.content_length or 0) > BODY_MOST:
            raise BadInput("That is too large.", code="too-large")
        try:
            raw = await request.content.read(BODY_MOST + 1)
        except OSError as error:
            raise BadInput("The body didn't come whole.") from error
        while len(raw) <= BODY_MOST and (more := await request.content.read(BODY_MOST)):
            raw += more
        if len(raw) > BODY_MOST:
            raise BadInput("That is too large.", code="too-large")
        principal = await self._calls.holder(request.method, request.raw_path, raw, request.headers)
        return Caller(principal), raw

    async def _done(self, caller: Caller, order: Order) -> Mapping[str, Any]:
        manager, payload = self._manager, order.payload
        match order.action:
            case "get_status":
                await manager.access.require(caller, FLEET_STATUS)
                return {
                    "version": controller.__version__,
                    "parts": self._report.parts(),
                    "bots": self._report.counts(),
                }
            case "update_config":
                bot = str(payload.get("bot", ""))
                await change_settings(manager, caller, bot, payload.get("settings"))
                return {"bot": bot}
            case "deploy_worker":
                done = await manager.worker.deploy(caller)
                return {"version": done.version, "changed": done.changed}


def _order(raw: bytes, only: str, instance: str) -> Order:
    """What is asked for; BadInput names what is wrong with it, never a value."""
    try:
        order = Order.model_validate_json(raw)
    except ValidationError as error:
        fields = sorted({".".join(map(str, one["loc"])) or "body" for one in error.errors()})
        raise BadInput(f"This isn't an order: {', '.join(fields)[:200]}.") from None
    if only and order.action != only:
        raise BadInput(f"Only {only} can be asked for here.")
    if order.site_id != instance:
        raise BadInput(
            "That is another installation's id.",
            hint="siteId is the id of this installation, which its events carry.",
            code="wrong-site",
        )
    return order


def _answer(
    data: Mapping[str, Any] | None = None, status: int = 200, error: ControllerError | None = None
) -> web.Response:
    wrong = error and {"code": error.code, "message": error.message, "hint": error.hint}
    said = {
        "success": error is None,
        "data": data,
        "error": wrong,
        "timestamp": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }
    return web.json_response(said, status=status, headers={"Cache-Control": "no-store"})

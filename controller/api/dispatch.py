"""From a request to its answer: find the operation, who asks, what they sent; then carry it out.

Every path below /api/v1 comes through here. Nothing reaches a use-case before all of it is known.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import replace
from typing import Any

from aiohttp import web
from pydantic import BaseModel, ValidationError

import controller
from controller.api.callers import Callers
from controller.api.deeds import WAIT_MOST, Deeds
from controller.api.identity import Identity
from controller.api.openapi import description
from controller.api.operation import Answer, Call, Nothing, Operation
from controller.api.problems import HttpProblem, InvalidInput, invalid, problem_of
from controller.api.resources import BotPages, operation_out
from controller.api.table import PREFIX, Found, Table
from controller.fleet.journal import Caller
from controller.manager import Manager

BODY_MOST = 262_144  # bytes
JSON = "application/json"
_WAIT = re.compile(r"(?:^|[,;\s])wait=(\d{1,4})(?:$|[,;\s])", re.ASCII)
ALWAYS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Dispatch:
    """Answers every request for an operation."""

    def __init__(self, manager: Manager, callers: Callers, table: Table | None = None) -> None:
        self._manager = manager
        self._callers = callers
        self._table = table or Table()
        self._pages = BotPages()
        self._description = description(self._table.operations, controller.__version__)
        self.deeds = Deeds()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The answer, whatever happens; a problem where it can't be carried out."""
        request_id = secrets.token_hex(8)
        try:
            answer = await self._answered(request, request_id)
        except web.HTTPRequestEntityTooLarge:
            answer = problem_of(_too_large(), request_id)
        except Exception as error:  # noqa: BLE001 - the edge: each error is mapped once
            answer = problem_of(error, request_id)
        if not answer.prepared:
            answer.headers.update(ALWAYS)
            answer.headers["X-Request-Id"] = request_id
        return answer

    async def _answered(self, request: web.Request, request_id: str) -> web.StreamResponse:
        path = request.raw_path.partition("?")[0]  # as it was sent
        if (request.method, path) == ("GET", f"{PREFIX}/openapi.json"):
            return web.Response(body=self._description, content_type=JSON)
        found = self._table.find(request.method, path)
        identity = await self._callers.identify(request)
        call = await self._call(request, found, identity, request_id)
        return await self._carried_out(found.operation, call)

    async def _call(
        self, request: web.Request, found: Found, identity: Identity, request_id: str
    ) -> Call[Any, Any]:
        operation = found.operation
        return Call(
            manager=self._manager,
            caller=Caller(identity.principal, f"http:{identity.key}:{request_id}"),
            identity=identity,
            request=request,
            pages=self._pages,
            path=found.path,
            query=_query(operation, request),
            body=await _body(operation, request),
        )

    async def _carried_out(
        self, operation: Operation[Any, Any], call: Call[Any, Any]
    ) -> web.StreamResponse:
        if operation.deed:
            return _response(operation, await self._begun(operation, call))
        answer = await operation.handler(call)
        return answer if isinstance(answer, web.StreamResponse) else _response(operation, answer)

    async def _begun(self, operation: Operation[Any, Any], call: Call[Any, Any]) -> Answer:
        """Begin it, wait as long as is preferred, and answer with what the journal has of it."""

        async def work(caller: Caller) -> object:
            return await operation.handler(replace(call, caller=caller))

        begun = await self.deeds.begin(call.caller, work, wait_of(call.request))
        # Whoever asked may look, even if a moment later the bot is gone or the right is.
        event = await self._manager.history.of_request(call.caller, begun.number)
        headers = {"Location": f"{PREFIX}/operations/{begun.number}"}
        return Answer(operation_out(event), 200 if begun.ended else 202, headers)


def wait_of(request: web.Request) -> float:
    """The seconds for which `Prefer: wait=N` holds the answer back; 0 where it isn't sent."""
    found = _WAIT.search(", ".join(request.headers.getall("Prefer", ())))
    return min(float(found[1]), WAIT_MOST) if found else 0.0


def _query(operation: Operation[Any, Any], request: web.Request) -> BaseModel:
    given: dict[str, str] = {}
    for name, value in request.query.items():
        if name in given:
            raise InvalidInput(f"The parameter {name[:60]} is given twice.", ())
        given[name] = value
    model: type[BaseModel] = operation.query
    try:
        return model.model_validate(given)
    except ValidationError as error:
        raise invalid(error, "query") from None


async def _body(operation: Operation[Any, Any], request: web.Request) -> BaseModel:
    raw = await request.read()
    if len(raw) > BODY_MOST:
        raise _too_large()
    if not raw and operation.body is Nothing:
        return Nothing()
    if request.content_type != JSON:
        raise HttpProblem(
            415,
            "What is sent must be JSON.",
            hint=f"Send `Content-Type: {JSON}`.",
            code="not-json",
        )
    model: type[BaseModel] = operation.body
    try:
        return model.model_validate_json(raw, strict=True)
    except ValidationError as error:
        raise invalid(error, "body") from None


def _too_large() -> HttpProblem:
    return HttpProblem(413, f"The body is larger than {BODY_MOST} bytes.", code="too-large")


def _response(operation: Operation[Any, Any], answer: Answer) -> web.Response:
    status = answer.status or operation.status
    body = answer.body
    if isinstance(body, BaseModel):
        body = body.model_dump_json().encode()
    if body is None:
        return web.Response(status=status, headers=answer.headers)
    return web.Response(
        status=status, body=body, content_type=operation.media, headers=answer.headers
    )

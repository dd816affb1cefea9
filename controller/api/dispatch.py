"""From a request to its answer: find the operation, who asks, what they sent; then carry it out.

Every path below /api/v1 comes through here. Nothing reaches a use-case before all of it is known.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web
from pydantic import BaseModel

import controller
from controller.api import repeats
from controller.api.callers import Callers
from controller.api.deeds import Deeds
from controller.api.gate import Gate
from controller.api.identity import AT_THE_CONSOLE, NOBODY, Identity
from controller.api.late_loading import Late
from controller.api.openapi import description
from controller.api.operation import Answer, Call, Operation
from controller.api.paths import PREFIX
from controller.api.problems import PROBLEM, HttpProblem, problem_of
from controller.api.reading import JSON, body_of, query_of, wait_of
from controller.api.repeats import Repeats, Reply
from controller.api.request_rates import Limits
from controller.api.resources import BotPages, operation_out
from controller.api.streams import Streams
from controller.api.table import Table
from controller.domain.errors import Conflict, ControllerError
from controller.fleet.journal import Caller
from controller.manager import Manager

ALWAYS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}
Asked = Call[Any, Any]
AnyOperation = Operation[Any, Any]


class Dispatch:
    """Answers every request for an operation."""

    def __init__(
        self,
        manager: Manager,
        callers: Callers,
        table: Table | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._manager = manager
        self._callers = callers
        self._table = table or Table()
        self._limits = limits or Limits()
        self._repeats = Repeats(manager.notebook)
        self._pages = BotPages()
        # Of all that can be asked: only who writes a program needs it.
        self._description = Late(
            lambda: description(self._table.operations, controller.__version__)
        )
        self.deeds = Deeds()
        self.streams = Streams(ALWAYS, self._limits.pace)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The answer, whatever happens; a problem where it can't be carried out."""
        request_id = secrets.token_hex(8)
        try:
            answer = await self._answered(request, request_id)
        except Exception as error:  # noqa: BLE001 - the edge: each error is mapped once
            answer = problem_of(error, request_id)
        if not answer.prepared:
            answer.headers.update(ALWAYS)
            answer.headers["X-Request-Id"] = request_id
        return answer

    async def _answered(self, request: web.Request, request_id: str) -> web.StreamResponse:
        gate = self.require_gate(request)
        path = request.raw_path.partition("?")[0]  # as it was sent
        if (request.method, path) == ("GET", f"{PREFIX}/openapi.json"):
            return web.Response(body=await self._description.get(), content_type=JSON)
        found = self._table.find(request.method, path)
        operation = found.operation
        identity = await self._identified(operation, request, gate)
        key = repeats.key_of(request) if operation.changes else ""
        if key and operation.secret:
            raise HttpProblem(
                400,
                "This takes no Idempotency-Key: nothing of a secret is kept.",
                hint="Send it without one, and look before you send it again.",
                code="not-repeatable",
            )
        query = query_of(operation, request)
        body = await body_of(operation, request, self._limits.pace.body)
        call = self.call(request, identity, key or request_id, found.path, query, body)
        if key:
            return await self._once(operation, call, request_id)
        return await self.carried_out(operation, call, wait_of(request))

    def require_gate(self, request: web.Request) -> Gate | None:
        """What it came through, if there is anything; raises HttpProblem where it may not."""
        if request.version < (1, 0):
            raise HttpProblem(505, "This needs HTTP/1.0 or later.", code="old-http")
        gate = self._callers.gate
        if gate is not None:
            gate.require_host(request)
        return gate

    def call(
        self,
        request: web.Request,
        identity: Identity,
        key: str,
        path: Mapping[str, str],
        query: BaseModel,
        body: BaseModel,
    ) -> Asked:
        """A request for an operation, for whoever carries it out."""
        return Call(
            manager=self._manager,
            caller=Caller(identity.principal, repeats.request_id(identity, key)),
            identity=identity,
            request=request,
            pages=self._pages,
            streams=self.streams,
            gate=self._callers.gate or Gate(),
            path=path,
            query=query,
            body=body,
        )

    async def _identified(
        self, operation: AnyOperation, request: web.Request, gate: Gate | None
    ) -> Identity:
        """Who asks, if they didn't ask too often."""
        if operation.anonymous:
            if gate is not None:
                gate.require_own_page(request)
                self._limits.count(f"sign-in {gate.address(request)}", self._limits.rates.sign_ins)
            return NOBODY
        identity = await self._callers.identify(request)
        self.count(identity, changes=operation.changes)
        return identity

    def count(self, identity: Identity, *, changes: bool) -> None:
        """Count a request of theirs; 429 (`too-many-requests`) when there were too many."""
        if identity.key != AT_THE_CONSOLE.key:
            rates = self._limits.rates
            self._limits.count(identity.key, rates.writes if changes else rates.reads)

    async def carried_out(
        self, operation: AnyOperation, call: Asked, wait: float
    ) -> web.StreamResponse:
        """The answer of an operation; one that takes its time is waited for so many seconds."""
        if operation.deed:
            return _response(operation, await self._begun(operation, call, wait))
        answer = await operation.handler(call)
        return answer if isinstance(answer, web.StreamResponse) else _response(operation, answer)

    async def _begun(self, operation: AnyOperation, call: Asked, wait: float) -> Answer:
        """Begin it, wait as long as is preferred, and answer with what the journal has of it."""

        async def work(caller: Caller) -> object:
            return await operation.handler(replace(call, caller=caller))

        begun = await self.deeds.begin(call.caller, work, wait)
        return await self._operation(call, begun.number)

    async def _operation(self, call: Asked, number: int) -> Answer:
        # Whoever asked may look, even if a moment later the bot is gone or the right is.
        event = await self._manager.history.of_request(call.caller, number)
        headers = {"Location": f"{PREFIX}/operations/{number}"}
        return Answer(operation_out(event), 200 if event.outcome else 202, headers)

    async def _once(
        self, operation: AnyOperation, call: Asked, request_id: str
    ) -> web.StreamResponse:
        """Carry it out once, however often it is sent."""

        async def work(caller: Caller) -> Reply:
            try:
                asked = replace(call, caller=caller)
                done = await self.carried_out(operation, asked, wait_of(call.request))
            except ControllerError as error:
                done = problem_of(error, request_id)
            assert isinstance(done, web.Response), "what changes something is no stream"
            kept = (operation.kept and not operation.deed) or done.status >= 400
            body = bytes(done.body) if kept and isinstance(done.body, bytes) else b""
            fresh.append(done)
            return Reply(done.status, body, done.headers.get("Location", ""))

        fresh: list[web.Response] = []
        digest = await repeats.digest_of(call.request)
        reply = await self._repeats.once(call.caller, digest, work)
        answer = fresh[0] if fresh else await self._again(operation, call, reply)
        if reply.replayed:
            answer.headers["Idempotent-Replayed"] = "true"
        return answer

    async def _again(self, operation: AnyOperation, call: Asked, reply: Reply) -> web.Response:
        """The answer to a request that came before; of an operation, how it goes now."""
        if reply.status >= 400:
            return web.Response(status=reply.status, body=reply.body, content_type=PROBLEM)
        if operation.deed:
            number = int(reply.location.rpartition("/")[2])
            return _response(operation, await self._operation(call, number))
        if not operation.kept:
            number = await self._manager.notebook.number_of(call.caller.request)
            raise Conflict(
                "That was carried out, and its answer isn't kept.",
                hint=f"GET {PREFIX}/operations/{number} says how it ended.",
                code="answer-not-kept",
            )
        headers = {"Location": reply.location} if reply.location else {}
        return _response(operation, Answer(reply.body or None, reply.status, headers))


def _response(operation: AnyOperation, answer: Answer) -> web.Response:
    status = answer.status or operation.status
    body = answer.body
    if isinstance(body, BaseModel):
        body = body.model_dump_json().encode()
    if body is None:
        return web.Response(status=status, headers=answer.headers)
    return web.Response(
        status=status, body=body, content_type=operation.media, headers=answer.headers
    )

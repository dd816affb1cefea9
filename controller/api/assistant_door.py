"""Where assistants ask (`/mcp`): each message is a POST, and its reply is the answer.

What they may is narrowed before anything is carried out: the principal that the use-cases see may
do the acts of these tools and nothing else, so a mistake in here can't let more through.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from aiohttp import web

from controller.api.assistant_protocol import (
    INVALID_PARAMS,
    NO_METHOD,
    Fault,
    Message,
    discovered,
    fault_of,
    message_of,
    reply_of,
    tool_list,
    tool_result,
    welcome,
)
from controller.api.assistant_tools import Tool, as_data, tools_of
from controller.api.callers import Callers
from controller.api.dispatch import ALWAYS, Dispatch
from controller.api.identity import AT_THE_CONSOLE, Identity
from controller.api.operation import Nothing
from controller.api.problems import HttpProblem, problem_of
from controller.api.raw_bodies import raw_of
from controller.api.reading import JSON, require_json
from controller.api.table import OPERATIONS
from controller.domain.access import assistant_of
from controller.domain.acts import Scope
from controller.manager import Manager

WAIT_SECONDS = 20.0  # that an answer is held back for the end of a start, stop or restart


class AssistantDoor:
    """Answers assistants."""

    def __init__(
        self, manager: Manager, callers: Callers, dispatch: Dispatch, body_seconds: float
    ) -> None:
        self._access = manager.access
        self._callers = callers
        self._dispatch = dispatch
        self._body_seconds = body_seconds
        self._tools = tools_of(OPERATIONS)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """The reply to a message; a problem where nobody knows who sent it."""
        request_id = secrets.token_hex(8)
        try:
            answer: web.StreamResponse = await self._answered(request)
        except Exception as error:  # noqa: BLE001 - the edge: each error is mapped once
            answer = problem_of(error, request_id)
        answer.headers.update(ALWAYS)
        answer.headers["X-Request-Id"] = request_id
        return answer

    async def _answered(self, request: web.Request) -> web.Response:
        self._dispatch.require_gate(request)
        if request.method != "POST":
            raise HttpProblem(
                405,
                "Messages of assistants are sent by POST.",
                code="method-not-allowed",
                headers={"Allow": "POST"},
            )
        identity = await self._callers.identify(request)
        self._dispatch.count(identity, changes=False)
        raw = await raw_of(request, self._body_seconds)
        require_json(request)
        message = None
        try:
            message = message_of(raw)
            message.require_version(request.headers)
            if message.id is None:
                return web.Response(status=202)
            result = await self._result(request, self._narrowed(request, identity), message)
        except Fault as fault:
            status, reply = fault_of(message, fault)
        else:
            status, reply = 200, reply_of(message, result)
        return web.Response(status=status, body=reply, content_type=JSON)

    def _narrowed(self, request: web.Request, identity: Identity) -> Identity:
        """Who asks, with no more rights than the tools that they are let have."""
        by_console = identity is AT_THE_CONSOLE and request.query.get("acting") == "1"
        acting = identity.acting or by_console
        acts = {tool.operation.act.id for tool in self._tools.values() if acting or not tool.acts}
        return replace(identity, principal=assistant_of(identity.principal, acts), acting=acting)

    async def _result(
        self, request: web.Request, identity: Identity, message: Message
    ) -> Mapping[str, Any]:
        if message.method == "tools/call":
            return await self._called(request, identity, message)
        match message.method:
            case "initialize":
                return welcome(message)
            case "server/discover":
                return discovered()
            case "ping":
                return {}
            case "tools/list":
                return tool_list([tool.described for tool in self._offered(identity)])
            case _:
                raise Fault(NO_METHOD, "There is no such method here.")

    def _offered(self, identity: Identity) -> list[Tool]:
        """The tools that can be of use to them."""
        return [
            tool
            for tool in self._tools.values()
            if (identity.acting or not tool.acts)
            and (
                tool.operation.act.scope is not Scope.FLEET
                or self._access.may(identity.principal, tool.operation.act)
            )
        ]

    async def _called(
        self, request: web.Request, identity: Identity, message: Message
    ) -> Mapping[str, Any]:
        name, arguments = message.params.get("name"), message.params.get("arguments") or {}
        tool = self._tools.get(name) if isinstance(name, str) else None
        if tool is None or not isinstance(arguments, dict):
            raise Fault(INVALID_PARAMS, "There is no such tool.")
        request_id = secrets.token_hex(8)
        try:
            answer = await self._carried_out(request, identity, tool, arguments, request_id)
        except Exception as error:  # noqa: BLE001 - the edge: the assistant reads what is wrong
            answer = problem_of(error, request_id)
        body = answer.body if isinstance(answer, web.Response) else None
        text = body.decode() if isinstance(body, bytes) else ""
        return tool_result(as_data(text), is_error=answer.status >= 400)

    async def _carried_out(
        self,
        request: web.Request,
        identity: Identity,
        tool: Tool,
        arguments: Mapping[str, Any],
        request_id: str,
    ) -> web.StreamResponse:
        if tool.acts:
            self._dispatch.count(identity, changes=True)
        path, query = tool.sorted(arguments)
        call = self._dispatch.call(request, identity, request_id, path, query, Nothing())
        return await self._dispatch.carried_out(tool.operation, call, WAIT_SECONDS)

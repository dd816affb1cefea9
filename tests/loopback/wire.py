"""One HTTP request from arrival to answer: recorded, faulted, authorised, handled, answered.
Next door: rest.py has the handlers, faults.py says what goes wrong."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from aiohttp import hdrs, web
from aiohttp.web_request import FileField

from .errors import ApiError
from .faults import Fault
from .messages import Files

if TYPE_CHECKING:
    from .server import LoopbackDiscord, Request

PREFIX = "/api/v10"
OPEN_PATHS = ("/interactions/", "/webhooks/", "/gateway")


@dataclass(slots=True)
class Call:
    """A request as a handler sees it."""

    body: Any
    files: Files
    names: Mapping[str, str]  # the variable parts of the path
    query: Mapping[str, str]
    record: Request

    def ids(self, *names: str) -> list[int]:
        return [int(self.names[name]) for name in names]


Handler = Callable[[Call], Awaitable[Any]]


def reply(body: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON answer with the exact content type that discord.py needs, and generous rate limits."""
    generous = {
        "X-RateLimit-Limit": "1000",
        "X-RateLimit-Remaining": "999",
        "X-RateLimit-Reset": f"{time.time() + 1:.3f}",
        "X-RateLimit-Reset-After": "1.0",
        "Via": "1.1 loopback",
    }
    if status == 204:
        return web.Response(status=status, headers=generous)
    generous["Content-Type"] = "application/json"
    data = json.dumps(body).encode()
    return web.Response(body=data, status=status, headers=generous | dict(headers or {}))


async def read_body(request: web.Request) -> tuple[Any, Files]:
    """The JSON of a request, and its uploads by field name."""
    if request.content_type != "multipart/form-data":
        raw = await request.read()
        return (json.loads(raw) if raw else None), {}
    form = await request.post()
    payload = form.get("payload_json")
    uploads = {key: value for key, value in form.items() if isinstance(value, FileField)}
    files = {key: (value.filename, value.file.read()) for key, value in uploads.items()}
    return (None if isinstance(payload, FileField) else json.loads(payload or "null")), files


class Wire:
    """Wraps a handler in everything that each request has in common."""

    def __init__(self, world: LoopbackDiscord) -> None:
        self.world = world

    def served(self, handler: Handler) -> Callable[[web.Request], Awaitable[web.Response]]:
        async def serve(request: web.Request) -> web.Response:
            try:
                return await self._serve(request, handler)
            except (ConnectionError, web.RequestPayloadError):
                raise  # the bot disconnected midway
            except Exception as error:  # noqa: BLE001 (kept, and raised when the world ends)
                self.world.errors.append(error)
                return reply({"message": f"the loopback broke: {error!r}", "code": 0}, 400)

        return serve

    async def _serve(self, request: web.Request, handler: Handler) -> web.Response:
        path = request.path.removeprefix(PREFIX)
        try:
            body, files = await read_body(request)
        except ValueError:
            return reply({"message": "The request body contains invalid JSON.", "code": 50109}, 400)
        record = self.world.record(request.method, path, body, files)
        fault = self.world.faults.strike(request.method, path)
        if fault is not None and fault.drop:
            return _cut(request)
        call = Call(body, files, request.match_info, request.query, record)
        response = await self._answer(request, call, handler, fault)
        if fault is not None and fault.delay:
            await asyncio.sleep(fault.delay)
        if fault is not None and fault.drop_after:
            return _cut(request)
        record.status, record.answer = response.status, response.text or ""
        self.world.changed()
        return response

    async def _answer(
        self, request: web.Request, call: Call, handler: Handler, fault: Fault | None
    ) -> web.Response:
        if fault is not None and fault.after:
            with contextlib.suppress(ApiError):
                await handler(call)
        if fault is not None and fault.text is not None:
            status = fault.status or 200
            return web.Response(text=fault.text, status=status, headers=fault.all_headers())
        if fault is not None and fault.status is not None:
            return reply(fault.body(), fault.status, fault.all_headers())
        limits, refused = self.world.buckets.spend(request.method, call.record.path)
        if refused:
            limited = Fault("*", "", status=429, retry_after=refused)
            return reply(limited.body(), 429, limits | limited.all_headers())
        try:
            self._authorise(request, call)
            body = await handler(call)
        except ApiError as error:
            return reply(error.body, error.status)
        return reply(body, 204 if body is None else 200, limits)

    def _authorise(self, request: web.Request, call: Call) -> None:
        known = request.headers.get(hdrs.AUTHORIZATION) == f"Bot {self.world.token}"
        if not known and not call.record.path.startswith(OPEN_PATHS):
            raise ApiError(401, 0, "401: Unauthorized")


def _cut(request: web.Request) -> web.Response:
    """Closes the connection; the returned response reaches nobody."""
    if request.transport is not None:
        request.transport.close()
    return web.Response(status=204)

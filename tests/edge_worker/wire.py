"""A way between the controller and its Worker that a test can break: a proxy on a loopback port."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Self

import aiohttp
from aiohttp import web


@dataclass(frozen=True)
class Instead:
    """One answer instead of the real one; or, with `before` and `after`, something done beside it.

    `drop` cuts the connection. `passed`: the real one is asked nevertheless, and its answer lost.
    """

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False
    passed: bool = False
    after: Callable[[], Awaitable[None]] | None = None


class Wire:
    """The proxy, an async context manager. `script` is used up request by request."""

    def __init__(self, to: str) -> None:
        self.to = to
        self.script: list[Instead] = []
        self.taken: list[tuple[str, str, bytes, dict[str, str]]] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=1 << 22)
        app.router.add_route("*", "/{rest:.*}", self._answer)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {k: v for k, v in request.headers.items() if k.lower() != "host"}
        self.taken.append((request.method, request.raw_path, body, headers))
        instead = None
        if request.raw_path == "/internal/events" and self.script:
            instead = self.script.pop(0)
        if instead is not None and not (instead.passed or instead.after):
            return self._instead(request, instead)
        async with aiohttp.ClientSession() as session:
            async with session.request(
                request.method, self.to + request.raw_path, data=body, headers=headers
            ) as answer:
                raw = await answer.read()
        if instead is not None and instead.after is not None:
            await instead.after()
        if instead is not None:
            return self._instead(request, instead)
        return web.Response(status=answer.status, body=raw, headers=_shown(answer.headers))

    def _instead(self, request: web.Request, instead: Instead) -> web.StreamResponse:
        if instead.drop or not instead.status:
            assert request.transport is not None
            request.transport.abort()
        return web.Response(status=instead.status or 500, headers=instead.headers)


def _shown(headers: Mapping[str, str]) -> dict[str, str]:
    return {k: v for k, v in headers.items() if k.lower() in {"content-type", "retry-after"}}

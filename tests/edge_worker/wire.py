"""A way between the controller and its Worker that a test can break: a proxy on a loopback port."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Self

import aiohttp
from aiohttp import web
from yarl import URL


@dataclass(frozen=True)
class Instead:
    """One answer to a call of `path` instead of the real one.

    `drop` cuts the connection. `passed`: the real one is asked nevertheless, and its answer lost.
    `before` and `after` are done before it is passed on, and before its answer is.
    """

    status: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    drop: bool = False
    passed: bool = False
    before: Callable[[], Awaitable[None]] | None = None
    after: Callable[[], Awaitable[None]] | None = None
    path: str = "/internal/events"


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
        if self.script and request.raw_path == self.script[0].path:
            instead = self.script.pop(0)
        if instead is not None and instead.before is not None:
            await instead.before()
        if instead is not None and not (instead.passed or instead.after):
            return self._instead(request, instead)
        url = URL(self.to + request.raw_path, encoded=True)
        try:
            async with aiohttp.ClientSession() as session:
                async with session.request(
                    request.method, url, data=body, headers=headers
                ) as answer:
                    if instead is None:
                        return await self._passed_on(request, answer)
                    await answer.read()
        except aiohttp.ClientConnectionError:
            return self._instead(request, Instead(drop=True))
        if instead.after is not None:
            await instead.after()
        return self._instead(request, instead)

    async def _passed_on(
        self, request: web.Request, answer: aiohttp.ClientResponse
    ) -> web.StreamResponse:
        """The real answer, piece by piece as it comes."""
        shown = web.StreamResponse(status=answer.status, headers=_shown(answer.headers))
        await shown.prepare(request)
        with contextlib.suppress(ConnectionError):
            async for piece in answer.content.iter_any():
                await shown.write(piece)
            await shown.write_eof()
        return shown

    def _instead(self, request: web.Request, instead: Instead) -> web.StreamResponse:
        if instead.drop or not instead.status:
            assert request.transport is not None
            request.transport.abort()
        return web.Response(status=instead.status or 500, headers=instead.headers)


def _shown(headers: Mapping[str, str]) -> dict[str, str]:
    return {k: v for k, v in headers.items() if k.lower() in {"content-type", "retry-after"}}

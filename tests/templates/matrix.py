"""A small Matrix homeserver with one account and one room, for a bot in a container.

Only what a bot needs that reads a room and answers in it; next door: test_maubot.py.
"""

from __future__ import annotations

import asyncio
import contextlib
from types import TracebackType
from typing import Any

from aiohttp import web

API = "/_matrix/client"
ROOM = "!room:loopback.test"
PERSON = "@ann:loopback.test"
Json = dict[str, Any]


class LoopbackMatrix:
    """`async with LoopbackMatrix(token, host) as matrix`: what the bot said is in `heard`."""

    user_id = "@bot:loopback.test"

    def __init__(self, token: str, host: str) -> None:
        self.token = token
        self.host = host
        self.port = 0
        self.heard: list[str] = []
        self.syncs = 0
        self._events: list[Json] = []
        self._changed = asyncio.Condition()
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    async def __aenter__(self) -> LoopbackMatrix:
        app = web.Application(middlewares=[self._authorised])
        app.router.add_get(f"{API}/versions", self._versions)
        app.router.add_get(f"{API}/v3/account/whoami", self._whoami)
        app.router.add_post(f"{API}/v3/user/{{user}}/filter", self._filter)
        app.router.add_get(f"{API}/v3/sync", self._sync)
        app.router.add_put(f"{API}/v3/rooms/{{room}}/send/{{kind}}/{{txn}}", self._send)
        app.router.add_route("*", "/{tail:.*}", self._nowhere)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
        await self._runner.setup()
        await web.TCPSite(self._runner, self.host, 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def say(self, text: str) -> None:
        """A person writes into the room."""
        async with self._changed:
            number = len(self._events)
            self._events.append(
                {
                    "type": "m.room.message",
                    "event_id": f"$event{number}",
                    "sender": PERSON,
                    "origin_server_ts": number,
                    "content": {"msgtype": "m.text", "body": text},
                }
            )
            self._changed.notify_all()

    async def until_heard(self, text: str, timeout: float = 15.0) -> None:
        """Until the bot has said that."""
        async with self._changed:
            await asyncio.wait_for(self._changed.wait_for(lambda: text in self.heard), timeout)

    async def until_synced(self, timeout: float = 30.0) -> None:
        """Until the bot waits for news: its second sync."""
        async with self._changed:
            await asyncio.wait_for(self._changed.wait_for(lambda: self.syncs > 1), timeout)

    # What the bot asks.

    @web.middleware
    async def _authorised(self, request: web.Request, handler: Any) -> web.StreamResponse:
        given = request.headers.get("Authorization")
        if not request.path.endswith("/versions") and given != f"Bearer {self.token}":
            refusal = {"errcode": "M_UNKNOWN_TOKEN", "error": "Unknown access token"}
            refused = web.json_response(refusal, status=401)
            refused.force_close()
            return refused
        answer: web.StreamResponse = await handler(request)
        return answer

    async def _versions(self, request: web.Request) -> web.Response:
        return web.json_response({"versions": ["v1.1", "v1.11"]})

    async def _whoami(self, request: web.Request) -> web.Response:
        return web.json_response({"user_id": self.user_id})

    async def _filter(self, request: web.Request) -> web.Response:
        return web.json_response({"filter_id": "1"})

    async def _sync(self, request: web.Request) -> web.Response:
        since = int(request.query.get("since") or 0)
        patience = min(int(request.query.get("timeout") or 0) / 1000, 2)
        async with self._changed:
            self.syncs += 1
            self._changed.notify_all()
            with contextlib.suppress(asyncio.TimeoutError):
                news = self._changed.wait_for(lambda: len(self._events) > since)
                await asyncio.wait_for(news, patience)
            events = self._events[since:]
            body: Json = {"next_batch": str(len(self._events))}
        if events:
            body["rooms"] = {"join": {ROOM: {"timeline": {"events": events, "limited": False}}}}
        return web.json_response(body)

    async def _send(self, request: web.Request) -> web.Response:
        content = await request.json()
        async with self._changed:
            self.heard.append(str(content.get("body")))
            self._changed.notify_all()
        return web.json_response({"event_id": f"$sent{len(self.heard)}"})

    async def _nowhere(self, request: web.Request) -> web.Response:
        return web.json_response({"errcode": "M_UNRECOGNIZED", "error": request.path}, status=404)

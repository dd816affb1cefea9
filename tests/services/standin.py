"""A stand-in for every service that can be asked about a secret, on a real loopback socket.

    async with Standin() as standin:
        live = LiveChecks(standin.url)            # or BOTMAKER_LIVE_CHECKS=<standin.url>
        standin.refuse("discord")                 # 401 in the service's own form
        standin.answers["telegram"] = Reply(500)  # anything else
        ...
        assert standin.seen == ["discord", "telegram"]

Unless told otherwise, every service accepts everything. Set `answers` by the kind of check
(`domain.live.CHECKS`), or by "discord-application" for Discord's second question. `seen` lists who
was asked, in order; `secrets` holds the secret each was shown, by the same names. Set `only` to
accept just those values and refuse all others.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

BOT_ID = "1200000000000000001"
INTENT = 1 << 19
GOOD: dict[str, dict[str, Any]] = {
    "discord": {"id": BOT_ID, "username": "Shop Helper", "discriminator": "0001", "bot": True},
    "discord-application": {"id": BOT_ID, "name": "Shop Helper", "flags": INTENT},
    "telegram": {
        "ok": True,
        "result": {
            "id": 1,
            "is_bot": True,
            "first_name": "Shop Helper",
            "username": "shop_helper_bot",
            "can_join_groups": True,
            "can_read_all_group_messages": True,
        },
    },
    "slack-bot": {"ok": True, "user": "shophelper", "team": "The Shop", "bot_id": "B1"},
    "slack-app": {"ok": True, "url": "wss://127.0.0.1:9/link/?ticket=fake"},
    "anthropic": {"data": [{"id": "claude-fake", "type": "model"}], "has_more": False},
    "openai": {"object": "list", "data": [{"id": "gpt-fake", "object": "model"}]},
    "openrouter": {"data": {"label": "sk-or-v1-abc...xyz", "limit_remaining": 4.2}},
}
# How each service says no. Slack does it with status 200.
BAD: dict[str, tuple[int, dict[str, Any]]] = {
    "discord": (401, {"message": "401: Unauthorized", "code": 0}),
    "discord-application": (401, {"message": "401: Unauthorized", "code": 0}),
    "telegram": (401, {"ok": False, "error_code": 401, "description": "Unauthorized"}),
    "slack-bot": (200, {"ok": False, "error": "invalid_auth"}),
    "slack-app": (200, {"ok": False, "error": "invalid_auth"}),
    "anthropic": (401, {"type": "error", "error": {"type": "authentication_error"}}),
    "openai": (401, {"error": {"code": "invalid_api_key", "type": "invalid_request_error"}}),
    "openrouter": (401, {"error": {"code": 401, "message": "No auth credentials found"}}),
}
_PLACES = {
    ("GET", "/discord/api/v10/users/@me"): "discord",
    ("GET", "/discord/api/v10/applications/@me"): "discord-application",
    ("POST", "/slack/api/auth.test"): "slack-bot",
    ("POST", "/slack/api/apps.connections.open"): "slack-app",
    ("GET", "/anthropic/v1/models"): "anthropic",
    ("GET", "/openai/v1/models"): "openai",
    ("GET", "/openrouter/api/v1/key"): "openrouter",
}


@dataclass(frozen=True)
class Reply:
    """One answer, `delay` seconds late: dicts and lists go as JSON, text and bytes as they are."""

    status: int = 200
    body: dict[str, Any] | list[Any] | str | bytes = ""
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0


class Standin:
    """The server, an async context manager; see the module's docstring."""

    def __init__(self) -> None:
        self.answers: dict[str, Reply] = {}
        self.only: frozenset[str] | None = None
        self.seen: list[str] = []
        self.secrets: dict[str, str] = {}
        self.strange: list[str] = []  # requests no service would get: wrong path, method or header
        self._url = ""
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The value for BOTMAKER_LIVE_CHECKS."""
        return self._url

    def refuse(self, kind: str) -> None:
        """Make that service say no, in its own way."""
        self.answers[kind] = Reply(*BAD[kind])

    def say(self, kind: str, **changed: Any) -> None:
        """Make that service accept, with these keys changed (in `result` or `data`, if any)."""
        body = json.loads(json.dumps(GOOD[kind]))
        inner = body.get("result", body.get("data"))
        (inner if isinstance(inner, dict) else body).update(changed)
        self.answers[kind] = Reply(body=body)

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_route("*", "/{rest:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        host, port = self._runner.addresses[0][:2]
        self._url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        kind, secret = _asked(request)
        if not kind or not secret:
            self.strange.append(f"{request.method} {request.path}")
            return web.json_response({"error": "not_found"}, status=404)
        self.seen.append(kind)
        self.secrets[kind] = secret
        reply = self.answers.get(kind, Reply(body=GOOD[kind]))
        if self.only is not None and secret not in self.only:
            reply = Reply(*BAD[kind])
        await asyncio.sleep(reply.delay)
        if isinstance(reply.body, dict | list):
            return web.json_response(reply.body, status=reply.status, headers=reply.headers)
        raw = reply.body.encode() if isinstance(reply.body, str) else reply.body
        return web.Response(body=raw, status=reply.status, headers=reply.headers)


def _asked(request: web.Request) -> tuple[str, str]:
    """Which check this is and which secret it shows, read as the service itself would."""
    first, _, rest = request.path.removeprefix("/telegram/bot").rpartition("/")
    if request.path.startswith("/telegram/bot") and rest == "getMe" and request.method == "GET":
        return "telegram", first
    kind = _PLACES.get((request.method, request.path), "")
    if kind == "anthropic":
        versioned = request.headers.get("anthropic-version") == "2023-06-01"
        return kind, request.headers.get("x-api-key", "") if versioned else ""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    discord = kind.startswith("discord")
    if discord and not request.headers.get("User-Agent", "").startswith("DiscordBot ("):
        return kind, ""
    return kind, secret if scheme == ("Bot" if discord else "Bearer") else ""

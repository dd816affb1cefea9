"""A stand-in for the services that check a token: it knows every token but those with "refuse".

It listens on this machine only and keeps nothing. Its answers have the form of the real services',
as far as `controller.services.verdict_rules` reads them.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from aiohttp import web

REFUSED = "refuse"  # what a secret must contain to be refused
_ACCEPTED: dict[str, dict[str, Any]] = {
    "telegram": {"ok": True, "result": {"is_bot": True, "username": "workshop_bot"}},
    "discord": {"id": "1", "username": "workshop", "flags": 1 << 19},
    "slack": {"ok": True, "user": "workshop", "team": "Workshop", "bot_id": "B1"},
    "anthropic": {"data": []},
    "openai": {"data": []},
    "openrouter": {"data": {}},
}


@contextlib.asynccontextmanager
async def stand_in() -> AsyncIterator[str]:
    """Serve it while the block runs; gives its URL."""
    app = web.Application()
    app.router.add_route("*", "/{service}/{path:.*}", _answer)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        _, port = runner.addresses[0][:2]
        yield f"http://127.0.0.1:{port}"
    finally:
        await runner.cleanup()


async def _answer(request: web.Request) -> web.Response:
    shown = (request.path, request.headers.get("Authorization"), request.headers.get("x-api-key"))
    if any(REFUSED in (text or "") for text in shown):
        return web.json_response({"ok": False}, status=401)
    answer = _ACCEPTED.get(request.match_info["service"])
    return web.json_response(answer or {}, status=200 if answer is not None else 404)

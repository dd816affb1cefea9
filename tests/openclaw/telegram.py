"""A stand-in for Telegram's Bot API: what OpenClaw asks of it, and what a person there sees.
Next door: model.py stands in for a provider; shop.py puts both and a controller together."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web

BOT = {"id": 4000000001, "is_bot": True, "first_name": "Claw", "username": "claw_stand_in_bot"}
LONGEST_POLL = 5.0  # seconds; the real one keeps a poll for as long as it is asked to


@dataclass(frozen=True)
class Call:
    """One request: which method, with which token, and its parameters."""

    method: str
    token: str
    parameters: dict[str, Any]


@dataclass
class Telegram:
    """Accepts the tokens in `tokens`; keeps every call; hands over what people write."""

    tokens: set[str] = field(default_factory=set)
    calls: list[Call] = field(default_factory=list)
    texts: dict[int, tuple[int, str]] = field(default_factory=dict)  # message id -> chat, text
    updates: list[dict[str, Any]] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _last_id: int = 100

    def routes(self) -> list[web.RouteDef]:
        """What it serves, below any prefix."""
        return [
            web.route("*", "/bot{token}/{method}", self._serve),
            web.get("/file/bot{token}/{path:.*}", self._no_file),
        ]

    # What a person does and sees.

    def write(self, person: int, text: str) -> None:
        """That person writes to the bot in private."""
        who = {"id": person, "is_bot": False, "first_name": "Ann", "username": f"ann{person}"}
        message = {
            "message_id": self._next(),
            "date": int(time.time()),
            "from": who,
            "chat": {"id": person, "type": "private", "first_name": "Ann"},
            "text": text,
        }
        self.updates.append({"update_id": self._next(), "message": message})
        self._changed.set()

    def seen_by(self, person: int) -> list[str]:
        """The texts that stand in the chat with that person now, edits applied, oldest first."""
        return [text for chat, text in self.texts.values() if chat == person]

    def tokens_used(self) -> set[str]:
        """Every token that came with a call."""
        return {call.token for call in self.calls}

    async def until(self, check: Callable[[], Any], seconds: float, what: str) -> Any:
        """Wait until the check answers something true, and return that."""
        deadline = time.monotonic() + seconds
        while not (found := check()):
            if time.monotonic() > deadline:
                methods = [call.method for call in self.calls[-12:]]
                raise AssertionError(f"{what}: not within {seconds:g} s; last calls {methods}")
            await asyncio.sleep(0.05)
        return found

    # The API.

    async def _serve(self, request: web.Request) -> web.Response:
        token, method = request.match_info["token"], request.match_info["method"]
        parameters = await _parameters(request)
        self.calls.append(Call(method, token, parameters))
        if token not in self.tokens:
            return _error(401, "Unauthorized")
        answer = getattr(self, f"_on_{method}", None)
        if answer is None:
            return _ok(True)
        return _ok(await answer(parameters))

    async def _no_file(self, request: web.Request) -> web.Response:
        return _error(404, "Not Found")

    async def _on_getMe(self, _: dict[str, Any]) -> dict[str, Any]:  # noqa: N802 (Telegram's name)
        return BOT | {"can_join_groups": True, "can_read_all_group_messages": False}

    async def _on_getWebhookInfo(self, _: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"url": "", "has_custom_certificate": False, "pending_update_count": 0}

    async def _on_getMyCommands(self, _: dict[str, Any]) -> list[Any]:  # noqa: N802
        return []

    async def _on_getChat(self, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return {"id": int(given.get("chat_id", 0)), "type": "private", "first_name": "Ann"}

    async def _on_getUpdates(self, given: dict[str, Any]) -> list[dict[str, Any]]:  # noqa: N802
        offset = int(given.get("offset") or 0)
        deadline = time.monotonic() + min(float(given.get("timeout") or 0), LONGEST_POLL)
        while True:
            found = [update for update in self.updates if update["update_id"] >= offset]
            left = deadline - time.monotonic()
            if found or left <= 0:
                return found
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), left)
            except TimeoutError:
                return []

    async def _on_sendMessage(self, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return self._stands(self._next(), given)

    async def _on_editMessageText(self, given: dict[str, Any]) -> dict[str, Any]:  # noqa: N802
        return self._stands(int(given["message_id"]), given)

    async def _on_deleteMessage(self, given: dict[str, Any]) -> bool:  # noqa: N802
        self.texts.pop(int(given["message_id"]), None)
        return True

    def _stands(self, number: int, given: dict[str, Any]) -> dict[str, Any]:
        chat, text = int(given["chat_id"]), str(given.get("text", ""))
        self.texts[number] = (chat, text)
        where = {"id": chat, "type": "private", "first_name": "Ann"}
        return {
            "message_id": number,
            "date": int(time.time()),
            "from": BOT,
            "chat": where,
            "text": text,
        }

    def _next(self) -> int:
        self._last_id += 1
        return self._last_id


async def _parameters(request: web.Request) -> dict[str, Any]:
    """From the query and from a body of any of the three kinds that Telegram takes."""
    found: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        with_body = await request.text()
        return found | (json.loads(with_body) if with_body else {})
    if request.can_read_body:
        form = await request.post()
        found |= {key: value for key, value in form.items() if isinstance(value, str)}
    return found


def _ok(result: Any) -> web.Response:
    return web.json_response({"ok": True, "result": result})


def _error(status: int, words: str) -> web.Response:
    body = {"ok": False, "error_code": status, "description": words}
    return web.json_response(body, status=status)

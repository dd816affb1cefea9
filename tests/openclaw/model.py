"""A stand-in for a provider with the chat endpoint that many of them have.
Next door: telegram.py stands in for the channel."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Model:
    """Answers every question with `answer`, streamed or whole; keeps questions and keys."""

    keys: set[str] = field(default_factory=set)
    answer: str = "I am the stand-in."
    asked: list[dict[str, Any]] = field(default_factory=list)
    keys_seen: list[str] = field(default_factory=list)

    def routes(self) -> list[web.RouteDef]:
        """What it serves."""
        return [
            web.get("/v1/models", self._models),
            web.post("/v1/chat/completions", self._complete),
        ]

    @property
    def prompts(self) -> str:
        """All that it was ever told, as one text."""
        return json.dumps(self.asked)

    async def _models(self, request: web.Request) -> web.Response:
        if (refused := self._refused(request)) is not None:
            return refused
        return web.json_response({"object": "list", "data": [{"id": "small", "object": "model"}]})

    async def _complete(self, request: web.Request) -> web.StreamResponse:
        if (refused := self._refused(request)) is not None:
            return refused
        question = await request.json()
        self.asked.append(question)
        if question.get("stream"):
            return await self._streamed(request, question)
        message = {"role": "assistant", "content": self.answer}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return web.json_response(self._piece(question, "chat.completion", [choice]) | _USAGE)

    async def _streamed(self, request: web.Request, question: dict[str, Any]) -> web.StreamResponse:
        stream = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await stream.prepare(request)
        half = len(self.answer) // 2
        deltas: list[dict[str, str]] = [
            {"role": "assistant", "content": ""},
            {"content": self.answer[:half]},
            {"content": self.answer[half:]},
        ]
        choices: list[dict[str, Any]] = [{"delta": d, "finish_reason": None} for d in deltas]
        choices.append({"delta": {}, "finish_reason": "stop"})
        for choice in choices:
            piece = self._piece(question, "chat.completion.chunk", [{"index": 0, **choice}])
            await stream.write(f"data: {json.dumps(piece)}\n\n".encode())
        last = self._piece(question, "chat.completion.chunk", []) | _USAGE
        await stream.write(f"data: {json.dumps(last)}\n\ndata: [DONE]\n\n".encode())
        return stream

    def _refused(self, request: web.Request) -> web.Response | None:
        key = request.headers.get("Authorization", "").removeprefix("Bearer ")
        self.keys_seen.append(key)
        if key in self.keys:
            return None
        error = {"message": "Incorrect API key provided", "type": "invalid_request_error"}
        return web.json_response({"error": error}, status=401)

    def _piece(
        self, question: dict[str, Any], kind: str, choices: list[dict[str, Any]]
    ) -> dict[str, Any]:
        return {
            "id": "chatcmpl-stand-in",
            "object": kind,
            "created": int(time.time()),
            "model": question.get("model", "small"),
            "choices": choices,
        }


_USAGE = {"usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}}

"""Requests that may be sent again (Idempotency-Key): carried out once, answered each time.

The key becomes the id of the request in the journal, where an id can't come twice. The answer is
kept for a day; of an operation its number, so that a repeat tells how it goes now.
"""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

from aiohttp import web

from controller.api.identity import Identity
from controller.api.problems import HttpProblem
from controller.domain.errors import Conflict
from controller.fleet.journal import Caller
from controller.manager.notebook import Notebook
from controller.store import KeptAnswer

KEY = re.compile(r"[!-~]{1,100}")


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer that can be given again."""

    status: int
    body: bytes
    location: str = ""
    replayed: bool = False


def key_of(request: web.Request) -> str:
    """The request's Idempotency-Key; an empty text if none was sent. 400 (`bad-idempotency-key`)
    also for an empty one, and for two: whoever sent them thinks that they are safe."""
    keys = request.headers.getall("Idempotency-Key", ())
    if not keys:
        return ""
    if len(keys) > 1 or not KEY.fullmatch(keys[0]):
        raise HttpProblem(
            400,
            "An Idempotency-Key has 1 to 100 visible ASCII characters.",
            code="bad-idempotency-key",
        )
    return keys[0]


async def digest_of(request: web.Request) -> str:
    """What was asked, as a hash: the same key for something else is a mistake."""
    asked = f"{request.method} {request.raw_path}\n".encode() + await request.read()
    return hashlib.sha256(asked).hexdigest()


def request_id(identity: Identity, key: str) -> str:
    """The id of the request: nobody can repeat what another key holder asked."""
    return f"http:{identity.key}:{key}"


class Repeats:
    """Knows which requests came before."""

    def __init__(self, notebook: Notebook) -> None:
        self._notebook = notebook
        self._running: set[str] = set()

    async def once(
        self, caller: Caller, digest: str, work: Callable[[Caller], Awaitable[Reply]]
    ) -> Reply:
        """Carry it out, unless it was; then the same answer.

        Raises 422 (`other-request`) when the key was used for something else, and Conflict:
        `still-running`, or `cut-short` when a controller died over it.
        """
        request = caller.request
        if request in self._running:
            raise Conflict("That request is being carried out.", code="still-running")
        self._running.add(request)
        try:
            kept = await self._notebook.kept_answer(request)
            if kept is None:
                return await self._carry_out(caller, digest, work)
            if kept.digest != digest:
                raise HttpProblem(
                    422,
                    "This Idempotency-Key was used for another request.",
                    hint="Use a fresh key for each request.",
                    code="other-request",
                )
            if kept.status is not None:
                return Reply(kept.status, kept.body.encode(), kept.location, replayed=True)
            await self._refuse_if_begun(request)
            return await self._carry_out(caller, digest, work)
        finally:
            self._running.discard(request)

    async def _refuse_if_begun(self, request: str) -> None:
        number = await self._notebook.number_of(request)
        if number:
            raise Conflict(
                "BotMaker was restarted while it carried this out.",
                hint=f"GET /api/v1/operations/{number} says how it ended.",
                code="cut-short",
            )

    async def _carry_out(
        self, caller: Caller, digest: str, work: Callable[[Caller], Awaitable[Reply]]
    ) -> Reply:
        request = caller.request
        asked: list[int] = []
        await self._notebook.keep_answer(KeptAnswer(request, digest, time.time()))
        reply = None
        try:
            reply = await work(replace(caller, on_asked=asked.append))
        finally:
            if reply is None and not asked:
                await self._notebook.drop_answer(request)
        if reply.status >= 400 and not asked:  # it may be asked again: nothing was done
            await self._notebook.drop_answer(request)
            return reply
        body = reply.body.decode()
        kept = KeptAnswer(request, digest, time.time(), reply.status, reply.location, body)
        await self._notebook.keep_answer(kept)
        return reply

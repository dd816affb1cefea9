"""Wishes that were left at the Worker: fetched in order, each applied once, each answered by an
event.

A wish is a request of its subject's, with an id of its own, so the journal knows whether it was
made. Only a request that a dead controller cut short before it changed anything is made again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controller.domain.acts import BOT_EDIT, BOT_RESTART, BOT_START, BOT_STOP, Act
from controller.domain.errors import BadInput, ControllerError, Denied, OutcomeUnknown
from controller.domain.journal import Author, Entry, Kind, Result
from controller.domain.webhooks import Verdict
from controller.edge.link import Link
from controller.edge.report import encoded
from controller.edge.signed_callers import WorkerCalls
from controller.edge.signing import SignedCall
from controller.fleet.journal import Caller
from controller.manager import Manager
from controller.store import Store

log = logging.getLogger(__name__)
TARGET = "/internal/wishes"
CURSOR = "edge_wishes"  # among the facts about the installation
POLL_SECONDS = 10.0
SETTLE_SECONDS = 1.0  # that the next wish waits for the end of the one before
TRIES_MOST = 5  # of a wish that dies with its controller
ACTS: Mapping[str, Act] = {
    "start": BOT_START,
    "stop": BOT_STOP,
    "restart": BOT_RESTART,
    "update_config": BOT_EDIT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wished:
    """A wish as the Worker gives it. Everything in it comes from outside."""

    seq: int
    id: str
    subject: str
    action: str
    payload: str
    signed_at: str
    signature: str


@dataclass(frozen=True, slots=True)
class Ended:
    """How a wish ended."""

    result: str
    code: str = ""
    message: str = ""


class WishesTaken:
    """Fetches wishes and applies them, until cancelled."""

    def __init__(self, manager: Manager, store: Store, link: Link, calls: WorkerCalls) -> None:
        self._manager = manager
        self._store = store
        self._link = link
        self._calls = calls
        self._hinted = asyncio.Event()
        self._cursor = 0

    def hint(self, newest: int) -> None:
        """The Worker has wishes up to that number: look at once if there are new ones."""
        if newest > self._cursor:
            self._hinted.set()

    async def run(self) -> None:
        """Fetch and apply for as long as this controller runs."""
        self._cursor = int(await self._store.recall(CURSOR) or 0)
        while True:
            self._hinted.clear()
            try:
                more = await self._page()
            except ControllerError as error:
                log.warning("wishes at the Worker have to wait: %s", error)
                more = False
            except Exception:  # a bug here must not end the controller
                log.exception("wishes at the Worker")
                more = False
            if not more:
                await self._rest()

    async def _rest(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL_SECONDS):
                await self._hinted.wait()

    async def _page(self) -> bool:
        """Apply what follows; whether there was anything."""
        told = await self._link.ask(TARGET, encoded({"after": self._cursor}))
        if told.verdict is not Verdict.DELIVERED:
            return False
        wishes = [one for one in map(_wished, told.value.get("wishes") or ()) if one]
        for wish in wishes:
            if wish.seq > self._cursor:
                ended = await self._applied(wish)
                await self._answer(wish, ended)
                self._cursor = wish.seq
        return bool(wishes)

    async def _answer(self, wish: Wished, ended: Ended) -> None:
        """Write down how it ended, and that it is done with, together."""
        by = self._calls.principal(wish.subject)
        data = {"wish": wish.id, "action": wish.action, "subject": wish.subject}
        data |= {"result": ended.result, "code": ended.code, "message": ended.message}
        author = Author(by) if by else Author()
        entry = Entry(at=time.time(), kind=Kind.EDGE_WISH, author=author, data=data)
        async with self._store.transaction() as write:
            await write.append(entry)
            await write.remember(CURSOR, str(wish.seq))

    async def _applied(self, wish: Wished) -> Ended:
        """Apply it, unless that was done before; how it ended."""
        try:
            for number in range(1, TRIES_MOST + 1):
                caller = await self._caller(wish, number)
                before = await self._made(caller.request)
                if before is not None:
                    if before.result == Result.CUT_SHORT and number < TRIES_MOST:
                        continue
                    return before
                await self._apply(wish, caller)
                break
        except ControllerError as error:
            unknown = isinstance(error, OutcomeUnknown)
            result = Result.UNKNOWN if unknown else Result.REFUSED
            return Ended(result.value, error.code, error.message)
        return Ended(Result.DONE.value)

    async def _caller(self, wish: Wished, number: int) -> Caller:
        """Who wishes it. Denied unless the Worker signed it for somebody who has a role."""
        call = SignedCall(
            wish.id,
            wish.signed_at,
            "WISH",
            wish.action,
            wish.payload.encode("utf-8", "replace"),
            wish.subject,
        )
        principal = self._calls.principal(wish.subject)
        if not await self._calls.is_of_the_worker(call, wish.signature):
            raise Denied("This wish isn't signed by the Worker.", code="not-signed")
        if principal is None:
            raise Denied("Whoever wishes this has no role here.")
        return Caller(principal, f"edge:{wish.id}:{number}")

    async def _made(self, request: str) -> Ended | None:
        """How that request ended; None if it was never made. One that changed a bot and was cut
        short afterwards is done."""
        asked = await self._store.asked(request=request)
        if asked is None:
            return None
        if await self._store.changed_by(asked.seq):
            return Ended(Result.DONE.value)
        outcome = (await self._store.outcomes([asked.seq])).get(asked.seq)
        data = outcome.data if outcome else {}
        result = str(data.get("result", Result.CUT_SHORT.value))
        return Ended(result, str(data.get("code", "")))

    async def _apply(self, wish: Wished, caller: Caller) -> None:
        manager, act = self._manager, ACTS.get(wish.action)
        payload = _object(wish.payload)
        if act is None:
            raise BadInput("There is no such action.", code="bad-wish")
        view = await manager.bots.named(caller, act, str(payload.get("bot", "")))
        match wish.action:
            case "start":
                await manager.lifecycle.start(caller, view.bot, SETTLE_SECONDS)
            case "stop":
                await manager.lifecycle.stop(caller, view.bot, SETTLE_SECONDS)
            case "restart":
                await manager.lifecycle.restart(caller, view.bot, SETTLE_SECONDS)
            case _:
                await change_settings(manager, caller, view.bot.name, payload.get("settings"))


async def change_settings(manager: Manager, caller: Caller, bot: str, settings: object) -> None:
    """Give a bot other plain settings. BadInput (`bad-field`) for what it doesn't have."""
    view = await manager.bots.named(caller, BOT_EDIT, bot)
    given = settings if isinstance(settings, dict) else {}
    known = {spec.name for spec in await manager.edits.open(caller, view.bot)}
    strange = sorted(str(name)[:40] for name in given if name not in known)
    if strange or not given or not all(isinstance(value, str) for value in given.values()):
        raise BadInput(
            f"There are no such settings: {', '.join(strange)[:200]}."
            if strange
            else "Settings are texts by their names, one at least.",
            hint=f"There are these: {', '.join(sorted(known)) or 'none'}.",
            code="bad-field",
        )
    await manager.edits.submit(caller, view.bot, given, given)


def _wished(row: object) -> Wished | None:
    """A row of the Worker's answer; None for what can't be one."""
    if not isinstance(row, dict) or not isinstance(row.get("seq"), int):
        return None
    texts = {
        name: str(row.get(name, ""))[:70_000]
        for name in ("id", "subject", "action", "payload", "signed_at", "signature")
    }
    return Wished(seq=row["seq"], **texts)


def _object(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}

"""A client of the API over a real port: what it sends is what a program would send."""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import aiohttp

from controller.api import Gate, KeyHolders, ServiceTokens, serve
from controller.api.request_rates import Limits, Pace, Rate, Rates
from controller.domain.bot import Bot
from controller.domain.errors import Denied
from controller.domain.roles import Role
from controller.fleet.journal import Caller
from controller.manager import Manager
from tests.api.described import require_described, require_described_event
from tests.manager.rig import ANN_ASKS

BASE = "/api/v1"


class Managed(Protocol):
    """What has a manager: an installation in memory, or a whole application."""

    @property
    def manager(self) -> Manager:
        """What people ask."""


class Members:
    """The members of the server and their Discord roles; who isn't in it is no member."""

    def __init__(self) -> None:
        self.roles: dict[int, frozenset[int]] = {}
        self.gone: set[int] = set()

    async def __call__(self, user_id: int) -> frozenset[int]:
        if user_id in self.gone:
            raise Denied("BotMaker serves the members of its server only.")
        return self.roles.get(user_id, frozenset())


@dataclass(frozen=True)
class Reply:
    """What was answered."""

    status: int
    headers: Mapping[str, str]
    raw: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.raw)

    @property
    def code(self) -> str:
        """The problem's code; empty when it is none."""
        is_problem = self.headers.get("Content-Type", "").startswith("application/problem+json")
        return str(self.json["code"]) if is_problem else ""


@dataclass(frozen=True)
class Event:
    """One event of a stream."""

    name: str
    data: Any
    id: str


class Reader:
    """Reads one stream, as server-sent events or as lines of JSON."""

    def __init__(self, answer: aiohttp.ClientResponse, path: str) -> None:
        self.answer = answer
        self.path = path
        self._kinds: Counter[str] = Counter()
        self.last = ""  # what a browser would send as Last-Event-ID
        self.read: list[Event] = []

    async def next(self, *names: str, seconds: float = 5.0) -> Event:
        """The next event, or the next of these names. EOFError at the end of the stream."""
        async with asyncio.timeout(seconds):
            while True:
                event = await self._next()
                if not names or event.name in names:
                    return event

    async def until_end(self, seconds: float = 5.0) -> list[Event]:
        """All that follows, once the stream has ended."""
        found = []
        with contextlib.suppress(EOFError):
            while True:
                found.append(await self.next(seconds=seconds))
        return found

    async def _next(self) -> Event:
        if self.answer.content_type == "application/x-ndjson":
            line = await self.answer.content.readline()
            if not line:
                raise EOFError
            event = Event(**{"name" if k == "event" else k: v for k, v in json.loads(line).items()})
        else:
            event = await self._next_sse()
        self._kinds[event.name] += 1
        if self._kinds[event.name] <= 3:  # of each kind; all of them would take too long
            found = {"event": event.name, "id": event.id or None, "data": event.data}
            require_described_event(self.path, found)
        self.last = event.id or self.last
        self.read.append(event)
        return event

    async def _next_sse(self) -> Event:
        found: dict[str, str] = {}
        while True:
            line = (await self.answer.content.readline()).decode()
            if not line:
                raise EOFError
            if line == "\n" and "data" in found:
                return Event(found["event"], json.loads(found["data"]), found.get("id", ""))
            name, _, value = line.rstrip("\n").partition(": ")
            if name:
                found[name] = value


@dataclass(frozen=True)
class Told:
    """What a tool answered."""

    text: str
    is_error: bool

    @property
    def inside(self) -> str:
        """What stands between the marks."""
        said, mark, *lines, end = self.text.split("\n")
        assert mark == end
        assert mark in said
        return "\n".join(lines)

    @property
    def json(self) -> Any:
        return json.loads(self.inside)


class Api:
    """Asks one API, by one token unless another one is named."""

    def __init__(self, url: str, session: aiohttp.ClientSession, token: str) -> None:
        self.url = url
        self.token = token
        self.members = Members()
        self.end: Callable[[], Awaitable[None]]  # the server, while those who ask stay
        self._session = session

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
        data: bytes | None = None,
    ) -> Reply:
        """One request below /api/v1. An empty `token` sends none."""
        given = self.token if token is None else token
        sent = {"Authorization": f"Bearer {given}"} if given else {}
        async with self._session.request(
            method,
            f"{self.url}{BASE}{path}",
            json=body,
            data=data,
            headers=sent | dict(headers or {}),
        ) as answer:
            raw = await answer.read()
            if path != "/openapi.json":
                require_described(method, path, answer.status, answer.content_type, raw)
            return Reply(answer.status, answer.headers, raw)

    @contextlib.asynccontextmanager
    async def stream(
        self,
        path: str,
        *,
        token: str | None = None,
        after: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[Reader]:
        """An open stream, read from behind the event of that id."""
        given = self.token if token is None else token
        sent = {"Authorization": f"Bearer {given}"} if given else {}
        sent |= {"Last-Event-ID": after} if after else {}
        async with self._session.get(
            f"{self.url}{BASE}{path}",
            headers=sent | dict(headers or {}),
            timeout=aiohttp.ClientTimeout(total=None),
        ) as answer:
            yield Reader(answer, path)

    async def get(self, path: str, **named: Any) -> Reply:
        return await self.ask("GET", path, **named)

    async def post(self, path: str, body: Any = None, **named: Any) -> Reply:
        return await self.ask("POST", path, body, **named)

    async def delete(self, path: str, **named: Any) -> Reply:
        return await self.ask("DELETE", path, **named)

    async def mcp(
        self,
        body: Any = None,
        *,
        method: str = "POST",
        token: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> Reply:
        """A message of an assistant, as it is sent."""
        given = self.token if token is None else token
        sent = {"Authorization": f"Bearer {given}"} if given else {}
        async with self._session.request(
            method, f"{self.url}/mcp", json=body, headers=sent | dict(headers or {})
        ) as answer:
            return Reply(answer.status, answer.headers, await answer.read())

    async def tool(self, name: str, *, token: str | None = None, **arguments: Any) -> Told:
        """What an assistant is told that uses this tool."""
        params = {"name": name, "arguments": arguments}
        message = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        result = (await self.mcp(message, token=token)).json["result"]
        return Told(result["content"][0]["text"], is_error=result["isError"])


async def token_of(
    rig: Managed,
    name: str,
    role: Role = Role.ADMIN,
    *bots: Bot,
    caller: Caller = ANN_ASKS,
    days: int = 1,
    acting: bool = False,
) -> str:
    """A fresh token's text."""
    made = await rig.manager.tokens.create(caller, name, role, bots, days, acting=acting)
    return made.text


async def session_of(rig: Managed, caller: Caller) -> str:
    """The key of a fresh session, as the browser's cookie holds it."""
    code = await rig.manager.web_sessions.invite(caller)
    return (await rig.manager.web_sessions.sign_in(code, "", "a browser")).key


def free_port() -> int:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])


PLENTY = Rate(1e6, 1_000_000)
GENEROUS = Rates(PLENTY, PLENTY, PLENTY)


@contextlib.asynccontextmanager
async def serving(
    rig: Managed,
    *,
    owner: Caller = ANN_ASKS,
    named: str = "ann-has-all",
    rates: Rates = GENEROUS,
    gate: Gate | None = None,
    services: ServiceTokens | None = None,
    pace: Pace | None = None,
) -> AsyncIterator[Api]:
    """The API of this installation's present controller, until the block ends."""
    port = free_port()
    members = Members()
    callers = KeyHolders(rig.manager, members, gate, services)
    server = asyncio.create_task(
        serve(rig.manager, lambda: True, f"127.0.0.1:{port}", callers, Limits(rates, pace=pace)),
        name="server",
    )
    token = await token_of(rig, named, caller=owner)

    async def end() -> None:
        server.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await server

    try:
        async with aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session:
            api = Api(f"http://127.0.0.1:{port}", session, token)
            api.members = members
            api.end = end
            for _ in range(400):
                with contextlib.suppress(aiohttp.ClientConnectionError):
                    await api.get("/openapi.json")
                    break
                await asyncio.sleep(0.005)
            yield api
    finally:
        await end()

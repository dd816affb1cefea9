"""The loopback Discord itself: starts and stops, and lets a test look, wait and break things.
Next door: world.py holds the state, rest.py and gateway.py the wire, person.py the people."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal

from aiohttp import web

from . import messages
from .buckets import Buckets
from .errors import Json, NotReached
from .faults import Fault, Faults
from .gateway import INTENT_GUILDS, INTENT_MEMBERS, Gateway
from .invocation import Invocation, describe
from .messages import Files
from .openapi import judge
from .person import Person
from .rest import Rest
from .wire import PREFIX
from .world import Attachment, Guild, Message, User

Direction = Literal["from_bot", "to_bot", "both"]


@dataclass(slots=True)
class Request:
    """One request of the bot; status 0 means that it got no answer. Unpacks to five values."""

    method: str
    path: str
    status: int
    body: Any
    time: float
    answer: str = ""
    uploads: Files | None = None

    def __iter__(self) -> Iterator[Any]:
        return iter((self.method, self.path, self.status, self.body, self.time))

    @property
    def code(self) -> int | None:
        """Discord's JSON error code in the answer, if it was refused."""
        return json.loads(self.answer).get("code") if self.status >= 400 else None

    def __str__(self) -> str:
        return f"{self.method} {self.path} → {self.status or 'no answer'}"


class LoopbackDiscord:
    """Discord on 127.0.0.1 for one bot in one guild: `async with LoopbackDiscord() as world`.

    For a bot in a container, `host` is this machine's address on the engine's bridge.
    """

    def __init__(
        self,
        token: str = "loopback.token.value",
        answer_window: float = 3.0,
        host: str = "127.0.0.1",
    ) -> None:
        self.token = token
        self.host = host
        self.answer_window = answer_window  # seconds for the first callback
        self.guild = Guild()
        self.admin_channel_id = self.guild.add_channel("admin").id
        self.other_channel_id = self.guild.add_channel("general").id
        self.invited = True  # whether the bot is in the guild yet
        self.other_servers: dict[int, str] = {}  # names of further servers that it is in, by id
        self.people: dict[int, Person] = {}
        self.owner = self._person(self.guild.owner)
        self.team: list[Person] = []  # non-empty: the application belongs to a team of these
        self.commands: list[Json] = []
        self.global_commands: list[Json] = []
        self.command_syncs = 0
        self.requests: list[Request] = []
        self.unknown_requests: list[Request] = []
        self.errors: list[Exception] = []  # of the loopback itself; raised at the end
        self.faults = Faults()
        self.buckets = Buckets()
        self.gateway = Gateway(self)
        self.invocations: dict[int, Invocation] = {}
        self.by_token: dict[str, Invocation] = {}
        self.origins: dict[int, Invocation] = {}  # message id → the interaction that it answers
        self.files: dict[int, Attachment] = {}
        self.port = 0
        self._runner: web.AppRunner | None = None
        self._waiters: set[asyncio.Future[None]] = set()

    @property
    def guild_id(self) -> int:
        return self.guild.id

    @property
    def application_id(self) -> int:
        return self.guild.application_id

    @property
    def bot_user_id(self) -> int:
        return self.guild.bot.id

    @property
    def api_url(self) -> str:
        return f"http://{self.host}:{self.port}{PREFIX}"

    @property
    def gateway_url(self) -> str:
        return f"ws://{self.host}:{self.port}/gateway"

    async def __aenter__(self) -> LoopbackDiscord:
        app = Rest(self).application()
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
        await self.gateway.shut()
        await self._runner.cleanup()
        if self.errors and error is None:
            raise ExceptionGroup("the loopback broke", self.errors)
        if error is None:
            objections = self.objections()
            assert not objections, "\n".join(objections[:20])

    # People.

    def person(self, name: str, roles: list[str] | None = None, dm_closed: bool = False) -> Person:
        """A new member; roles are created when first named."""
        person = self._person(self.guild.add_member(name))
        person.dm_closed = dm_closed
        person.member.roles = [self.role_id(role) for role in roles or []]
        event = person.member.json() | {"guild_id": str(self.guild_id)}
        self.gateway.dispatch("GUILD_MEMBER_ADD", event, INTENT_MEMBERS)
        self.changed()
        return person

    def _person(self, user: User) -> Person:
        self.people[user.id] = Person(self, user)
        return self.people[user.id]

    def person_of(self, user: User | None) -> Person | None:
        return None if user is None else self.people.get(user.id)

    def role_id(self, name: str) -> int:
        known = len(self.guild.roles)
        role = self.guild.role_named(name)
        if len(self.guild.roles) > known:
            event = {"guild_id": str(self.guild_id), "role": role.json()}
            self.gateway.dispatch("GUILD_ROLE_CREATE", event, INTENT_GUILDS)
        return role.id

    def set_roles(self, person: Person, roles: list[str]) -> None:
        person.member.roles = [self.role_id(role) for role in roles]
        event = person.member.json() | {"guild_id": str(self.guild_id)}
        self.gateway.dispatch("GUILD_MEMBER_UPDATE", event, INTENT_MEMBERS)
        self.changed()

    # Looking.

    def messages(self, channel_id: int) -> list[Message]:
        """The messages now in a channel, oldest first, without private answers."""
        return self.guild.visible(channel_id)

    def delete_message(self, message: Message) -> None:
        messages.delete(self, message)

    def traffic_text(self, direction: Direction = "both") -> str:
        """All bodies, frames and uploads as one text; `from_bot` leaves out what people typed."""
        parts: list[str] = []
        for request in self.requests:
            if direction != "to_bot":
                parts.append(json.dumps(request.body, ensure_ascii=False))
                uploads = (request.uploads or {}).values()
                parts += [data.decode(errors="replace") for _, data in uploads]
            if direction != "from_bot":
                parts.append(request.answer)
        frames = [text for way, text in self.gateway.log if direction in ("both", way)]
        return "\n".join(parts + frames)

    def transcript(self) -> str:
        """What each channel holds and what was asked last, to explain a failed wait."""
        lines = [f"gateway connected: {self.gateway.connected}"]
        for channel in self.guild.channels.values():
            found = self.guild.visible(channel.id)
            lines += [f"#{channel.name}: {describe(message)}" for message in found[-10:]]
        return "\n".join([*lines, *(f"  {request}" for request in self.requests[-20:])])

    # Waiting.

    def objections(self) -> list[str]:
        """What Discord's own description objects to in the requests, but those refused as wrong."""
        api = judge()
        if api is None:
            return []
        meant = [
            r for r in self.requests if not 400 <= r.status < 429 and r not in self.unknown_requests
        ]
        found = (
            (request, api.trouble(request.method, request.path, request.body)) for request in meant
        )
        return [f"{request}: {trouble}" for request, trouble in found if trouble]

    def changed(self) -> None:
        """Wakes everyone who waits for something; called after each change of the world."""
        for waiter in self._waiters:
            if not waiter.done():
                waiter.set_result(None)

    async def reached(self, wanted: Callable[[], Any], timeout: float) -> bool:
        """Whether the condition came true in time; checked again after each change."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout
        while not wanted():
            left = deadline - loop.time()
            if left <= 0:
                return False
            waiter = loop.create_future()
            self._waiters.add(waiter)
            try:
                await asyncio.wait([waiter], timeout=left)
            finally:
                self._waiters.discard(waiter)
        return True

    async def until(
        self, wanted: Callable[[LoopbackDiscord], Any], timeout: float = 10.0
    ) -> LoopbackDiscord:
        if not await self.reached(lambda: wanted(self), timeout):
            raise NotReached(f"not reached within {timeout:g} s\n{self.transcript()}")
        return self

    async def wait_ready(self, timeout: float = 15.0, sessions: int = 1) -> None:
        """Waits until the bot has identified `sessions` times in all, and synced commands once."""
        gateway = self.gateway
        await self.until(
            lambda _: gateway.connected and gateway.sessions >= sessions and self.command_syncs > 0,
            timeout,
        )

    # What happens in the world.

    def send_interaction(self, inv: Invocation) -> None:
        self.invocations[inv.id] = inv
        self.by_token[inv.token] = inv
        inv.dispatched_at = time.perf_counter()
        inv.heard = self.gateway.dispatch("INTERACTION_CREATE", inv.payload)

    async def deliver_again(self, inv: Invocation) -> None:
        """Sends the very same interaction once more, as Discord may."""
        self.gateway.dispatch("INTERACTION_CREATE", inv.payload)

    @contextmanager
    def fault(self, method: str = "*", path: str = "", **how: Any) -> Iterator[Fault]:
        """A fault for matching requests during the block; `how` has the fields of faults.Fault."""
        fault = Fault(method, path, **how)
        self.faults.add(fault)
        try:
            yield fault
        finally:
            self.faults.remove(fault)

    def record(self, method: str, path: str, body: Any, uploads: Files) -> Request:
        request = Request(method, path, 0, body, time.perf_counter(), uploads=uploads or None)
        self.requests.append(request)
        return request

    def store_file(self, filename: str, data: bytes) -> Attachment:
        found = self.guild.ids.next()
        url = f"http://{self.host}:{self.port}/attachments/{found}/{filename}"
        self.files[found] = Attachment(found, filename, data, url)
        return self.files[found]

    def sync_commands(self, payload: list[Json], in_guild: bool) -> list[Json]:
        """Stores the commands of a PUT; a command that already existed keeps its id."""
        old = {c["name"]: c["id"] for c in (self.commands if in_guild else self.global_commands)}
        extra: Json = {"application_id": str(self.application_id)}
        extra |= {"guild_id": str(self.guild_id)} if in_guild else {}
        stored: list[Json] = []
        for entry in payload:
            ids = {"id": old.get(entry["name"]) or str(self.guild.ids.next())}
            stored.append({"type": 1, **entry, **extra, **ids, "version": ids["id"]})
        if in_guild:
            self.commands = stored
        else:
            self.global_commands = stored
        self.command_syncs += 1
        self.changed()
        return stored

    def application_json(self) -> Json:
        members = [
            {"user": p.user.json(), "membership_state": 2, "role": "admin", "team_id": "1"}
            for p in self.team
        ]
        team: Json | None = None
        if members:
            team = {"id": "1", "name": "Team", "icon": None, "members": members}
            team["owner_user_id"] = str(self.team[0].id)
        return {
            "id": str(self.application_id),
            "name": "BotMaker",
            "icon": None,
            "description": "",
            "bot_public": False,
            "bot_require_code_grant": False,
            "verify_key": "0" * 64,
            "flags": 0,
            "owner": self.owner.user.json(),
            "team": team,
            "bot": self.guild.bot.json(),
        }

"""The websocket: HELLO, IDENTIFY, RESUME, dispatch, heartbeats, and the ways it can break.
Next door: server.py decides what is dispatched, world.py gives the payloads."""

from __future__ import annotations

import asyncio
import json
import secrets
import zlib
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from aiohttp import WSMsgType, web

from .errors import Json

if TYPE_CHECKING:
    from .server import LoopbackDiscord

INTENT_GUILDS = 1 << 0
INTENT_MEMBERS = 1 << 1
INTENT_GUILD_MESSAGES = 1 << 9
INTENT_DM_MESSAGES = 1 << 12
PRIVILEGED = 1 << 1 | 1 << 8 | 1 << 15


class Session:
    """What survives a lost connection: the sequence and the events to replay."""

    def __init__(self, intents: int) -> None:
        self.id = secrets.token_hex(16)
        self.intents = intents
        self.sequence = 0
        self.sent: deque[Json] = deque(maxlen=5000)
        self.connection: Connection | None = None

    def dispatch(self, event: str, data: Json) -> None:
        self.sequence += 1
        frame = {"op": 0, "t": event, "s": self.sequence, "d": data}
        self.sent.append(frame)
        if self.connection is not None:
            self.connection.send(frame)


class Connection:
    """One websocket; frames leave in order through a queue, so sending never waits."""

    def __init__(self, ws: web.WebSocketResponse, request: web.Request) -> None:
        self.ws = ws
        self.request = request
        self.session: Session | None = None
        self.gone = asyncio.Event()
        self.ended_here = False  # closed by the test, so the client's code means nothing
        self._frames: asyncio.Queue[str] = asyncio.Queue()
        self.compression = request.query.get("compress")
        if self.compression != "zlib-stream":
            self.compression = None  # uncompressed: discord.py accepts that whatever it asked for
        self._deflate = zlib.compressobj() if self.compression else None
        self.log: list[tuple[str, str]] = []

    def send(self, frame: Json) -> None:
        text = json.dumps(frame)
        self.log.append(("to_bot", text))
        self._frames.put_nowait(text)

    async def pump(self) -> None:
        """Writes the queued frames until the connection is lost."""
        try:
            while True:
                text = await self._frames.get()
                if self._deflate is None:
                    await self.ws.send_str(text)
                    continue
                data = self._deflate.compress(text.encode())
                data += self._deflate.flush(zlib.Z_SYNC_FLUSH)
                await self.ws.send_bytes(data)
        except (ConnectionError, RuntimeError):
            return

    def abort(self) -> None:
        if self.request.transport is not None:
            self.request.transport.abort()


class Gateway:
    """All connections and sessions of the bot under test."""

    def __init__(self, world: LoopbackDiscord) -> None:
        self._world = world
        self._connections: set[Connection] = set()
        self._sessions: dict[str, Session] = {}
        self._open = asyncio.Event()
        self._open.set()
        self.heartbeat_interval = 41250
        self.acknowledge = True  # False: heartbeats are not acknowledged, as on a dead link
        self.allowed_privileged = PRIVILEGED  # 0: IDENTIFY with a privileged intent gets 4014
        self.sessions = 0
        self.resumes = 0
        self.heartbeats = 0
        self.presence: Json | None = None
        self.identify: Json | None = None
        self.compression: str | None = None  # what the newest connection uses
        self.log: list[tuple[str, str]] = []

    @property
    def connected(self) -> bool:
        return any(session.connection is not None for session in self._sessions.values())

    @property
    def resumable(self) -> bool:
        """Whether a session is connected or may come back."""
        return bool(self._sessions)

    def dispatch(self, event: str, data: Json, intents: int = 0) -> bool:
        """Sends to every session that asked for one of these intents; False if there is none."""
        heard = False
        for session in self._sessions.values():
            if not intents or session.intents & intents:
                session.dispatch(event, data)
                heard = True
        return heard

    # What a test does to the connection.

    async def drop(self) -> None:
        """Aborts the TCP connection, with no closing frame; the session may be resumed."""
        gone = list(self._connections)
        for connection in gone:
            connection.abort()
        await self._wait_gone(gone)

    async def close(self, code: int) -> None:
        """Closes the websocket with a code; after 4007 and 4009 there is nothing to resume."""
        if code in (4007, 4009):
            self._sessions.clear()
        gone = list(self._connections)
        for connection in gone:
            connection.ended_here = True
            await connection.ws.close(code=code)
        await self._wait_gone(gone)

    async def request_reconnect(self) -> None:
        """Op 7: tells the bot to disconnect and resume."""
        await self._tell({"op": 7, "d": None})

    async def invalidate(self, resumable: bool = False) -> None:
        """Op 9: tells the bot that its session is over, or that it should resume."""
        if not resumable:
            self._sessions.clear()
        await self._tell({"op": 9, "d": resumable})

    @contextmanager
    def paused(self) -> Iterator[None]:
        """New connections get no HELLO inside this block: the bot stays away."""
        self._open.clear()
        try:
            yield
        finally:
            self._open.set()

    async def _tell(self, frame: Json) -> None:
        gone = list(self._connections)
        for connection in gone:
            connection.send(frame)
        await self._wait_gone(gone)

    async def _wait_gone(self, connections: list[Connection]) -> None:
        for connection in connections:
            await asyncio.wait_for(connection.gone.wait(), 10)

    async def shut(self) -> None:
        """Cuts every connection when the world ends."""
        self._open.set()
        for connection in list(self._connections):
            connection.abort()

    # What the bot does.

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        ws = web.WebSocketResponse(compress=False, max_msg_size=0, timeout=2)
        await ws.prepare(request)
        connection = Connection(ws, request)
        connection.log = self.log
        self.compression = connection.compression
        self._connections.add(connection)
        pump = asyncio.create_task(connection.pump())
        try:
            await self._open.wait()
            connection.send({"op": 10, "d": {"heartbeat_interval": self.heartbeat_interval}})
            await self._listen(connection)
        except ConnectionError:
            pass  # the bot disconnected during a send
        except Exception as error:  # noqa: BLE001 (kept, and raised when the world ends)
            self._world.errors.append(error)
        finally:
            pump.cancel()
            self._forget(connection)
        return ws

    async def _listen(self, connection: Connection) -> None:
        async for message in connection.ws:
            if message.type is not WSMsgType.TEXT:
                continue
            self.log.append(("from_bot", message.data))
            frame = json.loads(message.data)
            await self._received(connection, frame["op"], frame.get("d"))
            self._world.changed()

    def _forget(self, connection: Connection) -> None:
        self._connections.discard(connection)
        session = connection.session
        if session is not None and session.connection is connection:
            session.connection = None
            goodbye = connection.ws.close_code in (1000, 1001)
            if goodbye and not connection.ended_here:
                self._sessions.pop(session.id, None)
        connection.gone.set()
        self._world.changed()

    async def _received(self, connection: Connection, op: int, data: Any) -> None:
        if op == 1:
            self.heartbeats += 1
            if self.acknowledge:
                connection.send({"op": 11})
        elif op == 2:
            await self._identify(connection, data)
        elif op == 3:
            self.presence = data
        elif op == 6:
            await self._resume(connection, data)
        elif op == 8:
            self._members(connection, data)
        elif op != 4:
            await connection.ws.close(code=4001)

    async def _identify(self, connection: Connection, data: Json) -> None:
        intents = data.get("intents", 0)
        if data["token"] != self._world.token:
            await connection.ws.close(code=4004, message=b"Authentication failed.")
            return
        if intents & PRIVILEGED & ~self.allowed_privileged:
            await connection.ws.close(code=4014, message=b"Disallowed intent(s).")
            return
        stale = [key for key, old in self._sessions.items() if old.connection is None]
        for key in stale:
            del self._sessions[key]
        session = Session(intents)
        self._sessions[session.id] = session
        session.connection, connection.session = connection, session
        self.sessions += 1
        self.identify = data
        self.presence = data.get("presence")
        session.dispatch("READY", self._ready(session))
        if intents & INTENT_GUILDS:
            session.dispatch("GUILD_CREATE", self._world.guild.create_event())

    def _ready(self, session: Session) -> Json:
        guild = self._world.guild
        return {
            "v": 10,
            "user": guild.bot.json() | {"verified": True, "mfa_enabled": False, "flags": 0},
            "guilds": [{"id": str(guild.id), "unavailable": True}],
            "session_id": session.id,
            "session_type": "normal",
            "resume_gateway_url": self._world.gateway_url,
            "application": {"id": str(guild.application_id), "flags": 0},
            "private_channels": [],
            "relationships": [],
        }

    async def _resume(self, connection: Connection, data: Json) -> None:
        if data["token"] != self._world.token:
            await connection.ws.close(code=4004, message=b"Authentication failed.")
            return
        session = self._sessions.get(data["session_id"])
        if session is None:
            connection.send({"op": 9, "d": False})
            return
        self.resumes += 1
        session.connection, connection.session = connection, session
        for frame in [frame for frame in session.sent if frame["s"] > (data["seq"] or 0)]:
            connection.send(frame)
        session.dispatch("RESUMED", {})

    def _members(self, connection: Connection, data: Json) -> None:
        """Op 8: all members that were asked for, in one chunk."""
        wanted = data.get("user_ids") or []
        wanted = wanted if isinstance(wanted, list) else [wanted]
        members = list(self._world.guild.members.values())
        if wanted:
            members = [m for m in members if str(m.user.id) in map(str, wanted)]
        elif data.get("query"):
            members = [m for m in members if m.user.name.startswith(data["query"])]
        chunk: Json = {"guild_id": str(self._world.guild.id), "chunk_index": 0, "chunk_count": 1}
        chunk |= {"members": [m.json() for m in members], "nonce": data.get("nonce")}
        if connection.session is not None:
            connection.session.dispatch("GUILD_MEMBERS_CHUNK", chunk)

"""Answers that go on: events as they come, for as long as somebody reads and may read them.

As server-sent events, or as lines of JSON for whoever accepts `application/x-ndjson`. A stream ends
when its reader is gone or doesn't read, when its key no longer counts, and with the server.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import socket
from collections import Counter
from collections.abc import AsyncIterator, Mapping

from aiohttp import web

from controller.api.identity import AT_THE_CONSOLE, Identity
from controller.api.problems import HttpProblem
from controller.api.request_rates import Pace
from controller.domain.errors import ControllerError

log = logging.getLogger(__name__)
SSE, NDJSON = "text/event-stream", "application/x-ndjson"
HURRY_SECONDS = 0.5  # that the last words of a stream may take
EACH_MOST = 10  # streams of one person
SENT_BYTES = 128 << 10  # that the system keeps for one reader
RETRY = b"retry: 2000\n\n"  # milliseconds until a browser asks again


class Stream:
    """One stream to one reader."""

    def __init__(self, request: web.Request, identity: Identity, pace: Pace) -> None:
        self.identity = identity
        self.principal = identity.principal  # who they are by now: their roles may change
        self.lines = NDJSON in request.headers.get("Accept", "")
        self.ended = ""  # the code of why it ends
        self._request = request
        self._pace = pace
        self._awake = asyncio.Event()
        self._cut: asyncio.TimerHandle | None = None
        self.response = web.StreamResponse()
        self._loop = asyncio.get_running_loop()
        self._ping_at = self._loop.time() + self._pace.ping

    async def begin(self) -> None:
        """Send the head of the answer: from now on errors are events."""
        self.response.content_type = NDJSON if self.lines else SSE
        if not self.lines:
            self.response.charset = "utf-8"
        transport = self._request.transport
        sock = transport.get_extra_info("socket") if transport else None
        if sock is not None:  # so that it shows soon when nobody reads
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SENT_BYTES)
        await self.response.prepare(self._request)
        if not self.lines:
            await self._write(RETRY)

    @property
    def gone(self) -> bool:
        """Whether nobody is at the other end any more."""
        transport = self._request.transport
        return transport is None or transport.is_closing()

    def wake(self) -> None:
        """There is something to send."""
        self._awake.set()

    def end(self, code: str) -> None:
        """Let it end now, for that reason."""
        if not self.ended:
            self.ended = code
            self.wake()
            self._cut = self._loop.call_later(HURRY_SECONDS, self.abort)

    def abort(self) -> None:
        """Cut the connection."""
        if self._request.transport is not None:
            self._request.transport.abort()

    def close(self) -> None:
        """All was said: the connection may serve another request."""
        if self._cut is not None:
            self._cut.cancel()

    async def send(self, *events: bytes) -> None:
        """Send events that `framed` made. TimeoutError for a reader who doesn't read."""
        await self._write(b"".join(events))

    def framed(self, event: str, data: bytes, place: str = "") -> bytes:
        """An event as it is sent: `data` is JSON in one line."""
        return (ndjson if self.lines else sse)(event, data, place)

    async def rest(self) -> None:
        """Wait until there is something to send, the stream ends, or it's time for a ping."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(max(0.0, self._ping_at - self._loop.time())):
                await self._awake.wait()
        self._awake.clear()

    async def ping(self) -> None:
        """Send a ping if it's time, and ask who the reader is by now. Raises what that raises."""
        if self._loop.time() < self._ping_at:
            return
        self._ping_at = self._loop.time() + self._pace.ping
        if self.identity.renewed is not None:
            self.principal = await self.identity.renewed()
        await self._write(self.framed("ping", b"{}"))

    async def _write(self, data: bytes) -> None:
        async with asyncio.timeout(self._pace.stalled):
            await self.response.write(data)


def sse(event: str, data: bytes, place: str) -> bytes:
    """A server-sent event."""
    head = f"event: {event}\nid: {place}\n" if place else f"event: {event}\n"
    return b"%bdata: %b\n\n" % (head.encode(), data)


def ndjson(event: str, data: bytes, place: str) -> bytes:
    """The same as a line of JSON."""
    named = {"event": event, "id": place or None}
    return b'%b,"data":%b}\n' % (json.dumps(named)[:-1].encode(), data)


class Streams:
    """All streams of a server."""

    def __init__(self, headers: Mapping[str, str], pace: Pace) -> None:
        self._headers = headers
        self._pace = pace
        self._open: set[Stream] = set()
        self._counts: Counter[tuple[str, str]] = Counter()
        self._checking: asyncio.Task[None] | None = None
        self._over = False

    @contextlib.asynccontextmanager
    async def opened(self, request: web.Request, identity: Identity) -> AsyncIterator[Stream]:
        """A stream to whoever asks, which ends with the block.

        A reader that is gone or stalled ends it. Raises 429 (`too-many-streams`).
        """
        who = (identity.principal.kind, identity.principal.id)
        if identity is not AT_THE_CONSOLE and self._counts[who] >= EACH_MOST:
            raise HttpProblem(
                429,
                f"You have {EACH_MOST} streams open, and that is the most.",
                hint="Close one that nobody reads.",
                code="too-many-streams",
            )
        stream = Stream(request, identity, self._pace)
        self._counts[who] += 1
        self._open.add(stream)
        if self._checking is None or self._checking.done():
            self._checking = asyncio.create_task(self._check(), name="streams")
        try:
            if self._over:
                stream.end("shutting-down")
            stream.response.headers.update(self._headers)
            stream.response.headers["X-Accel-Buffering"] = "no"
            yield stream
            await self._say_end(stream)
        except (OSError, TimeoutError):  # ConnectionError: gone; TimeoutError: doesn't read
            stream.ended = stream.ended or "stalled"
            stream.abort()
        except ControllerError as error:
            if not stream.response.prepared:
                raise
            stream.ended = error.code
            await self._say_end(stream)
        finally:
            stream.close()
            self._open.discard(stream)
            self._counts[who] -= 1
            if not self._counts[who]:
                del self._counts[who]

    async def _say_end(self, stream: Stream) -> None:
        data = json.dumps({"reason": stream.ended}).encode()
        with contextlib.suppress(OSError, TimeoutError):
            await stream.send(stream.framed("end", data))

    async def _check(self) -> None:
        """End the streams of those who left, and of those whose key no longer counts."""
        while self._open:
            await asyncio.sleep(self._pace.check)
            for stream in tuple(self._open):
                if stream.gone:
                    stream.end("gone")
                    continue
                try:
                    stream.identity.still()
                except ControllerError as error:
                    stream.end(error.code)

    def end(self) -> None:
        """End all of them, now and from now on."""
        self._over = True
        for stream in tuple(self._open):
            stream.end("shutting-down")
        if self._checking is not None:
            self._checking.cancel()

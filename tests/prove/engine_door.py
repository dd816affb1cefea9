"""A proxy to a private engine that understands requests: it can delay or replace answers.
Next door: ../process/engineproxy.py carries bytes without understanding them."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path


@dataclass(slots=True)
class Answer:
    """What the next matching requests get instead of the engine's answer."""

    method: str
    path: str  # a pattern, searched for in the request's path and query
    status: int
    message: str = "as the test wished"
    times: int = 1
    after: bool = False  # the engine still carries out the request


class Door:
    """Listens on its own Unix socket; every request gets its own connection to the engine."""

    def __init__(self, path: Path, engine: Path) -> None:
        self.path = path
        self.delay = 0.0  # seconds before each answer
        self.deaf = False  # no new event stream can be opened
        self.held = ""  # a pattern of paths: such requests are never answered
        self.given: Counter[str] = Counter()  # replaced answers, by "METHOD status"
        self.requests = 0
        self._engine = engine
        self._answers: list[Answer] = []
        self._streams: set[asyncio.StreamWriter] = set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """The value for DOCKER_HOST."""
        return f"unix://{self.path}"

    @property
    def streams(self) -> int:
        """How many event streams are open."""
        return len(self._streams)

    async def open(self) -> None:
        """Accept connections."""
        self._server = await asyncio.start_unix_server(self._accepted, self.path)

    async def close(self) -> None:
        """End all connections."""
        if self._server is not None:
            self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def answer(self, *answers: Answer) -> None:
        """Give these answers to the next requests that match."""
        self._answers += answers

    @property
    def waiting(self) -> int:
        """How many of these answers are still unused."""
        return sum(wished.times for wished in self._answers)

    def drop_events(self) -> None:
        """Break every event stream, and open no new one until told to."""
        self.deaf = True
        for writer in self._streams:
            writer.transport.abort()

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, OSError):
                await self._serve(reader, writer)
        except asyncio.CancelledError:
            pass  # closed by the test; the server's callback would log it
        finally:
            self._tasks.discard(task)
            self._streams.discard(writer)
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        body = await _body(head, reader)
        method, path, _ = head.split(b"\r\n", 1)[0].decode().split(" ", 2)
        self.requests += 1
        events = "/events" in path.partition("?")[0]
        if events and self.deaf:
            return
        if self.held and re.search(self.held, path):
            await reader.read(1)  # until the client gives up
            return
        wished = self._wished(method, path)
        if wished is not None and not wished.after:
            self.given[f"{method} {wished.status}"] += 1
            writer.write(_refusal(wished))
            await writer.drain()
            return
        back, out = await asyncio.open_unix_connection(str(self._engine))
        if events:
            self._streams.add(writer)
        try:
            out.write((head if events else _once(head)) + body)
            await out.drain()
            if wished is not None:
                await back.read()
                self.given[f"{method} {wished.status}"] += 1
                writer.write(_refusal(wished))
                await writer.drain()
                return
            await asyncio.sleep(self.delay)
            both = [
                asyncio.ensure_future(_carry(back, writer)),
                asyncio.ensure_future(reader.read(1)),  # the client disconnects
            ]
            try:
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for half in both:
                    half.cancel()
                await asyncio.gather(*both, return_exceptions=True)
        finally:
            out.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await out.wait_closed()

    def _wished(self, method: str, path: str) -> Answer | None:
        for wished in self._answers:
            if wished.method == method and re.search(wished.path, path):
                wished.times -= 1
                if not wished.times:
                    self._answers.remove(wished)
                return wished
        return None


async def _carry(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await source.read(65536):
            target.write(data)
            await target.drain()


async def _body(head: bytes, reader: asyncio.StreamReader) -> bytes:
    """The request's body as it came."""
    length = re.search(rb"(?i)content-length: *(\d+)", head)
    if length is not None:
        return await reader.readexactly(int(length[1]))
    whole = b""
    if re.search(rb"(?i)transfer-encoding: *chunked", head):
        while not whole.endswith(b"0\r\n\r\n"):
            size = await reader.readuntil(b"\r\n")
            whole += size + await reader.readexactly(int(size, 16) + 2)
    return whole


def _once(head: bytes) -> bytes:
    """The request's head, changed so that the connection ends with the answer."""
    lines = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"connection:")]
    return b"\r\n".join([lines[0], b"Connection: close", *lines[1:]])


def _refusal(wished: Answer) -> bytes:
    text = json.dumps({"message": wished.message}).encode()
    head = f"HTTP/1.1 {wished.status} Wished\r\nContent-Type: application/json\r\n"
    return f"{head}Connection: close\r\nContent-Length: {len(text)}\r\n\r\n".encode() + text

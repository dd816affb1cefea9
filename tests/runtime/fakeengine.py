"""An engine on a private Unix socket that misbehaves as it is told: the shared one must not."""

from __future__ import annotations

import json
import socket
import socketserver
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import unquote

INSTANCE = "faults"
VERSION = {"Version": "fake", "ApiVersion": "1.41", "MinAPIVersion": "1.12"}


class Exchange(BaseHTTPRequestHandler):
    """One request and its answer."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def do_PUT(self) -> None:
        self._serve()

    def do_DELETE(self) -> None:
        self._serve()

    def do_HEAD(self) -> None:
        self._serve()

    def _serve(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        self.server.fake.serve(self)

    def answer(self, status: int, body: Any) -> None:
        """Answer with JSON; 204 has no body."""
        data = b"" if status == 204 else json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def begin_stream(self) -> None:
        """Answer with headers, and leave the body open."""
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()

    def chunk(self, body: Any) -> None:
        """Send one JSON line of an open body."""
        data = json.dumps(body).encode() + b"\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def reset(self) -> None:
        """Break the connection without an answer."""
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def address_string(self) -> str:
        return "unix"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        """Say nothing."""


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 64
    fake: FakeEngine

    def get_request(self) -> tuple[Any, Any]:
        request, _ = super().get_request()
        self.fake.connections.add(request)
        return request, ("unix", 0)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is what many tests are about."""


class FakeEngine:
    """Answers `rules` (the end of a path → what to do) and, for the rest, like an empty engine."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.url = f"unix://{path}"
        self.rules: dict[str, Callable[[Exchange], None]] = {}
        self.requests: list[str] = []
        self.urls: list[str] = []
        self.streams: list[Exchange] = []
        self.connections: set[socket.socket] = set()
        self.released = threading.Event()
        self._server: _Server | None = None

    def __enter__(self) -> FakeEngine:
        self.up()
        return self

    def __exit__(self, *_: object) -> None:
        self.released.set()
        self.down()

    def up(self) -> None:
        """Listen."""
        self.path.unlink(missing_ok=True)
        self._server = _Server(str(self.path), Exchange)
        self._server.fake = self
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def down(self) -> None:
        """Go away as a killed process does: no socket, every connection cut."""
        if self._server is None:
            return
        self._server.shutdown()
        self._server.server_close()
        self._server = None
        self.path.unlink(missing_ok=True)
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
        self.connections.clear()

    def hang(self, exchange: Exchange) -> None:
        """A rule: never answer, until the test is over."""
        self.released.wait(60)
        exchange.reset()

    def serve(self, exchange: Exchange) -> None:
        """Answer one request."""
        path = unquote(exchange.path.partition("?")[0])
        self.urls.append(exchange.path)
        self.requests.append(f"{exchange.command} {path}")
        for end, rule in self.rules.items():
            if path.endswith(end):
                rule(exchange)
                return
        if path.endswith("/version"):
            exchange.answer(200, VERSION)
        elif path.endswith("/_ping"):
            exchange.answer(200, "OK")
        elif path.endswith("/events"):
            exchange.begin_stream()
            self.streams.append(exchange)
            self.released.wait(60)
        elif path.endswith("/containers/json"):
            exchange.answer(200, [])
        else:
            exchange.answer(404, {"message": "No such container: it is an empty engine"})

    def emit(self, bot_id: str, action: str, instance: str, at: int, **more: str) -> None:
        """Send an event on every open stream."""
        attributes = {
            "botmaker.managed": "true",
            "botmaker.instance": instance,
            "botmaker.bot-id": bot_id,
            "name": f"botmaker-{bot_id}",
            **more,
        }
        actor = {"ID": "0" * 64, "Attributes": attributes}
        event = {"Type": "container", "Action": action, "Actor": actor, "timeNano": at}
        for stream in self.streams:
            try:
                stream.chunk(event)
            except OSError:
                continue

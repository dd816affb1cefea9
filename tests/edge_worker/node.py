"""A program in Node that is asked by lines of JSON: the Worker in Miniflare, or its own modules."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import signal
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import aiohttp

from controller.services.worker_modules import COMPATIBILITY, MAIN, worker_source

ROOT = Path(__file__).parents[2]
TOOLS = ROOT / "build/edge"
PROGRAMS = Path(__file__).parent
ISSUER = "https://signer.example.org"
JWT_KEYS = {"k1": "j" * 40, "k2": "i" * 40}


def new_key() -> str:
    """A shared key, as `botmaker edge init` makes one."""
    return "whsec_" + base64.b64encode(os.urandom(32)).decode()


class Node:
    """One program, an async context manager. `kill` ends it like a power cut."""

    def __init__(self, program: str, *words: str) -> None:
        self._words = [program, *words]
        self._process: asyncio.subprocess.Process | None = None
        self._asking = asyncio.Lock()

    async def open(self) -> None:
        """Start it. Its modules are found beside a copy of the program in the tools' folder."""
        place = TOOLS / self._words[0]
        place.write_text((PROGRAMS / self._words[0]).read_text())
        self._process = await asyncio.create_subprocess_exec(
            *("node", str(place), *self._words[1:]),
            cwd=TOOLS,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=1 << 24,
            start_new_session=True,
            env={"PATH": os.environ["PATH"], "HOME": str(TOOLS)},
        )

    async def ask(self, **order: object) -> Any:
        """What it answers."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        async with self._asking, asyncio.timeout(30):
            self._process.stdin.write(json.dumps(order).encode() + b"\n")
            while line := await self._process.stdout.readline():
                if line.startswith((b"\x01", b"{")):
                    return json.loads(line.lstrip(b"\x01"))
        raise AssertionError("the program ended")

    async def kill(self) -> None:
        """SIGKILL to it and what it started: its own session, nobody else's."""
        assert self._process is not None
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        await self._process.wait()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.kill()


def bound(address: str) -> dict[str, object]:
    """A service that is bound to the Worker instead of an address."""
    return {"external": {"address": address, "http": {}}}


class LocalWorker(Node):
    """Our Worker on a loopback port, with a D1 that outlives it."""

    def __init__(self, folder: Path, key: str, origin: str = "http://127.0.0.1:9") -> None:
        super().__init__("serve.mjs")
        with socket.socket() as found:
            found.bind(("127.0.0.1", 0))
            self.port = int(found.getsockname()[1])  # free a moment ago
        self.persist = folder / "d1"
        self.bindings: dict[str, str] = {
            "EDGE_KEYS": key,
            "JWT_KEYS": "\n".join(" ".join(pair) for pair in JWT_KEYS.items()),
            "JWT_ISSUER": ISSUER,
            "ORIGIN_URL": origin,
            "VERSION": "here",
        }
        self.limits: Mapping[str, object] = {}
        self.services: Mapping[str, object] = {}
        self.main = MAIN
        self.modules = dict(worker_source().modules)
        self.served = False

    @property
    def url(self) -> str:
        """Where it is reached."""
        return f"http://127.0.0.1:{self.port}"

    async def open(self) -> None:
        """Start it, with its tables."""
        first = not self.persist.exists()
        await super().open()
        await self.serve()
        if first:
            for sql in worker_source().migrations.values():
                assert await self.ask(do="script", sql=sql) == {}

    async def serve_empty(self) -> None:
        """Serve nothing of ours yet, with an empty D1: what a new account has."""
        self.served = True
        said = await self.ask(
            do="serve",
            port=self.port,
            modules={
                "none.js": "export default { fetch: () => new Response('', { status: 404 }) }"
            },
            main="none.js",
            date=COMPATIBILITY,
            bindings={},
            persist=str(self.persist),
            d1=True,
            limits={},
        )
        assert said == {}, said

    async def serve(self, *, d1: bool = True) -> None:
        """Serve it as it is described now."""
        said = await self.ask(
            do="serve",
            port=self.port,
            modules=self.modules,
            main=self.main,
            date=COMPATIBILITY,
            bindings=self.bindings,
            persist=str(self.persist),
            d1=d1,
            limits=self.limits,
            services=self.services,
        )
        assert said == {}, said

        await self._answers()

    async def _answers(self) -> None:
        """Wait until the new one has the port: the one before may still take a connection, and
        then cut it. Asked from an address that no test uses."""
        headers = {"CF-Connecting-IP": "203.0.113.199"}
        async with asyncio.timeout(20), aiohttp.ClientSession() as session:
            while True:
                with contextlib.suppress(aiohttp.ClientConnectionError):
                    async with session.get(f"{self.url}/", headers=headers):
                        return
                await asyncio.sleep(0.02)

    async def rows(self, sql: str, *values: object) -> list[dict[str, Any]]:
        """What D1 answers."""
        said = await self.ask(do="sql", sql=sql, values=values)
        assert "error" not in said, said
        return list(said["rows"])

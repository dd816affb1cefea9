"""A proxy to the real engine that a test can freeze, close and open again.
Next door: test_hanging_engine.py."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

from tests.conftest import engine_socket


class EngineProxy:
    """Listens on its own Unix socket and forwards every byte to the real one, unless frozen."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.connections = 0
        self._open = asyncio.Event()
        self._open.set()
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        return f"unix://{self.path}"

    async def open(self) -> None:
        """Accept connections (again)."""
        self._server = await asyncio.start_unix_server(self._accepted, self.path)

    async def close(self) -> None:
        """Break every connection and refuse new ones."""
        if self._server is not None:
            self._server.close()
            self._server = None
        self.path.unlink(missing_ok=True)
        self._open.set()
        await asyncio.sleep(0.02)  # connections accepted just now must begin before they can end
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def freeze(self) -> None:
        """Accept connections and bytes, but forward nothing."""
        self._open.clear()

    def thaw(self) -> None:
        """Forward what has waited, and everything after it."""
        self._open.set()

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._open.wait()
            back, out = await self._reach()
            both = [
                asyncio.ensure_future(self._carry(reader, out)),
                asyncio.ensure_future(self._carry(back, writer)),
            ]
            try:
                await asyncio.wait(both, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for half in both:
                    half.cancel()
                await asyncio.gather(*both, return_exceptions=True)
                out.close()
                with contextlib.suppress(ConnectionError):
                    await out.wait_closed()
        except asyncio.CancelledError:
            pass  # closed by the test; the server's callback would log it
        finally:
            self._tasks.discard(task)
            writer.close()
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await writer.wait_closed()

    async def _reach(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        opening = asyncio.ensure_future(asyncio.open_unix_connection(engine_socket()))
        try:
            return await asyncio.shield(opening)
        except asyncio.CancelledError:
            _, out = await opening  # otherwise nobody would ever close it
            out.close()
            await out.wait_closed()
            raise

    async def _carry(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(65536):
                await self._open.wait()
                target.write(data)
                await target.drain()

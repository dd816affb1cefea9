"""A person in front of a terminal: a program runs on it, they read, type, and press Ctrl-C.
Next door: test_init.py uses it."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pty
import sys
import termios
from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from tests.process import fork_server
from tests.process.fork_server import Forked

COMMAND = (sys.executable, "-m", "controller")
CTRL_C, CTRL_D = "\x03", "\x04"


class Seat:
    """One program on one terminal. `screen` is everything that it showed so far."""

    def __init__(self, master: int, process: asyncio.subprocess.Process | Forked) -> None:
        self._master = master
        self._process = process
        self._read_to = 0
        self.screen = ""
        self._news = asyncio.Event()
        asyncio.get_running_loop().add_reader(master, self._hear)

    def _hear(self) -> None:
        try:
            data = os.read(self._master, 65536)
        except OSError:  # Linux says EIO when the program has ended
            data = b""
        if not data:
            asyncio.get_running_loop().remove_reader(self._master)
        self.screen += data.decode(errors="replace").replace("\r\n", "\n")
        self._news.set()

    async def sees(self, words: str, within: float = 120.0) -> str:
        """Wait until these words appear after those that were seen last; what was shown so far."""
        try:
            async with asyncio.timeout(within):
                while (at := self.screen.find(words, self._read_to)) < 0:
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"no {words!r} on the screen:\n{self.screen}") from None
        shown = self.screen[self._read_to : at + len(words)]
        self._read_to = at + len(words)
        return shown

    async def types(self, text: str) -> None:
        """Type a line and press Enter."""
        await self.presses(f"{text}\n")

    async def presses(self, keys: str) -> None:
        """Press keys."""
        os.write(self._master, keys.encode())

    async def ends(self, within: float = 120.0) -> int:
        """Wait for the program's end; its exit status."""
        status = await asyncio.wait_for(self._process.wait(), within)
        await asyncio.sleep(0.05)  # what it wrote last
        return status


@contextlib.asynccontextmanager
async def seated(
    arguments: Sequence[str],
    folder: Path,
    env: Mapping[str, str],
    command: Sequence[str] = COMMAND,
) -> AsyncIterator[Seat]:
    """Run the console script on a terminal of its own."""
    master, slave = pty.openpty()

    def own_terminal() -> None:  # so that Ctrl-C reaches it as a signal
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    process: asyncio.subprocess.Process | Forked
    if command is COMMAND and not fork_server.comes_too_late(env):
        process = await fork_server.start(
            *arguments, cwd=folder, env=env, stdout=slave, stderr=slave, terminal=True
        )
    else:
        process = await asyncio.create_subprocess_exec(
            *(*command, *arguments),
            cwd=folder,
            env=dict(env),
            stdin=slave,
            stdout=slave,
            stderr=slave,
            start_new_session=True,
            preexec_fn=own_terminal,
        )
    os.close(slave)
    try:
        yield Seat(master, process)
    finally:
        asyncio.get_running_loop().remove_reader(master)
        if process.returncode is None:
            process.kill()
            await process.wait()
        os.close(master)

"""The controller as a process of its own: to start, look at from outside, stop and kill."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import signal
import socket
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiohttp

from bench.measured_controller import IMPORTED
from tests.loopback import LoopbackDiscord

READY_WITHIN = 60.0  # seconds
STOPPED_WITHIN = 20.0


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class Process:
    """One controller after another on the same folder."""

    def __init__(self, discord: LoopbackDiscord, folder: Path, more: Mapping[str, str]) -> None:
        self._discord = discord
        self._folder = folder
        self._port = _free_port()
        self._sessions = 0
        self._process: asyncio.subprocess.Process | None = None
        self._began = 0.0
        kept = {k: text for k, text in os.environ.items() if not k.startswith("BOTMAKER_")}
        self._env = kept | {
            "BOTMAKER_DISCORD_TOKEN": discord.token,
            "BOTMAKER_GUILD_ID": str(discord.guild_id),
            "BOTMAKER_ADMIN_CHANNEL_ID": str(discord.admin_channel_id),
            "BOTMAKER_ADMIN_USER_IDS": str(discord.owner.id),
            "BOTMAKER_DISCORD_API_URL": discord.api_url,
            "BOTMAKER_DISCORD_GATEWAY_URL": discord.gateway_url,
            "BOTMAKER_DATA_DIR": str(folder / "data"),
            "BOTMAKER_SECRETS_DIR": str(folder / "secrets"),
            "BOTMAKER_HTTP_LISTEN": f"127.0.0.1:{self._port}",
            "BOTMAKER_LOG_LEVEL": "WARNING",
            "PYTHONPATH": str(Path(__file__).parents[1]),
            **more,
        }

    @property
    def url(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self._port}"

    def choose(self, **settings: str) -> None:
        """Settings from the next start on."""
        self._env |= settings

    async def start(self) -> float:
        """Start it; the seconds from the end of its imports until it serves Discord."""
        self._sessions += 1
        self._began = time.monotonic()
        self._process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "bench.measured_controller", str(self._folder)),
            cwd=self._folder,
            env=self._env,
        )
        await self._discord.wait_ready(READY_WITHIN, sessions=self._sessions)
        return self.age

    @property
    def age(self) -> float:
        """The seconds since the end of its imports."""
        return time.monotonic() - float((self._folder / IMPORTED).read_text())

    @property
    def importing(self) -> float:
        """The seconds from its start to the end of its imports."""
        return float((self._folder / IMPORTED).read_text()) - self._began

    async def end(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End it with that signal, and by force if it takes too long."""
        process = self._process
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(number)
        try:
            async with asyncio.timeout(STOPPED_WITHIN):
                await process.wait()
        except TimeoutError:
            process.kill()
            await process.wait()
        self._process = None

    async def phases(self) -> dict[str, int]:
        """How many bots are in each phase, as its health page says."""
        limit = aiohttp.ClientTimeout(total=10)
        page = f"{self.url}/health"
        async with aiohttp.ClientSession(timeout=limit) as session, session.get(page) as answer:
            found: dict[str, Any] = await answer.json()
        return dict(found["bots"])

    async def until(self, count: int, phase: str, seconds: float) -> None:
        """Wait until so many bots are in that phase."""
        began = time.monotonic()
        while (await self.phases())[phase] != count:
            if time.monotonic() - began > seconds:
                raise TimeoutError(f"not {count} {phase} in {seconds:g} s: {await self.phases()}")
            await asyncio.sleep(0.25)

    @property
    def resident(self) -> float:
        """Its resident memory in MB (10⁶ bytes)."""
        assert self._process is not None
        status = Path(f"/proc/{self._process.pid}/status").read_text()
        found = re.search(r"^VmRSS:\s+(\d+) kB$", status, re.MULTILINE)
        assert found is not None
        return int(found[1]) * 1024 / 1e6

"""The controller as a separate process with 200 bots: its first answers and its memory."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import re
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from bench.figure import Figure, percentile
from bench.fleet import BOTS, seed
from tests.loopback import LoopbackDiscord, Person

ROUNDS = 100  # of four commands each
WARM_UP = 5


async def measure(folder: Path) -> list[Figure]:
    """Send 400 commands, one after another, then look at the process's memory."""
    names = list(await seed(folder / "data"))
    async with LoopbackDiscord() as discord, _controller(discord, folder) as process:
        await discord.wait_ready(30)
        # Every bot gets its card and its first look before anything is measured.
        await discord.until(lambda w: len(w.messages(w.admin_channel_id)) == BOTS, 60)
        await asyncio.sleep(2)
        rested = resident(process.pid)
        times = await _ask(discord.owner, names)
        return [
            Figure(name="first answer to a command, p50", value=percentile(times, 50), unit="ms"),
            Figure(
                name="first answer to a command, p99",
                value=percentile(times, 99),
                unit="ms",
                target=20,
                note=f"{len(times)} commands, {BOTS} bots, longest {max(times):.1f} ms",
            ),
            Figure(
                name="resident memory of the controller",
                value=resident(process.pid),
                unit="MB",
                target=95,
                note=f"{BOTS} bots, connected, after the commands; before them {rested:.1f} MB",
            ),
        ]


async def _ask(person: Person, names: list[str]) -> list[float]:
    dice = random.Random(1)
    times: list[float] = []
    for number in range(-WARM_UP, ROUNDS):
        name = dice.choice(names)
        asks: tuple[tuple[str, dict[str, Any]], ...] = (
            ("bot list", {}),
            ("bot show", {"name": name}),
            ("bot logs", {"name": name}),
            ("bot history", {"name": name}),
        )
        for command, options in asks:
            asked = await person.slash(command, **options)
            assert asked.answered_ms is not None
            if number >= 0:
                times.append(asked.answered_ms)
            # Wait for its end, so that it doesn't disturb the next one.
            await asked.until(lambda a: a.text, 10)
            told = {"bot list": f"{BOTS} bots", "bot logs": "no container"}.get(command, name)
            assert told in asked.text, asked.transcript()
    return times


@contextlib.asynccontextmanager
async def _controller(
    discord: LoopbackDiscord, folder: Path
) -> AsyncIterator[asyncio.subprocess.Process]:
    settings = {
        "BOTMAKER_DISCORD_TOKEN": discord.token,
        "BOTMAKER_GUILD_ID": str(discord.guild_id),
        "BOTMAKER_ADMIN_CHANNEL_ID": str(discord.admin_channel_id),
        "BOTMAKER_ADMIN_USER_IDS": str(discord.owner.id),
        "BOTMAKER_DISCORD_API_URL": discord.api_url,
        "BOTMAKER_DISCORD_GATEWAY_URL": discord.gateway_url,
        "BOTMAKER_DATA_DIR": str(folder / "data"),
        "BOTMAKER_SECRETS_DIR": str(folder / "secrets"),
        "BOTMAKER_HTTP_LISTEN": "",
        "BOTMAKER_LOG_LEVEL": "WARNING",
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    kept = {name: text for name, text in os.environ.items() if not name.startswith("BOTMAKER_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "controller", "run", cwd=folder, env={**kept, **settings}
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), 10)
        except TimeoutError:
            process.kill()
            await process.wait()


def resident(pid: int) -> float:
    """The resident memory of a process in MB (10⁶ bytes)."""
    found = re.search(r"^VmRSS:\s+(\d+) kB$", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1]) * 1024 / 1e6

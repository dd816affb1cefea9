"""The controller as a process with 1,000 bots: when it is ready, its first answers, its memory.

Every bot is a row with secrets. `/bot show` and `/bot logs` ask about real containers.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
from pathlib import Path
from typing import Any

from bench.engine import cleaned_up
from bench.figure import Figure, percentile
from bench.fleet import seed
from bench.process import Process
from bench.templates import write_templates
from tests.loopback import LoopbackDiscord, Person

BOTS, REAL = 1000, 20  # rows, and how many of them have a container
STARTS = 3
ROUNDS = 100  # of four commands each
EARLY_ROUNDS = 10  # right after a start, while every bot gets its first look
LOOKED_AFTER = 8.0  # seconds; by then every bot had it
WARM_UP = 5
SETTLED_WITHIN = 120.0  # seconds: every card is posted, every real bot runs


async def measure(folder: Path) -> list[Figure]:
    """Start it three times, then send 400 commands, one after another, and look at its memory."""
    seeded = await seed(folder, BOTS, running=REAL)
    templates = await asyncio.to_thread(write_templates, folder)
    settings = {"BOTMAKER_TEMPLATES_DIR": str(templates)}
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(cleaned_up(seeded.instance))
        discord = await stack.enter_async_context(LoopbackDiscord())
        process = Process(discord, folder, settings)
        stack.push_async_callback(process.end)
        ready, imports = [await process.start()], [process.importing]
        # Every bot gets its card and its first look before anything else is measured.
        channel = discord.admin_channel_id
        await discord.until(lambda w: len(w.messages(channel)) == BOTS, SETTLED_WITHIN)
        await process.until(REAL, "running", SETTLED_WITHIN)
        for _ in range(STARTS - 1):
            await process.end()
            ready.append(await process.start())
            imports.append(process.importing)
        await process.until(REAL, "running", SETTLED_WITHIN)
        early = await _ask(discord.owner, seeded.names, EARLY_ROUNDS)
        await asyncio.sleep(LOOKED_AFTER)
        rested = process.resident
        times = await _ask(discord.owner, seeded.names, ROUNDS)
        return [
            Figure(
                name="ready to serve Discord, after the imports",
                value=min(ready),
                unit="s",
                target=1.5,
                at_most=True,
                note=f"{BOTS} bots, {REAL} of them real; the best of {STARTS} starts, "
                f"the slowest {max(ready):.2f} s",
            ),
            Figure(name="the imports before that", value=min(imports), unit="s"),
            Figure(name="first answer to a command, p50", value=percentile(times, 50), unit="ms"),
            Figure(
                name="first answer to a command, p99",
                value=percentile(times, 99),
                unit="ms",
                target=5,
                at_most=True,
                note=f"{len(times)} commands, {BOTS} bots, longest {max(times):.1f} ms",
            ),
            Figure(
                name="first answer while every bot gets its first look, p50",
                value=percentile(early, 50),
                unit="ms",
                note=f"{len(early)} commands after a start, longest {max(early):.1f} ms",
            ),
            Figure(
                name="resident memory of the controller",
                value=process.resident,
                unit="MB",
                target=110,
                at_most=True,
                note=f"{BOTS} bots, connected, after the commands; before them {rested:.1f} MB",
            ),
        ]


async def _ask(person: Person, names: list[str], rounds: int) -> list[float]:
    dice = random.Random(1)
    times: list[float] = []
    for number in range(-WARM_UP, rounds):
        real, some = dice.choice(names[:REAL]), dice.choice(names)
        asks: tuple[tuple[str, dict[str, Any], str], ...] = (
            ("bot list", {}, f"{BOTS} bots"),
            ("bot show", {"name": real}, "running"),
            ("bot logs", {"name": real}, "heartbeat"),
            ("bot history", {"name": some}, some),
        )
        for command, options, told in asks:
            asked = await person.slash(command, **options)
            assert asked.answered_ms is not None
            if number >= 0:
                times.append(asked.answered_ms)
            # Wait for its end, so that it doesn't disturb the next one.
            await asked.until(lambda a: a.text, 10)
            assert told in asked.text, asked.transcript()
    return times

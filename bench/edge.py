"""The edge, with a real Worker in Miniflare: how fast waiting events reach D1, and its memory.

Needs Node (`scripts/edge-tools`), so it is a command of its own.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from bench.figure import Figure
from bench.process import Process
from controller.domain.journal import Entry, Kind
from controller.store import Store
from controller.vault import install_key, journal_key
from tests.edge_worker.node import LocalWorker, new_key
from tests.loopback import LoopbackDiscord

EVENTS = 10_000
REST_SECONDS = 12.0
STARTS = 2


async def measure(folder: Path) -> list[Figure]:
    """Drain them once; then start it with and without, in turn."""
    (folder / "cloud").mkdir()
    key = new_key()
    keys = folder / "edge.keys"
    keys.write_text(key)
    async with LoopbackDiscord() as discord, LocalWorker(folder / "cloud", key) as worker:
        chosen = {"BOTMAKER_EDGE_URL": worker.url, "BOTMAKER_EDGE_KEYS_FILE": str(keys)}
        process = Process(discord, folder, {})
        rested: dict[str, list[float]] = {"with": [], "without": []}
        try:
            for _ in range(STARTS):
                for name, megabytes in rested.items():
                    used = chosen if name == "with" else dict.fromkeys(chosen, "")
                    process.choose(**used)
                    await process.start()
                    await asyncio.sleep(REST_SECONDS)
                    megabytes.append(process.resident)
                    await process.end()
            await _wait(folder, EVENTS)
            process.choose(**chosen)
            await process.start()
            seconds = await _drained(worker)
        finally:
            await process.end()
    beyond = min(rested["with"]) - min(rested["without"])
    return [
        Figure(name=f"{EVENTS} waiting events reach D1", value=EVENTS / seconds, unit="/s"),
        Figure(name=f"seconds for {EVENTS} waiting events (1,000/s)", value=seconds, unit="s",
               target=EVENTS / 1000, at_most=True),
        Figure(name="memory at rest with the edge, beyond without", value=beyond * 1e6 / 2**20,
               unit="MiB", target=3.0, at_most=True),
    ]  # fmt: skip


async def _wait(folder: Path, count: int) -> None:
    """So many crashes in the journal of a controller that isn't running."""
    data = folder / "data"
    store = await Store.open(data, journal_key(install_key(data)))
    facts = {"exit_code": 1, "oom_killed": False}
    try:
        async with store.transaction() as write:
            for _ in range(count):
                entry = Entry(
                    at=time.time(), kind=Kind.CRASH, bot_id="b", bot_name="shop", data=facts
                )
                await write.append(entry)
    finally:
        await store.close()


async def _drained(worker: LocalWorker) -> float:
    """From the first of them in D1 until the last."""
    sql = "SELECT count(*) AS n FROM events WHERE type = 'bot.crash'"
    began, found = 0.0, 0
    while found < EVENTS:
        await asyncio.sleep(0.02)
        found = (await worker.rows(sql))[0]["n"]
        began = began or (time.monotonic() if found else 0.0)
    return time.monotonic() - began

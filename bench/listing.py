"""What the API costs: a list of 200 bots beside a bare aiohttp handler that answers the same bytes,
and the memory of a controller at rest with the API against the same one without.

Both servers are processes of their own, asked in turns by one client, so whatever else the machine
does is in both figures. The list is asked by a token, as a program does.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp

from bench.engine import cleaned_up
from bench.figure import Figure, percentile
from bench.fleet import seed
from bench.process import Process
from bench.templates import write_templates
from tests.loopback import LoopbackDiscord

BOTS = 200
WARM_UP, ASKED = 20, 300
EACH_SECOND = 19  # a token has 20 reads a second
RESTED_SECONDS = 4.0
TURNS = 2  # of a controller without the API, and one with it


async def measure(folder: Path) -> list[Figure]:
    """The same installation each time; its first start, which posts every card, doesn't count."""
    seeded = await seed(folder, BOTS)
    templates = await asyncio.to_thread(write_templates, folder)
    rested: dict[str, list[float]] = {"0": [], "1": []}
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(cleaned_up(seeded.instance))
        discord = await stack.enter_async_context(LoopbackDiscord())
        process = Process(discord, folder, {"BOTMAKER_TEMPLATES_DIR": str(templates)})
        stack.push_async_callback(process.end)
        await process.start()
        await discord.until(lambda w: len(w.messages(discord.admin_channel_id)) == BOTS, 60)
        for api in ("0", "1") * TURNS:
            await process.end()
            process.choose(BOTMAKER_API=api)
            await process.start()
            await process.until(BOTS, "stopped", 30)
            await asyncio.sleep(RESTED_SECONDS)
            rested[api].append(process.resident)
        return [*await _list(process, folder), _memory(rested)]


async def _list(process: Process, folder: Path) -> list[Figure]:
    page = f"{process.url}/api/v1/bots?limit={BOTS}"
    headers = {"Authorization": f"Bearer {await _token(folder)}"}
    times: dict[str, list[float]] = {}
    async with aiohttp.ClientSession(headers=headers) as session:
        body = await _got(session, page)
        async with _bare(folder, body) as bare:
            for number in range(WARM_UP + ASKED):
                began = time.monotonic()
                for url in (page, bare) if number % 2 else (bare, page):
                    start = time.perf_counter()
                    assert await _got(session, url) == body
                    if number >= WARM_UP:
                        times.setdefault(url, []).append((time.perf_counter() - start) * 1000)
                await asyncio.sleep(max(0.0, began + 1 / EACH_SECOND - time.monotonic()))
    ours, its = times[page], times[bare]
    note = f"{len(body) / 1000:.0f} kB, {ASKED} times; p99 {percentile(ours, 99):.1f} ms"
    more = percentile(ours, 50) - percentile(its, 50)
    return [
        Figure(name=f"a list of {BOTS} bots, p50", value=percentile(ours, 50), unit="ms",
               note=note),
        Figure(name="the same bytes from a bare aiohttp handler, p50", value=percentile(its, 50),
               unit="ms", note=f"p99 {percentile(its, 99):.1f} ms"),
        Figure(name="the list beyond the bare handler, p50", value=more, unit="ms", target=0.5,
               at_most=True),
    ]  # fmt: skip


def _memory(rested: dict[str, list[float]]) -> Figure:
    without, within = min(rested["0"]), min(rested["1"])
    return Figure(
        name="memory at rest with the API, beyond without",
        value=(within - without) * 1e6 / 2**20,
        unit="MiB",
        target=3,
        at_most=True,
        note=f"{BOTS} bots, {without:.1f} MB without; the less of {TURNS} each",
    )


async def _token(folder: Path) -> str:
    connector = aiohttp.UnixConnector(str(folder / "data" / "control.sock"))
    wanted = {"name": "bench", "role": "viewer"}
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.post("http://console/api/v1/tokens", json=wanted) as answer,
    ):
        return str((await answer.json())["text"])


async def _got(session: aiohttp.ClientSession, url: str) -> bytes:
    async with session.get(url) as answer:
        assert answer.status == 200, await answer.text()
        return await answer.read()


@contextlib.asynccontextmanager
async def _bare(folder: Path, body: bytes) -> AsyncIterator[str]:
    """The address of a handler that answers this body, in a process of its own."""
    file = folder / "body"
    await asyncio.to_thread(file.write_bytes, body)
    made = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench.bare_handler", str(file)), stdout=asyncio.subprocess.PIPE
    )
    assert made.stdout is not None
    try:
        yield (await made.stdout.readline()).decode().strip()
    finally:
        made.terminate()
        await made.wait()

"""What it costs to measure 300 running bots, and how late the loop is while 100 flood their logs.

Both with real containers, which share this machine. The flooding ones get a twentieth of a core
each, so that all of them flood; ten of them are followed as an answer in Discord follows them.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import tracemalloc
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from typing import cast

import docker
from docker.types import LogConfig

from bench.engine import IMAGE, connect, installation
from bench.figure import Figure
from bench.house import ADMIN
from bench.lag import measured_lag
from controller.chat.logs.log_blocks import newest_blocks
from controller.domain.acts import Act
from controller.domain.bot import Bot
from controller.domain.events import LogLine
from controller.domain.names import new_bot_id
from controller.domain.observation import World
from controller.domain.usage import Counters, Figures
from controller.fleet.journal import Caller
from controller.fleet.threads import Threads
from controller.fleet.views import Fleet
from controller.manager.access import Access
from controller.manager.following import Following
from controller.manager.log_reader import Gap, Lines, ReadingTools
from controller.manager.sampling import EVERY, KEPT, Sampler, Track
from controller.runtime.cgroups import Cgroups
from controller.runtime.engine import EngineRuntime
from controller.runtime.hostconfig import bot_labels
from controller.runtime.options import engine_options
from controller.settings import docker_environment
from controller.store import Store
from controller.vault import Redactor

BOTS, FLOODING, FOLLOWED = 300, 100, 10
ROUNDS, SECONDS, WATCH_SECONDS = 10, 15.0, 2.0
CORE_MOST, LAG_MOST = 3.0, 50.0  # % of a core, ms
MADE_AT_ONCE = 6
THOUSAND = 1000
_SLEEP = "exec sleep 600"
_FLOOD = 'while :; do echo "flooding the log with a line of some length, again and again"; done'


class _Everybody:
    """Nobody is refused here."""

    async def require(self, caller: Caller, act: Act, bot: Bot | None = None) -> None:
        """Let them."""


async def measure(folder: Path) -> list[Figure]:
    """One after the other, so that neither disturbs the other."""
    return [*await _sampled(folder), *await _flooded(), _kept()]


async def _sampled(folder: Path) -> list[Figure]:
    client = connect()
    with installation(client) as instance:
        made = await asyncio.to_thread(_make, client, instance, BOTS, _SLEEP, 0.0)
        async with _fleet(instance, made) as (runtime, fleet):
            store = await Store.open(folder, b"k" * 32)
            sampler = Sampler(runtime, fleet, store)
            try:
                await sampler.sample()
                cpu, began = time.process_time(), time.perf_counter()
                for _ in range(ROUNDS):
                    await sampler.sample()
                cpu = (time.process_time() - cpu) / ROUNDS
                took = (time.perf_counter() - began) / ROUNDS
                runtime._cgroups = Cgroups(folder / "nothing", folder / "nothing")
                asked_cpu, asked_began = time.process_time(), time.perf_counter()
                found = await sampler._runtime.measure(made)
                asked_cpu = time.process_time() - asked_cpu
                asked_took = time.perf_counter() - asked_began
            finally:
                await store.close()
    client.close()
    every = max(EVERY, 2 * asked_took)
    return [
        Figure(
            name=f"{BOTS} bots sampled by the kernel's files",
            value=100 * cpu / EVERY,
            unit="% of a core",
            target=CORE_MOST,
            at_most=True,
            note=f"{1000 * cpu:.0f} ms of processor in {1000 * took:.0f} ms, every {EVERY:g} s",
        ),
        Figure(
            name=f"{BOTS} bots sampled by the engine's answers",
            value=100 * asked_cpu / every,
            unit="% of a core",
            target=CORE_MOST,
            at_most=True,
            note=f"{len(found)} answered in {asked_took:.1f} s, every {every:.0f} s",
        ),
    ]


async def _flooded() -> list[Figure]:
    client, figures = connect(), list[Figure]()
    with installation(client) as instance:
        made = await asyncio.to_thread(_make, client, instance, FLOODING, _FLOOD, 0.05)
        threads = Threads()
        async with _fleet(instance, made) as (runtime, fleet):
            tools = ReadingTools(runtime, Redactor(), threads, fleet)
            following = Following(tools, cast(Access, _Everybody()))
            heard = list[int]()
            async with (
                measured_lag("10 of 100 flooded logs followed", figures, promised=False),
                asyncio.TaskGroup() as group,
            ):
                for bot_id in list(made)[:FOLLOWED]:
                    group.create_task(_follow(following, fleet.require(bot_id).bot, heard))
        threads.close()
    client.close()
    lag = figures[0]
    note = f"{sum(heard) / SECONDS:.0f} lines a second heard; {lag.note}"
    return [
        Figure(name=lag.name, value=lag.value, unit="ms", target=LAG_MOST, at_most=True, note=note),
        figures[1],
    ]


async def _follow(following: Following, bot: Bot, heard: list[int]) -> None:
    """As the answer in Discord does it, but for Discord."""
    awake, end, lines = asyncio.Event(), time.monotonic() + SECONDS, list[LogLine]()
    async with following.watch(ADMIN, bot, awake.set, lines=40) as watch:
        while time.monotonic() < end:
            awake.clear()
            while (said := watch.take()) is not None:
                if isinstance(said, Lines):
                    lines = [*lines, *said.lines][-300:]
                    heard.append(said.count)
                elif isinstance(said, Gap):
                    heard.append(said.dropped or 0)
            newest_blocks(lines, 1800)
            await asyncio.sleep(WATCH_SECONDS)


def _kept() -> Figure:
    """What is kept in memory of a thousand bots."""
    reading = Counters(at=1.5, cpu=2.5, memory=3, limit=4, received=5, sent=6, read=7, written=8)
    figures = Figures(cpu=0.5, memory=1e8, limit=2e8, received=1, sent=1, read=1, written=1)
    tracemalloc.start()
    tracks = {str(number): Track("2026-11-28T09:00:00.123456789Z") for number in range(THOUSAND)}
    for track in tracks.values():
        track.note(reading)
        for number in range(KEPT):
            track.add(float(number), figures)
    size, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return Figure(
        name=f"memory for the figures of {THOUSAND} bots",
        value=size / (1 << 20),
        unit="MiB",
        note="the last reading and five minutes of each",
    )


def _make(
    client: docker.APIClient, instance: str, count: int, program: str, cores: float
) -> dict[str, str]:
    """So many running containers, by the ids of their bots."""
    host = client.create_host_config(
        network_mode="none",
        log_config=LogConfig(type="json-file", config={"max-size": "10m", "max-file": "3"}),
        nano_cpus=int(cores * 1e9) or None,
        mem_limit="64m",
    )

    def one(bot_id: str) -> tuple[str, str]:
        made = client.create_container(
            IMAGE,
            entrypoint=["/bin/sh", "-c", program],
            name=f"botmaker-{bot_id}",
            labels=bot_labels(bot_id, instance),
            host_config=host,
        )
        client.start(made)
        return bot_id, str(made["Id"])

    with ThreadPoolExecutor(MADE_AT_ONCE) as pool:
        return dict(pool.map(one, [new_bot_id() for _ in range(count)]))


@contextlib.asynccontextmanager
async def _fleet(instance: str, made: dict[str, str]) -> AsyncIterator[tuple[EngineRuntime, Fleet]]:
    """The runtime, and the bots as a controller would have seen them."""
    async with AsyncExitStack() as stack:
        runtime = EngineRuntime(instance, engine_options(docker_environment()))
        stack.push_async_callback(runtime.close)
        fleet = Fleet(engine_time=runtime.engine_time)
        for number, bot_id in enumerate(made):
            bot = Bot(
                id=bot_id,
                name=f"bot-{number}",
                template="t",
                provider="p",
                model="m",
                channel="c",
            )
            seen = await runtime.observe(bot_id)
            fleet.add(bot, World(container=seen))
        yield runtime, fleet

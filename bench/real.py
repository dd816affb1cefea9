"""As many real bots as the machine carries: start all, kill the controller, resync, stop all.

The same is done with plain docker-py, first, and the times are compared. It takes some ten minutes
for 600 bots on two cores, so it runs only when asked for: `make bench ARGS="real --bots 600"`.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import docker

from bench.by_hand import Pace, do_by_hand
from bench.engine import cleaned_up, connect, running_of
from bench.figure import Figure, percentile
from bench.fleet import Seeded, seed
from bench.lag import lag_figures
from bench.measured_controller import take_lateness
from bench.process import Process
from bench.templates import write_templates
from tests.loopback import LoopbackDiscord, Person

READY_SECONDS = 1.5
MEMORY_MB = 110
SLOWER_THAN_RAW = 1.2  # at most, by whichever step
RESYNC_SECONDS = 30.0  # of 600 bots: each is inspected once
SECONDS_EACH = 3.0  # that a bot may take, whatever is done to all of them
AFTERWARDS = 20.0  # seconds at rest after that, with at least one full list
ASKED_EVERY = 2.0  # seconds between two commands while everything starts or stops


async def measure(folder: Path, bots: int) -> list[Figure]:
    """Both ways one after the other, on an engine that holds nothing else of ours."""
    subnet = await asyncio.to_thread(_free_subnet, bots)
    by_hand = await asyncio.to_thread(do_by_hand, bots, subnet, folder)
    seeded = await seed(folder, bots, running=bots, template="tiny")
    templates = await asyncio.to_thread(write_templates, folder)
    settings = {"BOTMAKER_TEMPLATES_DIR": str(templates), "BOTMAKER_NETWORK_SUBNET": subnet}
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(cleaned_up(seeded.instance))
        discord = await stack.enter_async_context(LoopbackDiscord())
        process = Process(discord, folder, settings)
        stack.push_async_callback(process.end)
        return await _Run(discord, process, seeded, folder).figures(by_hand)


class _Run:
    """One controller's way with all the bots."""

    def __init__(
        self, discord: LoopbackDiscord, process: Process, seeded: Seeded, folder: Path
    ) -> None:
        self._discord = discord
        self._process = process
        self._seeded = seeded
        self._folder = folder
        self._bots = len(seeded.ids)
        self._answers: list[float] = []
        self._memory: dict[str, float] = {}  # the most while they are started, stopped, …

    async def figures(self, by_hand: Pace) -> list[Figure]:
        """Start all, kill and resync, stop all."""
        bots, figures = self._bots, list[Figure]()
        await self._process.start()
        async with self._watched("started"):
            await self._process.until(bots, "running", SECONDS_EACH * bots)
            started = self._process.age
        figures += self._lag("all are created and started", promised=False)
        runs = await asyncio.to_thread(self._runs)
        lost = bots - len(runs)

        await self._process.end(signal.SIGKILL)
        ready = await self._process.start()
        async with self._watched("seen again"):
            await self._process.until(bots, "running", SECONDS_EACH * bots)
            resynced = self._process.age
            await asyncio.sleep(AFTERWARDS)
        figures += self._lag("all are seen again after a kill")
        disturbed = len(set(runs.items()) ^ set((await asyncio.to_thread(self._runs)).items()))

        async with self._watched("stopped"):
            stopped, unanswered = await self._stop_all()
        figures += self._lag("all are stopped", promised=False)
        left = len(await asyncio.to_thread(self._runs))
        return [
            self._against("created and started", started, by_hand.started),
            self._against("stopped by command", stopped, by_hand.stopped),
            Figure(name=f"{bots} real bots: ready after the kill", value=ready, unit="s",
                   target=READY_SECONDS, at_most=True, note="after the imports"),
            Figure(name=f"{bots} real bots: all seen again", value=resynced, unit="s",
                   target=RESYNC_SECONDS * max(1, bots / 600), at_most=True,
                   note=f"docker-py's list and inspects: {by_hand.inspected:.1f} s"),
            Figure(name=f"{bots} real bots: not started", value=lost, unit="", target=0,
                   at_most=True),
            Figure(name=f"{bots} real bots: disturbed by the kill", value=disturbed, unit="",
                   target=0, at_most=True),
            Figure(name=f"{bots} real bots: not stopped", value=left, unit="", target=0,
                   at_most=True),
            Figure(name=f"{bots} real bots: stops without an answer", value=unanswered, unit="",
                   target=0, at_most=True),
            Figure(name=f"{bots} real bots: memory while all run",
                   value=max(self._memory["started"], self._memory["seen again"]),
                   unit="MB", target=MEMORY_MB, at_most=True),
            Figure(name=f"{bots} real bots: memory while all are stopped at once",
                   value=self._memory["stopped"], unit="MB",
                   note="with a command that waits for each"),
            Figure(name=f"{bots} real bots: first answer p99 meanwhile",
                   value=percentile(self._answers, 99), unit="ms",
                   note=f"{len(self._answers)} commands while the engine was at its limit"),
            *figures,
        ]  # fmt: skip

    def _against(self, what: str, ours: float, raw: float) -> Figure:
        return Figure(
            name=f"{self._bots} real bots: {what}",
            value=ours / raw,
            unit="× raw",
            target=SLOWER_THAN_RAW,
            at_most=True,
            note=f"{ours:.0f} s against {raw:.0f} s with docker-py",
        )

    def _lag(self, what: str, *, promised: bool = True) -> list[Figure]:
        """How late the controller's loop was while it was watched last. Nothing is promised while
        the engine takes all of the machine."""
        late = take_lateness(self._folder)
        return lag_figures(f"{self._bots} real bots, {what}", late, promised=promised)

    def _runs(self) -> dict[str, str]:
        client = connect()
        try:
            return running_of(client, self._seeded.instance)
        finally:
            client.close()

    @contextlib.asynccontextmanager
    async def _watched(self, what: str) -> AsyncIterator[None]:
        """Ask a command every now and then while the block runs, and note the memory.

        The loop's lateness before the block is nobody's business: nobody was served yet.
        """
        take_lateness(self._folder)

        async def watch() -> None:
            while True:
                asked = await self._discord.owner.slash("bot list")
                assert asked.answered_ms is not None
                self._answers.append(asked.answered_ms)
                self._memory[what] = max(self._memory.get(what, 0.0), self._process.resident)
                await asyncio.sleep(ASKED_EVERY)

        watching = asyncio.create_task(watch())
        try:
            yield
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching

    async def _stop_all(self) -> tuple[float, int]:
        """Stop every bot by its command, all at once; the seconds, and how many got no answer."""
        began = time.monotonic()
        asked = await asyncio.gather(
            *(_ask_to_stop(self._discord.owner, name) for name in self._seeded.names)
        )
        await self._process.until(self._bots, "stopped", SECONDS_EACH * self._bots)
        return time.monotonic() - began, asked.count(False)


async def _ask_to_stop(person: Person, name: str) -> bool:
    """Whether the command was taken and, in the end, answered in words."""
    asked = await person.slash("bot stop", name=name)
    await asked.until(lambda one: one.text and name in one.text, 120)
    return bool(asked.text)


def _free_subnet(bots: int) -> str:
    """A private subnet with room for so many bots, which no network of this engine uses."""
    client = connect()
    try:
        taken = list(_subnets(client))
    finally:
        client.close()
    for third in range(0, 256, 8):
        subnet = ipaddress.ip_network(f"10.213.{third}.0/21")
        if bots < subnet.num_addresses and not any(subnet.overlaps(one) for one in taken):
            return str(subnet)
    raise RuntimeError("no free subnet below 10.213.0.0/16")


def _subnets(client: docker.APIClient) -> Iterator[ipaddress.IPv4Network]:
    rows: list[dict[str, Any]] = client.networks()
    for row in rows:
        for config in (row.get("IPAM") or {}).get("Config") or ():
            with contextlib.suppress(ValueError):
                yield ipaddress.IPv4Network(config.get("Subnet", ""))

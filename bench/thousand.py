"""A thousand running bots with three secrets each, in this process: what their number costs.

The engine is the in-memory one, so the figures are the controller's own work. Real containers are
measured by `creating`.
"""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import discord

from bench.engine import IMAGE
from bench.figure import Figure, percentile
from bench.fleet import seed
from bench.lag import measured_lag
from bench.spoken import ADMIN, CHANNEL, GUILD, Spoken
from bench.templates import write_templates
from controller.app import Application, open_application
from controller.chat import Place
from controller.chat.commands.bot_commands import BotCommands
from controller.chat.commands.rooms import rooms_of
from controller.chat.commands.suggestions import suggest
from controller.chat.requests.admission import Admission
from controller.chat.requests.request import Request
from controller.domain.acts import BOT_SHOW
from controller.domain.observation import Health
from controller.domain.phase import Phase
from controller.fleet.views import View
from controller.runtime.memory import MemoryRuntime
from controller.settings import Settings
from controller.spared_loop import spare_the_loop
from controller.vault import Redactor

BOTS, ROUNDS = 1000, 300
READY_WITHIN = 90.0  # seconds
STARTING_FOR = 60.0  # seconds
RESYNCS, RESYNC_EVERY = 20, 0.25  # seconds


async def measure(folder: Path) -> list[Figure]:
    """In a process of its own: memory is the process's, and no other part has warmed it up."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.thousand", str(folder), stdout=subprocess.PIPE
    )
    said, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError("the thousand bots ended with an error: see above")
    return [Figure(**one) for one in json.loads(said)]


async def measure_here(folder: Path) -> list[Figure]:
    """Start, list, complete, resync, and 1,000 bots that are starting."""
    names = (await seed(folder, BOTS, running=BOTS, template="waiting")).names
    figures: list[Figure] = []
    runtime, began = MemoryRuntime(images=[IMAGE]), time.perf_counter()
    async with open_application(_settings(folder), Redactor(), runtime=runtime) as application:
        figures.append(Figure(name="1,000 bots: loaded after the imports",
                              value=time.perf_counter() - began, unit="s", target=1.5,
                              at_most=True))  # fmt: skip
        spare_the_loop()
        work = asyncio.create_task(application.installation.loop.run())
        async with measured_lag("1,000 bots created", figures, promised=False):
            await _all(application, _is_starting)
        async with measured_lag("1,000 bots starting", figures):
            await asyncio.sleep(STARTING_FOR)
        assert all(map(_is_starting, application.manager.bots))
        for view in application.manager.bots:
            runtime.set_health(view.bot.id, Health.HEALTHY)
        await _all(application, lambda view: view.phase is Phase.RUNNING)
        async with measured_lag("1,000 bots resynced", figures):
            for _ in range(RESYNCS):
                await application.installation.loop.watcher.resync()
                await asyncio.sleep(RESYNC_EVERY)
        figures += await _answers(application, runtime, names)
        memory = _resident()
        figures.append(
            Figure(name="1,000 bots: memory", value=memory, unit="MB", target=110, at_most=True)
        )
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    return figures


async def _answers(
    application: Application, runtime: MemoryRuntime, names: list[str]
) -> list[Figure]:
    manager = application.manager
    place, rooms = Place(GUILD, CHANNEL), rooms_of(manager, GUILD)
    admission = Admission(manager, place, application.client.members)
    commands = BotCommands(manager, rooms)
    listed, completed = [], []
    before = runtime.calls.total()
    for number in range(ROUNDS):
        spoken = Spoken(number)
        asked = cast("discord.Interaction", spoken)
        worked = time.thread_time()
        await admission.admit(Request(asked, "bot list"))
        await cast("Any", commands.list_bots).callback(commands, asked)
        listed.append((time.thread_time() - worked) * 1000)
        assert f"{len(names)} bots" in spoken.said
        keystroke = Spoken(number + ROUNDS, typing=True)
        request = Request(cast("discord.Interaction", keystroke), "bot show")
        worked = time.thread_time()
        await admission.admit(request)
        seen = manager.bots.visible(request.caller.principal, BOT_SHOW)
        assert suggest(names[number][: number % 10], (view.bot.name for view in seen))
        completed.append((time.thread_time() - worked) * 1000)
    note = f"{ROUNDS} times, p50 {{:.2f}} ms"
    return [
        Figure(name="1,000 bots: /bot list, p99", value=percentile(listed, 99), unit="ms",
               target=2, at_most=True, note=note.format(percentile(listed, 50))),
        Figure(name="1,000 bots: suggestions, p99", value=percentile(completed, 99), unit="ms",
               target=2, at_most=True, note=note.format(percentile(completed, 50))),
        Figure(name="1,000 bots: engine calls of both", value=runtime.calls.total() - before,
               unit="", target=0, at_most=True),
    ]  # fmt: skip


def _is_starting(view: View) -> bool:
    """Its container runs, and its health check hasn't had its say."""
    container = view.world.container
    waits = container is not None and container.health is Health.STARTING
    return waits and view.phase is Phase.STARTING


async def _all(application: Application, wanted: Callable[[View], bool]) -> None:
    end = time.monotonic() + READY_WITHIN
    while not all(map(wanted, application.manager.bots)):
        if time.monotonic() > end:
            raise TimeoutError(f"the bots don't become as wanted within {READY_WITHIN:g} s")
        await asyncio.sleep(0.05)


def _settings(folder: Path) -> Settings:
    return Settings(
        _env_file=None,  # type: ignore[call-arg]  # pydantic-settings' own
        guild_id=GUILD,
        admin_channel_id=CHANNEL,
        admin_user_ids=(ADMIN,),
        data_dir=folder / "data",
        secrets_dir=folder / "secrets",
        templates_dir=write_templates(folder),
    )


def _resident() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024 / 1e6
    return float("nan")


if __name__ == "__main__":
    found = asyncio.run(measure_here(Path(sys.argv[1])))
    json.dump([asdict(figure) for figure in found], sys.stdout)

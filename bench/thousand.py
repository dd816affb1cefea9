"""A thousand running bots with three secrets each, in this process: what their number costs.

The engine is the in-memory one, so the figures are the controller's own work. Real containers are
measured by `creating`.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import discord

from bench.figure import Figure, percentile
from bench.fleet import seed
from bench.lag import measured_lag
from bench.listing import ADMIN, CHANNEL, GUILD, Spoken
from controller.app import Application, open_application
from controller.chat import Place
from controller.chat.commands.bot_commands import BotCommands
from controller.chat.commands.suggestions import suggest
from controller.chat.handlers import rooms_of
from controller.chat.requests.admission import Admission
from controller.chat.requests.request import Request
from controller.domain.acts import BOT_SHOW
from controller.domain.bot import Wish
from controller.domain.observation import Health
from controller.domain.phase import Phase
from controller.runtime.memory import MemoryRuntime
from controller.settings import Settings
from controller.vault import Redactor, Vault

BOTS, SECRETS, ROUNDS = 1000, 3, 100
READY_WITHIN = 60.0  # seconds
STARTING_FOR = 15.0  # seconds
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
    ids = await seed(folder / "data", BOTS, Wish.RUN)
    await asyncio.to_thread(_write_secrets, folder, list(ids.values()))
    figures: list[Figure] = []
    runtime, began = MemoryRuntime(images=["botmaker-demo:1"]), time.perf_counter()
    async with open_application(_settings(folder), Redactor(), runtime=runtime) as application:
        figures.append(Figure(name="1,000 bots: loaded after the imports",
                              value=time.perf_counter() - began, unit="s", target=1.5,
                              at_most=True))  # fmt: skip
        work = asyncio.create_task(application.installation.loop.run())
        await _all_are(application, Phase.STARTING, Phase.RUNNING)
        async with measured_lag("1,000 bots starting", figures):
            await asyncio.sleep(STARTING_FOR)
        for view in application.manager.bots:
            runtime.set_health(view.bot.id, Health.HEALTHY)
        await _all_are(application, Phase.RUNNING)
        async with measured_lag("1,000 bots resynced", figures):
            for _ in range(RESYNCS):
                await application.installation.loop.watcher.resync()
                await asyncio.sleep(RESYNC_EVERY)
        figures += await _answers(application, list(ids))
        memory = _resident()
        figures.append(
            Figure(name="1,000 bots: memory", value=memory, unit="MB", target=110, at_most=True)
        )
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
    return figures


async def _answers(application: Application, names: list[str]) -> list[Figure]:
    manager = application.manager
    place, rooms = Place(GUILD, CHANNEL), rooms_of(manager, GUILD)
    admission = Admission(manager, place, application.client.members)
    commands = BotCommands(manager, rooms.power, rooms.secrets, rooms.logs, rooms.past)
    listed, completed = [], []
    for number in range(ROUNDS):
        spoken = Spoken(number)
        asked = cast("discord.Interaction", spoken)
        worked = time.thread_time()
        await admission.admit(Request(asked, "bot list"))
        await cast("Any", commands.list_bots).callback(commands, asked)
        listed.append((time.thread_time() - worked) * 1000)
        assert f"{len(names)} bots" in spoken.said
        request = Request(cast("discord.Interaction", Spoken(number + ROUNDS)), "bot list")
        worked = time.thread_time()
        await admission.admit(request)
        seen = manager.bots.visible(request.caller.principal, BOT_SHOW)
        assert suggest(names[number][:8], (view.bot.name for view in seen))
        completed.append((time.thread_time() - worked) * 1000)
    note = f"{ROUNDS} times, p50 {{:.2f}} ms"
    return [
        Figure(name="1,000 bots: /bot list, p99", value=percentile(listed, 99), unit="ms",
               target=2, at_most=True, note=note.format(percentile(listed, 50))),
        Figure(name="1,000 bots: suggestions, p99", value=percentile(completed, 99), unit="ms",
               target=2, at_most=True, note=note.format(percentile(completed, 50))),
    ]  # fmt: skip


def _write_secrets(folder: Path, ids: list[str]) -> None:
    """Three secret files for each bot, as forms would leave them."""
    vault = Vault(folder / "secrets")
    vault.open()
    owner = vault.owner_for("1000:1000")
    for number, bot_id in enumerate(ids):
        values = {
            name: f"{name}-{number:04}-{os.urandom(16).hex()}"
            for name in ("api_key", "channel_token", "spare_key")[:SECRETS]
        }
        vault.write(bot_id, values, owner)


async def _all_are(application: Application, *phases: Phase) -> None:
    end = time.monotonic() + READY_WITHIN
    while any(view.phase not in phases for view in application.manager.bots):
        if time.monotonic() > end:
            raise TimeoutError(f"not all bots are {' or '.join(phases)}")
        await asyncio.sleep(0.05)


def _settings(folder: Path) -> Settings:
    return Settings(
        _env_file=None,  # type: ignore[call-arg]  # pydantic-settings' own
        guild_id=GUILD,
        admin_channel_id=CHANNEL,
        admin_user_ids=(ADMIN,),
        data_dir=folder / "data",
        secrets_dir=folder / "secrets",
    )


def _resident() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return float("nan")


if __name__ == "__main__":
    found = asyncio.run(measure_here(Path(sys.argv[1])))
    json.dump([asdict(figure) for figure in found], sys.stdout)

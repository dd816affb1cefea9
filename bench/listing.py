"""`/bot list` of 200 bots, in this process: the handler's time, and its calls to the engine."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import discord

from bench.figure import Figure, percentile
from bench.fleet import BOTS, seed
from controller.app import open_application
from controller.chat import Place
from controller.chat.commands.bot_commands import BotCommands
from controller.chat.handlers import rooms_of
from controller.chat.requests.admission import Admission
from controller.chat.requests.request import Request
from controller.runtime.memory import MemoryRuntime
from controller.settings import Settings
from controller.vault import Redactor

ADMIN, GUILD, CHANNEL = 11, 12, 13
ROUNDS = 300


async def measure(folder: Path) -> list[Figure]:
    """Check the rights, list the bots and word the answer, many times; nothing is sent."""
    await seed(folder / "data")
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]  # pydantic-settings' own
        guild_id=GUILD,
        admin_channel_id=CHANNEL,
        admin_user_ids=(ADMIN,),
        data_dir=folder / "data",
        secrets_dir=folder / "secrets",
    )
    runtime = MemoryRuntime()
    async with open_application(settings, Redactor(), runtime=runtime) as application:
        manager, house = application.manager, application.installation
        for view in manager.bots:
            await house.loop.converger(view.bot.id)
        place, rooms = Place(GUILD, CHANNEL), rooms_of(manager, GUILD)
        admission = Admission(manager, place, application.client.members)
        commands = BotCommands(manager, rooms.power, rooms.secrets, rooms.logs, rooms.past)
        before = runtime.calls.total()
        spent: list[float] = []
        passed: list[float] = []
        for number in range(ROUNDS):
            interaction = Spoken(number)
            asked = cast("discord.Interaction", interaction)
            # It waits for nothing, so this thread's CPU time is its time; other work isn't counted.
            start, worked = time.perf_counter(), time.thread_time()
            await admission.admit(Request(asked, "bot list"))
            await cast("Any", commands.list_bots).callback(commands, asked)
            spent.append((time.thread_time() - worked) * 1000)
            passed.append((time.perf_counter() - start) * 1000)
            assert f"{BOTS} bots" in interaction.said
        calls = runtime.calls.total() - before
    return [
        Figure(
            name="handler of /bot list, p99",
            value=percentile(spent, 99),
            unit="ms",
            target=5,
            note=f"{BOTS} bots, {ROUNDS} times, p50 {percentile(spent, 50):.2f} ms, "
            f"by the clock p99 {percentile(passed, 99):.2f} ms",
        ),
        Figure(name="engine calls of /bot list", value=calls, unit="", target=0, at_most=True),
    ]


class Spoken:
    """The part of a Discord interaction that the handler uses; keeps the answer."""

    def __init__(self, number: int) -> None:
        self.id = number
        self.guild_id, self.channel_id, self.channel = GUILD, CHANNEL, None
        self.user = SimpleNamespace(id=ADMIN, name="ann")
        self.type = discord.InteractionType.application_command
        self.extras: dict[str, Any] = {}
        self.response = self
        self.said = ""

    def is_done(self) -> bool:
        """Whether it has been answered."""
        return bool(self.said)

    async def send_message(self, text: str, **_: Any) -> None:
        """Keep the answer."""
        self.said = text

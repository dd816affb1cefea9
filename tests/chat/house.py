"""A simulated Discord in which controllers come and go, over one data folder and one engine."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import discord
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle, GuildHandle
from simcord.env import Env

from controller.app import open_application
from controller.domain.incident import Pace
from controller.runtime import Runtime
from controller.runtime.memory import MemoryRuntime
from controller.settings import Settings
from controller.vault import Redactor
from demo.world import World
from tests.chat.acting import check_errors


class RealTime:
    """A clock for SimCord that goes on by itself, so that what waits for a time does not hang."""

    def __init__(self, began: datetime) -> None:
        self._began = began
        self._start = time.perf_counter()  # the one that SimCord leaves alone

    @property
    def elapsed(self) -> float:
        """Seconds since the world was made."""
        return time.perf_counter() - self._start

    def now(self) -> datetime:
        """SimCord's own beginning of time, and what has passed since."""
        return self._began + timedelta(seconds=self.elapsed)

    def advance(self, seconds: float) -> None:
        """Real time needs no help."""


def open_commands(env: Env, guild: GuildHandle) -> None:
    """Let everybody use the commands, as an administrator would in the server's settings."""
    for command in list(env.backend.commands.get(guild.id, {}).values()):
        guild.set_command_permissions(int(command["id"]), {guild.default_role: True})


@dataclass(slots=True)
class House:
    """The place without a controller in it."""

    env: Env
    guild: GuildHandle
    channel: ChannelHandle
    admin: MemberActor
    settings: Settings
    engine: MemoryRuntime
    pace: Pace = field(default_factory=Pace)
    started: bool = False

    @property
    def runtime(self) -> Runtime | None:
        """What its controllers run on; None: the real engine."""
        return self.engine

    @contextlib.asynccontextmanager
    async def controller(self) -> AsyncIterator[World]:
        """A controller that runs until the block ends, and then lets go of everything."""
        opened = open_application(self.settings, Redactor(), runtime=self.runtime, pace=self.pace)
        async with opened as application:
            background = asyncio.create_task(application.run_background())
            world = World(self.env, self.guild, self.channel, self.admin, application, background)
            try:
                await self._attach(application.client)
                await self._welcomed(world)
                yield world
            finally:
                background.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await background
                check_errors(world)

    async def _attach(self, client: discord.Client) -> None:
        if self.started:
            await self.env.restart_bot(client)
        else:
            self.env.bot, self.started = client, True
            await self.env.start()
        open_commands(self.env, self.guild)

    async def _welcomed(self, world: World) -> None:
        """Wait for the message of the first start, if it wasn't posted before."""
        notebook = world.application.manager.notebook
        async with asyncio.timeout(10):
            while '"done"' not in await notebook.recall("welcome"):
                await asyncio.sleep(0.01)

    def requests(self, method: str, path: str) -> list[str]:
        """The requests of that method whose path ends so."""
        found = (r.path for r in self.env.http_requests if r.method == method)
        return [one for one in found if one.endswith(path)]


@contextlib.asynccontextmanager
async def built(folder: Path, templates: Path, engine: MemoryRuntime) -> AsyncIterator[House]:
    """The house: a server with a private channel, its admin Ann, and room for a controller."""
    # The ids of the place are known only once there is one; a controller takes the bare one's part.
    env = Env(discord.Client(intents=discord.Intents(guilds=True)), settle_timeout=15.0)
    env.backend.clock = RealTime(env.now())
    guild = env.create_guild("Workshop")
    channel = guild.create_text_channel("bot-admin")
    admin = guild.add_member(env.create_user("ann"))
    settings = Settings(
        _env_file=None,
        guild_id=guild.id,
        admin_channel_id=channel.id,
        admin_user_ids=(admin.id,),
        data_dir=folder / "data",
        secrets_dir=folder / "secrets",
        templates_dir=templates,
        http_listen="",
        live_checks="off",
    )
    try:
        yield House(env, guild, channel, admin, settings, engine)
    finally:
        await env.shutdown()

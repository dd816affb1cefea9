"""A simulated Discord server with the real application in it, for the demo page and the tests."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import discord
import simcord
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle, GuildHandle
from simcord.env import Env

from controller.app import Application, open_application
from controller.runtime import Runtime
from controller.settings import Settings
from controller.vault import Redactor

DM_CLOSED = 50007
# Commands wait for a real engine; SimCord's own limit of five seconds is meant for tests.
LIVE_SETTLE_SECONDS = 30.0


@dataclass(slots=True)
class World:
    """The simulated server, its admin, and the application that serves it."""

    env: Env
    guild: GuildHandle
    channel: ChannelHandle
    admin: MemberActor
    application: Application
    background: asyncio.Task[None]


@dataclass(slots=True)
class WallClock:
    """A clock for SimCord that tells the real time. SimCord's own starts in 2026 and stands still.

    `elapsed` stays virtual: SimCord only counts timers with it, and shows it to nobody.
    """

    elapsed: float = 0.0

    def now(self) -> datetime:
        """The real time."""
        return datetime.now(UTC)

    def advance(self, seconds: float) -> None:
        """Advance the virtual time, for SimCord's timers."""
        self.elapsed += seconds


def close_dms(env: Env) -> None:
    """Refuse the bot's direct messages, as a person with closed DMs does."""
    env.inject_error(
        "POST", "/users/@me/channels", status=403, code=DM_CLOSED, message="closed", times=None
    )


@contextlib.asynccontextmanager
async def simulated(
    folder: Path,
    *,
    runtime: Runtime | None = None,
    published: Callable[[], None] = lambda: None,
    redactor: Redactor | None = None,
    welcome: str = "",
    **settings: Any,
) -> AsyncIterator[World]:
    """Open a world whose data and secrets are under `folder`; bots keep running when it closes.

    With a `welcome` it is for a person: the demo guide posts the welcome before the bot joins, and
    the clock runs. Without one it is for tests, and SimCord's clock stands still.
    """
    # The server's ids are known only once a client runs, so start with an empty one.
    stranger = discord.Client(intents=discord.Intents(guilds=True))
    patience = {"settle_timeout": LIVE_SETTLE_SECONDS} if welcome else {}
    async with simcord.run(stranger, **patience) as env:
        env.backend.bot_user.name = "BotMaker"
        guild = env.create_guild("Workshop")
        channel = guild.create_text_channel("bot-admin", topic="The control room of the bots")
        boss = guild.create_role("admins", permissions=discord.Permissions(administrator=True))
        admin = guild.add_member(env.create_user("ann", global_name="Ann"), roles=[boss])
        if welcome:
            # The ids above are the same at each start, so what the database says stays true.
            guide = guild.add_member(env.create_user("guide", global_name="Demo guide", bot=True))
            env.backend.clock = WallClock()  # type: ignore[assignment]  # quacks like theirs
            await guide.send(channel, welcome)
        chosen: dict[str, Any] = {
            "guild_id": guild.id,
            "admin_channel_id": channel.id,
            "admin_user_ids": (admin.id,),
            "data_dir": folder / "data",
            "secrets_dir": folder / "secrets",
            "http_listen": "",
            "live_checks": "off",  # secrets made up here are not for real services
        }
        made = Settings(_env_file=None, **{**chosen, **settings})  # type: ignore[call-arg]
        async with open_application(
            made, redactor or Redactor(), runtime=runtime, published=published
        ) as application:
            background = asyncio.create_task(application.run_background())
            try:
                await env.restart_bot(application.client)
                yield World(env, guild, channel, admin, application, background)
            finally:
                background.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await background

"""A simulated Discord server with the real application in it, for the demo page and the tests."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import discord
import simcord
from discord import app_commands
from simcord.actors import MemberActor
from simcord.builders import ChannelHandle, GuildHandle
from simcord.env import Env

from controller.app import Application, open_application
from controller.chat import ControllerClient
from controller.runtime import Runtime
from controller.settings import Settings
from controller.vault import Redactor

log = logging.getLogger(__name__)
DM_CLOSED = 50007
# Commands wait for a real engine, the longest for an action of five minutes. After this limit
# SimCord calls their outcome uncertain; its own of five seconds is meant for tests.
LIVE_SETTLE_SECONDS = 600.0


@dataclass(slots=True)
class World:
    """The simulated server, its people, and the application that serves it.

    `viewers`, in a world for a person: those whom a visitor can be, the admin first.
    """

    env: Env
    guild: GuildHandle
    channel: ChannelHandle
    admin: MemberActor
    application: Application
    background: asyncio.Task[None]
    viewers: tuple[MemberActor, ...] = ()

    @property
    def dashboard_url(self) -> str:
        """The dashboard's address; empty where there is none."""
        return self.application.settings.web_url


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
    opening: Sequence[str] = (),
    **settings: Any,
) -> AsyncIterator[World]:
    """Open a world whose data and secrets are under `folder`; bots keep running when it closes.

    With an `opening` it is for a person: the demo guide posts these messages before the bot joins,
    the clock runs, a second person may only look, and a refusal is no error of the bot. Without
    one it is for tests: SimCord's clock stands still, and it reports every error of a command.
    """
    # The server's ids are known only once a client runs, so start with an empty one.
    stranger = discord.Client(intents=discord.Intents(guilds=True))
    patience: dict[str, Any] = (
        {"settle_timeout": LIVE_SETTLE_SECONDS, "check_errors": False} if opening else {}
    )
    async with simcord.run(stranger, **patience) as env:
        env.backend.bot_user.name = "BotMaker"
        guild = env.create_guild("Workshop")
        channel = guild.create_text_channel("bot-admin", topic="The control room of the bots")
        boss = guild.create_role("admins", permissions=discord.Permissions(administrator=True))
        admin = guild.add_member(env.create_user("ann", global_name="Ann"), roles=[boss])
        viewers: list[MemberActor] = []
        chosen: dict[str, Any] = {
            "guild_id": guild.id,
            "admin_channel_id": channel.id,
            "admin_user_ids": (admin.id,),
            "data_dir": folder / "data",
            "secrets_dir": folder / "secrets",
            "http_listen": "",
            "live_checks": "off",  # secrets made up here are not for real services
        }
        if opening:
            # The ids above are the same at each start, so what the database says stays true.
            guide = guild.add_member(env.create_user("guide", global_name="Demo guide", bot=True))
            watchers = guild.create_role("watchers")
            ben = env.create_user("ben", global_name="Ben")
            viewers += [admin, guild.add_member(ben, roles=[watchers])]
            chosen["viewer_role_ids"] = (watchers.id,)
            env.backend.clock = WallClock()  # type: ignore[assignment]  # quacks like theirs
            for text in opening:
                await guide.send(channel, text)
        made = Settings(_env_file=None, **{**chosen, **settings})  # type: ignore[call-arg]
        async with open_application(
            made, redactor or Redactor(), runtime=runtime, published=published
        ) as application:
            background = asyncio.create_task(application.run_background())
            try:
                await env.restart_bot(application.client)
                if opening:
                    answer_refusals(application.client)
                    await _open_commands(application.client, guild, viewers[1:])
                yield World(env, guild, channel, admin, application, background, tuple(viewers))
            finally:
                background.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await background


def answer_refusals(client: ControllerClient) -> None:
    """Answer refused commands as ever, but log them instead of showing SimCord an error.

    SimCord counts whatever reaches the tree's error handler that it found as the bot's failure:
    its page then keeps the command in the composer, as an action of uncertain outcome.
    """
    tree = client.tree
    answer_as_ever = type(tree).on_error

    @tree.error
    async def answer(
        interaction: discord.Interaction, error: app_commands.AppCommandError, /
    ) -> None:
        name = interaction.command.qualified_name if interaction.command else "?"
        cause = getattr(error, "original", error)
        why = getattr(cause, "code", type(cause).__name__)
        log.info("/%s was answered with an error: %s", name, why)
        await answer_as_ever(tree, interaction, error)


async def _open_commands(
    client: ControllerClient, guild: GuildHandle, people: Sequence[MemberActor]
) -> None:
    """Offer the commands to these people too, as an owner does under Integrations."""
    place = discord.Object(guild.id)
    for command in await client.tree.fetch_commands(guild=place):
        guild.set_command_permissions(command, dict.fromkeys(people, True))

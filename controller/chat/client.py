"""The Discord client: logs in, registers the commands, hands every interaction on.

It owns no background work; `app` does, so that lifetimes are right and a simulator need not wait.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import logging

import aiohttp
import discord
from discord import app_commands

from controller.chat.commands import command_groups
from controller.chat.logs.log_answers import LogView
from controller.chat.requests import delivery as answers
from controller.chat.requests.admission import Gate, Place
from controller.chat.requests.late_answers import Outbox
from controller.chat.requests.router import Router, report
from controller.domain.errors import (
    BadSetting,
    ControllerError,
    DiscordTrouble,
    NotFound,
)
from controller.manager import Manager

log = logging.getLogger(__name__)
_SYNCED = "commands"
_PASSING = (aiohttp.ClientError, discord.DiscordServerError, answers.Unreadable)
_WAIT = {429, *range(500, 600)}  # statuses that say nothing about the token
DRAIN_SECONDS = 0.5  # at the end, for a wish that is just being written down


class _Tree(app_commands.CommandTree["ControllerClient"]):
    """The command tree with our gate before every command and our words for every error."""

    async def interaction_check(
        self, interaction: discord.Interaction[ControllerClient], /
    ) -> bool:
        self.client.note_handler()
        autocomplete = interaction.type is discord.InteractionType.autocomplete
        command = interaction.command
        gate = self.client.gate
        if not autocomplete and not gate.first_sight(interaction):
            return False
        if command is None:
            if not autocomplete:
                await report(interaction, _changed())
            return False
        act = command.qualified_name
        if not autocomplete:
            self.client.outbox.open(interaction, act)
        try:
            asker = await gate.admit(interaction, act, self._bot_named(interaction))
        except ControllerError as error:
            if autocomplete:
                await interaction.response.autocomplete([])
            else:
                await report(interaction, error)
            return False
        interaction.extras["asker"] = asker
        return True

    def _bot_named(self, interaction: discord.Interaction[ControllerClient]) -> str:
        """The id of the bot that the command names, for grants that are for one bot."""
        name = getattr(interaction.namespace, "name", None)
        if not isinstance(name, str):
            return ""
        fleet = self.client.manager.fleet
        return next((view.bot.id for view in fleet if view.bot.name == name.strip().lower()), "")

    async def on_error(
        self,
        interaction: discord.Interaction[ControllerClient],
        error: app_commands.AppCommandError,
        /,
    ) -> None:
        await report(interaction, _ours(error))


def _changed() -> NotFound:
    return NotFound(
        "That command has changed since Discord showed it to you.",
        hint="Restart Discord (on a computer: Ctrl+R) and try again.",
        code="old-command",
    )


def _ours(error: app_commands.AppCommandError) -> BaseException:
    """The error as it was raised, or in our words where discord.py itself refused."""
    if isinstance(error, app_commands.CommandNotFound | app_commands.CommandSignatureMismatch):
        return _changed()
    original: BaseException = getattr(error, "original", error)
    return original


class ControllerClient(discord.Client):
    """The controller as Discord sees it."""

    def __init__(self, manager: Manager, place: Place, *, ready_timeout: float = 0.1) -> None:
        super().__init__(
            intents=discord.Intents(guilds=True),
            allowed_mentions=discord.AllowedMentions.none(),
            guild_ready_timeout=ready_timeout,
            max_messages=None,
        )
        self.manager = manager
        self.place = place
        self.gate = Gate(manager, place)
        self.outbox = Outbox(manager, self, place)
        logs = LogView(manager)
        self.router = Router(manager, self.gate, self.outbox, logs)
        self.tree = _Tree(self)
        self._guild = discord.Object(place.guild_id)
        self._at_work: set[asyncio.Task[object]] = set()
        for group in command_groups(manager, self.gate, logs):
            self.tree.add_command(group, guild=self._guild)

    def dispatch(self, event: str, /, *args: object, **kwargs: object) -> None:
        """Tell nobody after the end: what discord.py still has under way finds no loop then."""
        if not self.is_closed():
            super().dispatch(event, *args, **kwargs)

    async def setup_hook(self) -> None:
        """Note who owns the application, and register the commands if they changed."""
        application = self.application
        if application is not None:
            team = application.team
            members = [member.id for member in team.members] if team else []
            self.manager.access.set_owners(members or [application.owner.id])
        await self._check_place()
        await self._sync()

    async def _check_place(self) -> None:
        try:
            await self.fetch_channel(self.place.channel_id)
        except (discord.Forbidden, discord.NotFound, discord.InvalidData) as error:
            raise BadSetting(
                f"This bot cannot see the channel {self.place.channel_id}.",
                hint="Check BOTMAKER_ADMIN_CHANNEL_ID, and that the bot may see that channel.",
            ) from error

    async def _sync(self) -> None:
        commands = self.tree.get_commands(guild=self._guild)
        payload = [command.to_dict(self.tree) for command in commands]
        text = json.dumps([self.application_id, self.place.guild_id, payload], sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()
        try:
            if digest == await self.manager.store.recall(_SYNCED):
                known = {
                    command.name for command in await self.tree.fetch_commands(guild=self._guild)
                }
                if known == {command.name for command in commands}:
                    return
            await self.tree.sync(guild=self._guild)
        except (discord.Forbidden, discord.NotFound) as error:
            raise BadSetting(
                "Discord does not let this bot register commands in that server.",
                hint="Invite it with the link that `botmaker doctor` prints, "
                "and check BOTMAKER_GUILD_ID.",
            ) from error
        await self.manager.store.remember(_SYNCED, digest)

    async def on_interaction(self, interaction: discord.Interaction) -> None:
        """Buttons and forms; commands go through the tree."""
        self.note_handler()
        await self.router(interaction)

    def note_handler(self) -> None:
        """Remember the task that handles an interaction now, so that it ends before we do."""
        task = asyncio.current_task()
        assert task is not None
        self._at_work.add(task)
        task.add_done_callback(self._at_work.discard)

    async def end_handlers(self) -> None:
        """Cut short what is still handled. While the store is open, and the way to Discord."""
        handlers = tuple(self._at_work)
        if not handlers:
            return
        _, late = await asyncio.wait(handlers, timeout=DRAIN_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*handlers, return_exceptions=True)

    async def on_ready(self) -> None:
        """Say so in the log; what is still owed to people can be said now."""
        self.outbox.connected()
        log.info("connected to Discord as %s", self.user)


async def run_client(client: ControllerClient, token: str) -> None:
    """Stay connected until cancelled. Raises BadSetting where no retry could help.

    A Discord that cannot be reached is waited for: the bots are run meanwhile.
    """
    logging.getLogger("discord.client").addFilter(_without_traceback)
    try:
        await _log_in(client, token)
        await client.connect(reconnect=True)
    except discord.LoginFailure as error:
        raise BadSetting(
            "Discord does not accept BOTMAKER_DISCORD_TOKEN.",
            hint="Copy the token again from the developer portal (Bot, Reset Token).",
            code="wrong-token",
        ) from error
    except discord.ConnectionClosed as error:
        raise BadSetting(
            f"Discord ended the connection for good (code {error.code}).",
            hint="Was the token reset? Copy it again from the developer portal.",
            code="connection-refused",
        ) from error
    except (discord.HTTPException, discord.GatewayNotFound, aiohttp.ClientError) as error:
        raise DiscordTrouble(
            f"Discord could not be reached: {error}.", hint="Check the network and try again."
        ) from error
    finally:
        await client.end_handlers()
        if not client.is_closed():
            await client.close()


def _without_traceback(record: logging.LogRecord) -> bool:
    """A gateway that is away is no error of the program: one line says it, not a traceback."""
    if record.exc_info and str(record.msg).startswith("Attempting a reconnect"):
        reason = str(record.exc_info[1]).replace("%", "%%")
        record.msg = f"Discord's gateway is away ({reason}); again in %.2f s"
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.exc_info = record.exc_text = None
    return True


async def _log_in(client: ControllerClient, token: str) -> None:
    pause = 1.0
    while True:
        try:
            with answers.speaking():
                return await client.login(token)
        except (*_PASSING, OSError, discord.HTTPException) as error:
            if isinstance(error, discord.HTTPException) and error.status not in _WAIT:
                raise
            log.warning("Discord cannot be reached: %s; again in %.0f s", error, pause)
        await client.http.close()  # the library opens a session for every try, on one connector
        client.http.connector = discord.utils.MISSING
        await asyncio.sleep(pause)
        pause = min(60.0, pause * 2)


def redirect_discord(api_url: str, gateway_url: str) -> None:
    """Speak to another Discord-compatible server. For the whole process; checked by `settings`."""
    import yarl  # noqa: PLC0415 - needed for this alone
    from discord.gateway import DiscordWebSocket  # noqa: PLC0415
    from discord.http import Route  # noqa: PLC0415

    if api_url:
        Route.BASE = api_url.rstrip("/")
    if gateway_url:
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway_url)

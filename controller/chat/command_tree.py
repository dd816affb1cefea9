"""discord.py's command tree: every command is admitted first, every error becomes words."""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from controller.chat.commands.access_commands import AccessCommands
from controller.chat.commands.bot_commands import BotCommands
from controller.chat.commands.copy_commands import CopyCommands
from controller.chat.commands.fleet_commands import FleetCommands
from controller.chat.commands.help_command import HelpCommand
from controller.chat.commands.inside_commands import InsideCommands
from controller.chat.commands.many_commands import ManyCommands
from controller.chat.commands.release_commands import ReleaseCommands
from controller.chat.commands.rooms import Rooms
from controller.chat.commands.schedule_commands import ScheduleCommands
from controller.chat.commands.snapshot_commands import SnapshotCommands
from controller.chat.commands.stats_commands import StatsCommands
from controller.chat.requests.admission import Admission
from controller.chat.requests.at_work import AtWork
from controller.chat.requests.audience import speak_to
from controller.chat.requests.request import Debts, Request
from controller.domain.errors import ControllerError, NotFound
from controller.manager import Manager


class CommandTree(app_commands.CommandTree[discord.Client]):
    """Makes a `Request` of each command and of each question for suggestions."""

    def __init__(
        self, client: discord.Client, admission: Admission, debts: Debts, at_work: AtWork
    ) -> None:
        super().__init__(client)
        self._admission = admission
        self._debts = debts
        self._at_work = at_work

    async def interaction_check(self, interaction: discord.Interaction, /) -> bool:
        """Whether the command's handler may run. If not, whoever asked has been told why."""
        self._at_work.note()
        await speak_to(interaction)
        typing = interaction.type is discord.InteractionType.autocomplete
        if not typing and not self._admission.is_new(interaction):
            return False
        command = interaction.command
        if command is None:
            if not typing:
                await Request(interaction, "").fail(_changed())
            return False
        request = Request(interaction, command.qualified_name, debts=self._debts)
        try:
            await self._admission.admit(request)
        except ControllerError as error:
            if typing:
                await interaction.response.autocomplete([])
            else:
                await request.fail(error)
            return False
        return True

    async def on_error(
        self, interaction: discord.Interaction, error: app_commands.AppCommandError, /
    ) -> None:
        """Tell whoever asked, privately."""
        await Request.of(interaction).fail(_ours(error))


def _changed() -> NotFound:
    return NotFound(
        "That command has changed since Discord showed it to you.",
        hint="Restart Discord (on a computer: Ctrl+R) and try again.",
        code="old-command",
    )


def _ours(error: app_commands.AppCommandError) -> BaseException:
    """The error as it was raised, or our words for what discord.py refused itself."""
    if isinstance(error, app_commands.CommandNotFound | app_commands.CommandSignatureMismatch):
        return _changed()
    original: BaseException = getattr(error, "original", error)
    return original


TopLevel = app_commands.Group | app_commands.Command[Any, ..., Any]


def every_command(manager: Manager, rooms: Rooms, public_url: str) -> list[TopLevel]:
    """Every group of commands, and `/help`, which lists them.

    `public_url` is the dashboard's; empty: there is none.
    """
    bot = BotCommands(manager, rooms)
    inside = InsideCommands(manager, rooms.actions, rooms.settings)
    copies, releases = CopyCommands(manager, rooms.copies), ReleaseCommands(manager, rooms.updates)
    snapshots = SnapshotCommands(manager, rooms.snapshots)
    for command in (*inside.all(), *copies.all(), *releases.all(), *snapshots.all()):
        bot.add_command(command)
    bot.add_command(ScheduleCommands(manager))
    stats = StatsCommands(manager)
    bot.add_command(stats.of_bot())
    fleet = FleetCommands(manager, rooms)
    for command in (stats.of_fleet(), *ManyCommands(manager, rooms.many).all()):
        fleet.add_command(command)
    access = AccessCommands(manager, rooms.grants, public_url)
    groups = [bot, fleet, access]
    return [*groups, HelpCommand(manager, groups).command]

"""The slash commands, one file a group. Words come from `render`, rights from `gate`."""

from discord import app_commands

from controller.chat.commands.access_commands import AccessCommands
from controller.chat.commands.bot_commands import BotCommands
from controller.chat.commands.fleet_commands import FleetCommands
from controller.chat.commands.inside_commands import InsideCommands
from controller.chat.logs.log_answers import LogView
from controller.chat.requests.admission import Gate
from controller.manager import Manager


def command_groups(manager: Manager, gate: Gate, logs: LogView) -> list[app_commands.Group]:
    """Every group, ready for the tree."""
    bot = BotCommands(manager, gate, logs)
    for command in InsideCommands(manager, gate).all():
        bot.add_command(command)
    return [
        bot,
        FleetCommands(manager, gate),
        AccessCommands(manager, gate),
    ]


__all__ = ["command_groups"]

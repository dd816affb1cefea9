"""The slash commands, one file a group. Words come from `render`, rights from `gate`."""

from discord import app_commands

from controller.chat.commands.access import AccessCommands
from controller.chat.commands.bot import BotCommands
from controller.chat.commands.fleet import FleetCommands
from controller.chat.commands.inside import InsideCommands
from controller.chat.gate import Gate
from controller.chat.logview import LogView
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

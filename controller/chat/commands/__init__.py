"""The slash commands, one file a group. Words come from `render`, rights from `gate`."""

from discord import app_commands

from controller.chat.commands.access import AccessCommands
from controller.chat.commands.bot import BotCommands
from controller.chat.commands.fleet import FleetCommands
from controller.chat.gate import Gate
from controller.manager import Manager


def command_groups(manager: Manager, gate: Gate) -> list[app_commands.Group]:
    """Every group, ready for the tree."""
    return [
        BotCommands(manager, gate),
        FleetCommands(manager, gate),
        AccessCommands(manager, gate),
    ]


__all__ = ["command_groups"]

"""`/help`: what whoever asks may do here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from discord import app_commands

from controller.chat.commands.closed import CLOSED
from controller.chat.commands.help_topics import help_words
from controller.chat.commands.with_request import with_request
from controller.chat.requests.request import Request
from controller.manager import Manager


class HelpCommand:
    """Knows the descriptions of all commands, its own included."""

    def __init__(self, manager: Manager, groups: Iterable[app_commands.Group]) -> None:
        self._access = manager.access
        self.command: app_commands.Command[Any, ..., Any] = app_commands.Command(
            name="help", description="What you can do here", callback=self.show
        )
        self.command.default_permissions = CLOSED
        every = [self.command, *(one for group in groups for one in group.walk_commands())]
        self._descriptions = {one.qualified_name: one.description for one in every}

    @with_request
    async def show(self, request: Request) -> None:
        """The commands by what a person wants to do; only those that they may use. No engine."""
        allowed = await self._access.own_acts(request.caller)
        await request.reply(help_words(allowed, self._descriptions))

"""`/bot do` and `/bot edit`: what is done to the inside of one bot. The rest of `/bot` is in `bot`.

Both may answer with a modal, which cannot follow a "thinking": nothing here waits before it.
"""

from __future__ import annotations

from typing import Any

import discord
from discord import app_commands

from controller.chat.commands.suggestions import Choices, asker_of, partial, suggest, suggest_titled
from controller.chat.forms.settings_form import Inside
from controller.chat.requests.admission import Gate
from controller.domain.bot import Bot
from controller.domain.errors import ControllerError
from controller.manager import Manager
from controller.manager.audit import Asker


class InsideCommands:
    """Two commands that become a part of the group `/bot`."""

    def __init__(self, manager: Manager, gate: Gate) -> None:
        self._manager = manager
        self._gate = gate
        self._inside = Inside(manager)

    def all(self) -> list[app_commands.Command[Any, ..., Any]]:
        """Both commands, for a group to add."""
        do: app_commands.Command[Any, ..., Any] = app_commands.Command(
            name="do", description="Run one of a bot's own actions", callback=self.do
        )
        edit: app_commands.Command[Any, ..., Any] = app_commands.Command(
            name="edit", description="Change a bot's settings in a form", callback=self.edit
        )
        for command in (do, edit):
            command.autocomplete("name")(self.names)
        do.autocomplete("action")(self.actions)
        edit.autocomplete("page")(self.pages)
        return [do, edit]

    @app_commands.describe(name="Which bot", action="What to do")
    async def do(self, interaction: discord.Interaction, name: str, action: str) -> None:
        """Run an action, by a form where it has to be told something."""
        view = self._manager.fleet.named(name)
        await self._inside.begin(interaction, asker_of(interaction), view.bot, action.strip())

    @app_commands.describe(name="Which bot", page="Which settings; left out, the first page")
    async def edit(
        self, interaction: discord.Interaction, name: str, page: str | None = None
    ) -> None:
        """Open a page of settings."""
        view = self._manager.fleet.named(name)
        await self._inside.open_page(interaction, view.bot, (page or "").strip())

    async def names(self, interaction: discord.Interaction, typed: str) -> Choices:
        """The bots that the person may see."""
        person = asker_of(interaction).person
        names = (v.bot.name for v in self._manager.fleet if self._gate.visible(person, v.bot.id))
        return suggest(typed, names)

    async def actions(self, interaction: discord.Interaction, typed: str) -> Choices:
        """What this person may do with the bot that is named so far."""
        asker, bot = asker_of(interaction), self._named(interaction)
        if bot is None:
            return []
        actions = self._manager.actions
        titles = {
            name: action.title
            for name, action in actions.available(bot).items()
            if self._may(asker, bot, name)
        }
        return suggest_titled(typed, titles)

    async def pages(self, interaction: discord.Interaction, typed: str) -> Choices:
        """The pages of settings of the bot that is named so far."""
        bot = self._named(interaction)
        pages = self._manager.edits.pages(bot) if bot else ()
        return suggest_titled(typed, {page.key: page.title for page in pages})

    def _may(self, asker: Asker, bot: Bot, name: str) -> bool:
        try:
            self._manager.actions.admit(asker, bot, name)
        except ControllerError:
            return False
        return True

    def _named(self, interaction: discord.Interaction) -> Bot | None:
        """The bot that is named so far, if the person may see it."""
        try:
            bot = self._manager.fleet.named(partial(interaction, "name")).bot
        except ControllerError:
            return None
        return bot if self._gate.visible(asker_of(interaction).person, bot.id) else None

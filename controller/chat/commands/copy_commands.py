"""`/bot clone` and `/bot rename`: another bot like one, and another name for one."""

from __future__ import annotations

from typing import Any

from discord import app_commands

from controller.catalog import FieldSpec
from controller.chat.commands.suggestions import Choices, suggest
from controller.chat.commands.with_request import with_request
from controller.chat.forms import modals
from controller.chat.forms.secrets_form import SecretsForm
from controller.chat.languages import say
from controller.chat.requests.request import Request
from controller.domain.acts import BOT_CLONE, BOT_RENAME
from controller.domain.bot import Bot
from controller.manager import Manager

_NAME = FieldSpec(name="name", label="Name of the copy", hint="Letters, digits and dashes")


class Copies:
    """Creates bots like others: by the command, or by a form behind the card's More."""

    def __init__(self, manager: Manager, secrets_form: SecretsForm) -> None:
        self._manager = manager
        self._secrets_form = secrets_form

    async def ask(self, request: Request, bot: Bot) -> None:
        """Ask for the copy's name, for whoever may create a bot."""
        await self._manager.access.require(request.caller, BOT_CLONE)
        title = modals.title_with(say("A bot like "), bot.name)
        boxes = [modals.box_of(_NAME)]
        await request.open_modal(modals.modal(title, ("clone", bot.id), boxes))

    async def submit(self, request: Request, bot: Bot) -> None:
        """Create the copy that the form describes."""
        await request.acknowledge()
        await self.clone(request, bot, modals.values_of(request.interaction).get("name", ""))

    async def clone(self, request: Request, bot: Bot, name: str) -> None:
        """Create it, and offer the form for its secrets. The request is acknowledged."""
        made = await self._manager.lifecycle.clone(request.caller, bot, name)
        request.is_about(made)
        await self._secrets_form.offer_first(request, made)


class CopyCommands:
    """Two commands that become part of the group `/bot`."""

    def __init__(self, manager: Manager, copies: Copies) -> None:
        self._manager = manager
        self._copies = copies

    def all(self) -> list[app_commands.Command[Any, ..., Any]]:
        """Both commands, for a group to add."""
        clone: app_commands.Command[Any, ..., Any] = app_commands.Command(
            name="clone",
            description="Create a bot like another one, with secrets of its own",
            callback=self.clone,
        )
        rename: app_commands.Command[Any, ..., Any] = app_commands.Command(
            name="rename", description="Call a bot something else", callback=self.rename
        )
        for command in (clone, rename):
            command.autocomplete("name")(self.names)
        return [clone, rename]

    @app_commands.describe(
        name="Which bot to copy", new_name="What the new one is called: letters, digits and dashes"
    )
    @with_request
    async def clone(self, request: Request, name: str, new_name: str) -> None:
        """Create it, and offer the form for its secrets."""
        await request.acknowledge()
        view = await self._manager.bots.named(request.caller, BOT_CLONE, name)
        await self._copies.clone(request, view.bot, new_name)

    @app_commands.describe(
        name="Which bot", new_name="What it is called from now on: letters, digits and dashes"
    )
    @with_request
    async def rename(self, request: Request, name: str, new_name: str) -> None:
        """Rename it."""
        view = await self._manager.bots.named(request.caller, BOT_RENAME, name)
        request.is_about(view.bot)
        await request.acknowledge()
        renamed = await self._manager.lifecycle.rename(request.caller, view.bot, new_name)
        await request.reply(
            say(
                "✅ **{before}** is called **{after}** now.",
                before=view.bot.name,
                after=renamed.bot.name,
            )
        )

    @with_request
    async def names(self, request: Request, typed: str) -> Choices:
        """The bots that the person may see."""
        assert request.way is not None
        shown = self._manager.bots.visible(request.caller.principal, request.way.act)
        return suggest(typed, (view.bot.name for view in shown))

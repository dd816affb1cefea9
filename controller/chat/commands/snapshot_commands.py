"""`/bot snapshots`: the copies of a bot's state, and putting one back after a question."""

from __future__ import annotations

import time
from typing import Any

import discord
from discord import app_commands

from controller.chat.commands.suggestions import Choices, suggest_bots
from controller.chat.commands.with_request import with_request
from controller.chat.languages import say
from controller.chat.requests.buttons import button, row
from controller.chat.requests.custom_ids import deadline_in, key_in
from controller.chat.requests.request import Request
from controller.chat.requests.selects import Option, select
from controller.chat.words.bot_facts import outcome_of
from controller.chat.words.snapshot_words import restore_question, snapshots_words
from controller.chat.words.text import fitted
from controller.domain.acts import BOT_RESTORE, BOT_SNAPSHOTS
from controller.domain.bot import Bot
from controller.domain.errors import BadInput, NotReady
from controller.manager import Manager

CONFIRM_SECONDS = 300.0


class SnapshotRoom:
    """Shows a bot's snapshots, asks before one is restored, and restores it."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    async def show(self, request: Request, bot: Bot) -> None:
        """The snapshots, each to be picked by whoever may restore it."""
        await request.acknowledge()
        found = await self._manager.snapshots.listed(request.caller, bot)
        may = self._manager.access.may(request.caller.principal, BOT_RESTORE, bot)
        options = [
            Option(
                say("Restore snapshot {number}", number=one.number),
                ("askrestore", bot.id, str(one.number)),
            )
            for one in found
        ]
        back = select(say("Restore…"), bot.id, options) if may else None
        await request.reply(fitted(snapshots_words(bot, found)), view=row([back]))

    async def ask(self, request: Request, bot: Bot) -> None:
        """Ask before restoring, by a red button that names the bot."""
        number = _number(key_in(request.arguments))
        deadline = int(time.time() + CONFIRM_SECONDS)
        parts = ("restore", bot.id, f"{number}-{deadline}")
        red = button(say("Restore {name}", name=bot.name), *parts, style=discord.ButtonStyle.danger)
        await request.reply(restore_question(bot, number), view=row([red]))

    async def restore(self, request: Request, bot: Bot) -> None:
        """Restore it, by the red button."""
        number, _, deadline = key_in(request.arguments).partition("-")
        if deadline_in([bot.id, deadline]) < time.time():
            raise NotReady("That button has expired.", hint=f"/bot snapshots {bot.name} again.")
        await request.acknowledge_in_place()
        ended = await self._manager.snapshots.restore(request.caller, bot, _number(number))
        await request.reply(outcome_of(self._manager, ended, bot.name, say("restoring its state")))


class SnapshotCommands:
    """One command that becomes part of the group `/bot`."""

    def __init__(self, manager: Manager, room: SnapshotRoom) -> None:
        self._manager = manager
        self._room = room

    def all(self) -> list[app_commands.Command[Any, ..., Any]]:
        """The command, for a group to add."""
        snapshots: app_commands.Command[Any, ..., Any] = app_commands.Command(
            name="snapshots",
            description="Copies of a bot's state from before its updates, and restoring one",
            callback=self.snapshots,
        )
        snapshots.autocomplete("name")(self.names)
        return [snapshots]

    @app_commands.describe(name="Which bot")
    @with_request
    async def snapshots(self, request: Request, name: str) -> None:
        """List them."""
        view = await self._manager.bots.named(request.caller, BOT_SNAPSHOTS, name)
        request.is_about(view.bot)
        await self._room.show(request, view.bot)

    @with_request
    async def names(self, request: Request, typed: str) -> Choices:
        """The bots that the person may see."""
        assert request.way is not None
        shown = self._manager.bots.visible(request.caller.principal, request.way.act)
        return suggest_bots(typed, request.way.act, shown)


def _number(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:
        raise BadInput("A snapshot is a number.", hint="Open the list again.", code="bad-input")
    return int(text)

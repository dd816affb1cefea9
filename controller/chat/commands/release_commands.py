"""`/bot update`, `/bot rollback`, `/bot releases`: what a bot is made of, and going back.

The rest of `/bot` is in `bot_commands`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import discord
from discord import app_commands

from controller.chat.commands.suggestions import Choices, suggest_bots, suggest_titled
from controller.chat.commands.with_request import with_request
from controller.chat.languages import say, told
from controller.chat.requests.buttons import button, row
from controller.chat.requests.custom_ids import key_in
from controller.chat.requests.pull_shown import PullShown
from controller.chat.requests.request import Request
from controller.chat.requests.selects import Option, select
from controller.chat.words.bot_facts import outcome_of
from controller.chat.words.release_words import (
    pulling_words,
    releases_words,
    short,
    update_words,
    updated_words,
)
from controller.chat.words.text import fitted, plain
from controller.domain.acts import BOT_RELEASES, BOT_ROLLBACK, BOT_UPDATE
from controller.domain.bot import Bot
from controller.domain.errors import BadInput
from controller.domain.release import Outcome, Release
from controller.manager import Manager


class Updates:
    """Asks before an update, and carries it out when the button is pressed."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    async def ask(self, request: Request, bot: Bot) -> None:
        """Show what would change, with a button if anything would."""
        await request.acknowledge()
        async with _shown(request, bot) as tell:
            changes = await self._manager.releases.preview(request.caller, bot, tell)
        style = discord.ButtonStyle.primary
        update = button(
            say("Update {name}", name=bot.name), "update", bot.id, changes.mark, style=style
        )
        await request.reply(
            fitted(update_words(bot, changes)), view=row([update]) if changes else None
        )

    async def update(self, request: Request, bot: Bot) -> None:
        """Update it to what the button's message showed."""
        mark = key_in(request.arguments)
        await request.acknowledge_in_place()
        async with _shown(request, bot) as tell:
            done = await self._manager.releases.update(request.caller, bot, mark, tell=tell)
        words = outcome_of(self._manager, done.view, bot.name, say("updating"))
        await request.reply(words + updated_words(done.changes))

    async def releases(self, request: Request, bot: Bot) -> None:
        """The newest releases; those that worked can be picked to go back to."""
        await request.acknowledge()
        found = await self._manager.releases.listed(request.caller, bot)
        options = [
            Option(
                say("Go back to release {number}", number=one.number),
                ("rollback", bot.id, str(one.number)),
            )
            for one in good_ones(bot, found)
        ]
        may = self._manager.access.may(request.caller.principal, BOT_ROLLBACK, bot)
        back = select(say("Go back to…"), bot.id, options) if may else None
        await request.reply(fitted(releases_words(bot, found)), view=row([back]))

    async def rollback_picked(self, request: Request, bot: Bot) -> None:
        """Go back to the release that was picked."""
        await request.acknowledge()
        await self.rollback(request, bot, _number(key_in(request.arguments)))

    async def go_back(self, request: Request, bot: Bot) -> None:
        """Go back to the last release that worked."""
        await request.acknowledge()
        await self.rollback(request, bot, None)

    async def rollback(self, request: Request, bot: Bot, number: int | None) -> None:
        """Go back to that release; None is the last that worked. The request is acknowledged."""
        ended = await self._manager.releases.rollback(request.caller, bot, number)
        words = outcome_of(self._manager, ended.view, bot.name, say("going back"))
        if ended.pulled:
            image = short(ended.pulled)
            words += "\n" + say(
                "Its image was gone, so it was pulled again: `{image}`.", image=image
            )
        await request.reply(f"{words}\n{say('Its secrets and its own data stay as they are.')}")


def _shown(request: Request, bot: Bot) -> PullShown:
    return PullShown(request, partial(pulling_words, bot))


def good_ones(bot: Bot, found: Sequence[Release]) -> list[Release]:
    """The releases that the bot can go back to."""
    return [one for one in found if one.outcome is Outcome.GOOD and one.number != bot.release]


class ReleaseCommands:
    """Three commands that become part of the group `/bot`."""

    def __init__(self, manager: Manager, updates: Updates) -> None:
        self._manager = manager
        self._updates = updates

    def all(self) -> list[app_commands.Command[Any, ..., Any]]:
        """The commands, for a group to add."""
        update: app_commands.Command[Any, ..., Any] = app_commands.Command(
            name="update",
            description="Show what an update would change, and update",
            callback=self.update,
        )
        rollback: app_commands.Command[Any, ..., Any] = app_commands.Command(
            name="rollback",
            description="Go back to the last release that worked, or to any",
            callback=self.rollback,
        )
        releases: app_commands.Command[Any, ..., Any] = app_commands.Command(
            name="releases",
            description="What a bot was made of, who changed it, how that went",
            callback=self.releases,
        )
        for command in (update, rollback, releases):
            command.autocomplete("name")(self.names)
        rollback.autocomplete("release")(self.numbers)
        return [update, rollback, releases]

    @app_commands.describe(name="Which bot")
    @with_request
    async def update(self, request: Request, name: str) -> None:
        """Ask first."""
        view = await self._manager.bots.named(request.caller, BOT_UPDATE, name)
        request.is_about(view.bot)
        await self._updates.ask(request, view.bot)

    @app_commands.describe(name="Which bot", release="Its number; left out, the last that worked")
    @with_request
    async def rollback(self, request: Request, name: str, release: str | None = None) -> None:
        """Go back."""
        view = await self._manager.bots.named(request.caller, BOT_ROLLBACK, name)
        request.is_about(view.bot)
        await request.acknowledge()
        await self._updates.rollback(request, view.bot, _number(release))

    @app_commands.describe(name="Which bot")
    @with_request
    async def releases(self, request: Request, name: str) -> None:
        """The newest releases."""
        view = await self._manager.bots.named(request.caller, BOT_RELEASES, name)
        request.is_about(view.bot)
        await self._updates.releases(request, view.bot)

    @with_request
    async def names(self, request: Request, typed: str) -> Choices:
        """The bots that the person may see."""
        assert request.way is not None
        shown = self._manager.bots.visible(request.caller.principal, request.way.act)
        return suggest_bots(typed, request.way.act, shown)

    @with_request
    async def numbers(self, request: Request, typed: str) -> Choices:
        """The releases of the bot named so far that worked."""
        wanted = request.option("name").strip().lower()
        seen = self._manager.bots.visible(request.caller.principal, BOT_RELEASES)
        bot = next((view.bot for view in seen if view.bot.name == wanted), None)
        if bot is None:
            return []
        found = await self._manager.releases.listed(request.caller, bot)
        good = good_ones(bot, found)
        titles = {str(one.number): plain(f"{one.number} ({told(one.why)})", 90) for one in good}
        return suggest_titled(typed, titles)


def _number(typed: str | None) -> int | None:
    if typed is None or not typed.strip():
        return None
    word = typed.strip().split()[0]
    if not word.isdecimal() or len(word) > 9:
        raise BadInput("A release is a number.", hint="/bot releases shows them.", code="bad-input")
    return int(word)

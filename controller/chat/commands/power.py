"""Start, stop, restart and delete a bot, by command or by button: the answer is the same."""

from __future__ import annotations

import time
from collections.abc import Awaitable

import discord

from controller.chat.languages import say
from controller.chat.requests.buttons import button, row
from controller.chat.requests.card_buttons import answer_buttons
from controller.chat.requests.custom_ids import deadline_in
from controller.chat.requests.request import Request
from controller.chat.words.bot_facts import outcome_of
from controller.domain.bot import Bot
from controller.domain.errors import NotReady
from controller.fleet.views import View
from controller.manager import Manager

CONFIRM_SECONDS = 300.0


class Power:
    """Asks for a change of the wish, and answers with how it went."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager
        self._lifecycle = manager.lifecycle

    async def start(self, request: Request, bot: Bot) -> None:
        """Start it. NotReady if it waits for its secrets."""
        await request.acknowledge()
        await self._answer(
            request, bot, say("starting"), self._lifecycle.start(request.caller, bot)
        )

    async def stop(self, request: Request, bot: Bot) -> None:
        """Stop it."""
        await request.acknowledge()
        await self._answer(request, bot, say("stopping"), self._lifecycle.stop(request.caller, bot))

    async def restart(self, request: Request, bot: Bot) -> None:
        """Stop it and start it again, also after BotMaker gave up on it. NotReady as in `start`."""
        await request.acknowledge()
        await self._answer(
            request, bot, say("restarting"), self._lifecycle.restart(request.caller, bot)
        )

    async def ask_delete(self, request: Request, bot: Bot) -> None:
        """Ask before deleting, by a red button that names the bot."""
        text = say(
            "Delete **{name}**? Its container, its data and its secrets are removed. "
            "This cannot be undone. The button works for five minutes.",
            name=bot.name,
        )
        await request.reply(text, view=delete_button(bot, time.time() + CONFIRM_SECONDS))

    async def delete(self, request: Request, bot: Bot) -> None:
        """Delete it, by the red button."""
        if deadline_in(request.arguments) < time.time():
            raise NotReady("That button has expired.", hint=f"/bot delete {bot.name} again.")
        await request.acknowledge_in_place()
        done = self._lifecycle.delete(request.caller, bot)
        await self._answer(request, bot, say("being removed"), done)

    async def _answer(
        self, request: Request, bot: Bot, doing: str, done: Awaitable[View | None]
    ) -> None:
        ended = await done
        offered = answer_buttons(ended, now=self._manager.bots.engine_time())
        words = outcome_of(self._manager, ended, bot.name, doing)
        await request.reply(words, view=row(offered))


def delete_button(bot: Bot, deadline: float) -> discord.ui.View | None:
    """The red button that deletes the bot. It works until `deadline`, seconds since the epoch."""
    danger = discord.ButtonStyle.danger
    return row(
        [
            button(
                say("Delete {name}", name=bot.name),
                "delete",
                bot.id,
                str(int(deadline)),
                style=danger,
            )
        ]
    )

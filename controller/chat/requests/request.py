"""A request: who asks for what by which way, and the private answer that they're owed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import aiohttp
import discord

from controller.chat.requests import delivery
from controller.chat.requests.command_links import linked
from controller.chat.requests.delivery import Debt
from controller.chat.requests.discord_trouble import (
    is_discords_trouble,
    is_parse_failure,
    send_despite_break,
)
from controller.chat.requests.quiet import QUIETLY, edit_answer
from controller.chat.requests.ways import WAYS
from controller.chat.words.failures import failure_words
from controller.chat.words.fitting import fit
from controller.chat.words.text import text_file
from controller.domain.bot import Bot
from controller.domain.errors import ControllerError, DiscordTrouble
from controller.fleet.journal import Caller

log = logging.getLogger(__name__)
_UNKNOWN_INTERACTION = 10062  # Discord's error code: its 3 s or 15 min are over
_KEY = "request"
REPLY_VIA = "discord"  # the name of this edge, which owes its answers itself


class Debts(Protocol):
    """Where answers go that can't be given now."""

    async def settle(self, request: Request) -> None:
        """The answer was given."""

    async def keep(self, request: Request, words: str, why: Exception) -> None:
        """The answer couldn't be given: keep its words and say them later."""


class Request:
    """One thing that somebody asked for through Discord.

    `debts` is where the answer goes if Discord doesn't take it, for a way whose answer is owed.
    """

    def __init__(
        self,
        interaction: discord.Interaction,
        name: str,
        arguments: Sequence[str] = (),
        debts: Debts | None = None,
    ) -> None:
        self.interaction = interaction
        self.name = name  # of the way: "bot start", "button start", "modal form"
        self.way = WAYS.get(name)
        self.arguments = arguments  # of the custom id
        self.id = f"{REPLY_VIA}:{interaction.id}"
        self._about = ""
        self._caller: Caller | None = None
        self._acknowledged = False
        self._in_place = False
        self._debt: Debt | None = None
        if debts is not None and self.way is not None and self.way.owed:
            self._debt = Debt(partial(debts.settle, self), partial(debts.keep, self))
        interaction.extras[_KEY] = self

    @staticmethod
    def of(interaction: discord.Interaction) -> Request:
        """The request that was made of this interaction."""
        request = interaction.extras[_KEY]
        assert isinstance(request, Request)
        return request

    @property
    def caller(self) -> Caller:
        """Who asks. Only known once they were admitted."""
        assert self._caller is not None, "not admitted"
        return self._caller

    @property
    def person(self) -> int:
        """The id of whoever asks."""
        return self.interaction.user.id

    def admit(self, caller: Caller) -> None:
        """Note who asks. Only `Admission` does that."""
        self._caller = caller

    @property
    def bot_name(self) -> str:
        """The bot that it's about, as far as it's known; empty for none."""
        return self._about or self.option("name")

    def is_about(self, bot: Bot) -> None:
        """Note which bot a custom id stands for."""
        self._about = bot.name

    @property
    def typing(self) -> bool:
        """Whether somebody still types and wants suggestions: asked at every keystroke."""
        return self.interaction.type is discord.InteractionType.autocomplete

    def option(self, name: str) -> str:
        """A command's text option, not validated; while somebody types, as far as they got."""
        value = getattr(self.interaction.namespace, name, None)
        return value if isinstance(value, str) else ""

    # First answers

    async def acknowledge(self) -> None:
        """Show "thinking" privately: `reply` completes it. Nothing slow may come before this."""
        response = self.interaction.response
        await self._acknowledge(lambda: response.defer(ephemeral=True, thinking=True))

    async def acknowledge_in_place(self) -> None:
        """Acknowledge a press on a private message, which `reply` then edits in place.

        A card or a board isn't one: the answer comes beside it.
        """
        message = self.interaction.message
        if message is not None and message.flags.components_v2:
            await self.acknowledge()
            return
        await self._acknowledge(self.interaction.response.defer)
        self._in_place = True

    async def open_modal(self, modal: discord.ui.Modal) -> None:
        """Answer with a form. Must be the first answer, so nothing slow may come before it."""
        await self._send_first(lambda: self.interaction.response.send_modal(modal))

    async def _acknowledge(self, send: delivery.Send) -> None:
        await delivery.send_acknowledgement(send, self._debt)
        self._acknowledged = True

    async def _send_first(self, send: delivery.Send) -> None:
        await delivery.send_first(send)
        self._acknowledged = True

    # Answers

    async def reply(
        self,
        text: str,
        *,
        view: discord.ui.View | None = None,
        make_file: Callable[[], discord.File] | None = None,
        more: bool = False,
        later: str = "",
    ) -> None:
        """Say it privately: as the first answer, or in place of what was said before.

        Without a file of its own, a text of any length is fitted (`words.fitting`).
        `more`: another reply follows, so a failure here is only logged.
        `later`: what to say instead by direct message or in the channel, if this can't be given.
        """
        said = text
        if make_file is None:
            found = fit(text)
            text = found.text
            if found.whole:
                make_file = partial(text_file, found.whole, "answer.txt")
        text = linked(self.interaction.client, text)
        answer = _Answer(text, view, make_file)

        async def send() -> None:
            if self._acknowledged or self.interaction.response.is_done():
                await send_despite_break(lambda: answer.edit(self.interaction))
            else:
                await self._send_first(lambda: answer.start(self.interaction))

        if more:
            await delivery.deliver_part(send, self._debt)
        else:
            await self._deliver(send, text, later or said)

    async def fail(self, error: BaseException) -> None:
        """Say privately what went wrong. Never raises; if Discord doesn't take it, it's logged."""
        if isinstance(error, ControllerError) and error.code == "duplicate":
            return
        if isinstance(error, discord.NotFound) and error.code == _UNKNOWN_INTERACTION:
            log.warning("an interaction was answered too late for Discord")
            return
        if is_discords_trouble(error) or is_parse_failure(error):
            log.warning("Discord did not answer as it should: %s", error)
            error = DiscordTrouble("Discord did not answer as it should.", hint="Try that again.")
        try:
            await self._say_failure(failure_words(error))
        except (discord.DiscordException, aiohttp.ClientError, OSError) as trouble:
            log.warning("an error could not be told: %s (it was: %s)", trouble, error)

    async def _say_failure(self, text: str) -> None:
        if not self._in_place:
            await self.reply(text)
            return

        async def send() -> None:  # beside the message that would be edited, which stays as it is
            followup = self.interaction.followup
            words = linked(self.interaction.client, text)
            await followup.send(words, ephemeral=True, **QUIETLY)

        await self._deliver(send, text, text)

    async def _deliver(self, send: delivery.Send, text: str, later: str) -> None:
        await delivery.deliver(
            send, self._debt, later, lambda: delivery.is_shown(self.interaction, text)
        )


@dataclass(frozen=True, slots=True)
class _Answer:
    """A private message, as a first answer or as an edit of it."""

    text: str
    view: discord.ui.View | None
    make_file: Callable[[], discord.File] | None

    async def start(self, interaction: discord.Interaction) -> None:
        await interaction.response.send_message(
            self.text,
            ephemeral=True,
            view=self.view or discord.utils.MISSING,
            file=self.make_file() if self.make_file else discord.utils.MISSING,
            **QUIETLY,
        )

    async def edit(self, interaction: discord.Interaction) -> None:
        files = [self.make_file()] if self.make_file else []
        await edit_answer(interaction, self.text, self.view, files)

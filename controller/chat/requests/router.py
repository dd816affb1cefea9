"""Where presses and submits arrive: one listener, one table from custom id to what it does.

discord.py's own views and modals are not used for this: they forget at a restart, and lose a submit
that overtakes the answer to its button.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import aiohttp
import discord

from controller.chat.forms import modals
from controller.chat.forms import secrets_form as forms
from controller.chat.forms.settings_form import Inside
from controller.chat.logs.log_answers import LogView
from controller.chat.requests import addresses as buttons
from controller.chat.requests import delivery as answers
from controller.chat.requests.admission import Gate
from controller.chat.requests.late_answers import Outbox
from controller.chat.words import bot_facts as told
from controller.chat.words import failures as errors
from controller.chat.words.text import MESSAGE_MAX
from controller.domain.bot import Bot
from controller.domain.errors import (
    BadInput,
    ControllerError,
    DiscordTrouble,
    NotFound,
    NotReady,
)
from controller.domain.events import LogQuery
from controller.manager import Manager
from controller.manager.audit import Asker
from controller.manager.fleet import View

log = logging.getLogger(__name__)
Handler = Callable[[discord.Interaction, Sequence[str]], Awaitable[None]]


class Router:
    """Handles every button and modal of ours."""

    def __init__(self, manager: Manager, gate: Gate, outbox: Outbox, logs: LogView) -> None:
        self._manager = manager
        self._gate = gate
        self._logs = logs
        self._inside = Inside(manager)
        self._outbox = outbox
        self._buttons: dict[str, Handler] = {
            "logs": self._log,
            "older": self._older,
            "refresh": self._refresh,
            "file": self._file,
            "start": self._start,
            "stop": self._stop,
            "restart": self._restart,
            "delete": self._delete,
            "secrets": self._secrets,
            "form": self._form,
            "edit": self._edit,
        }
        self._modals: dict[str, Handler] = {
            "form": self._submit,
            "do": self._do,
            "edit": self._changed,
        }

    @property
    def acts(self) -> frozenset[str]:
        """All that can be pressed or submitted, as `rules` calls it."""
        return frozenset(
            [*(f"button {name}" for name in self._buttons), *(f"modal {n}" for n in self._modals)]
        )

    async def __call__(self, interaction: discord.Interaction) -> None:
        """Handle a press or a submit; anything else is not ours. Never raises."""
        kinds = {
            discord.InteractionType.component: ("button", self._buttons),
            discord.InteractionType.modal_submit: ("modal", self._modals),
        }
        if interaction.type not in kinds or not self._gate.first_sight(interaction):
            return
        kind, table = kinds[interaction.type]
        action, arguments = buttons.parse(custom_id_of(interaction))
        act = interaction.extras["act"] = f"{kind} {action}"
        self._outbox.open(interaction, act)
        try:
            handler = table.get(action)
            if handler is None or not arguments:
                raise NotFound("That button is of another time.", hint="Use the command instead.")
            await handler(interaction, arguments)
        except Exception as error:  # noqa: BLE001 - the edge: every error becomes words
            await report(interaction, error)

    async def _admit(self, interaction: discord.Interaction, bot_id: str = "") -> Asker:
        return await self._gate.admit(interaction, interaction.extras["act"], bot_id)

    async def _target(
        self, interaction: discord.Interaction, arguments: Sequence[str]
    ) -> tuple[Asker, View]:
        asker = await self._admit(interaction, arguments[0])
        view = self._manager.fleet.get(arguments[0])
        if view is None:
            raise NotFound(
                "That bot does not exist any more.",
                hint="/bot list shows the bots there are.",
                code="no-such-bot",
            )
        return asker, view

    def _outcome(self, ended: View | None, bot: Bot, doing: str) -> str:
        return told.outcome(self._manager, ended, bot.name, doing)

    # Actions on a bot

    async def _start(self, interaction: discord.Interaction, arguments: Sequence[str]) -> None:
        asker, view = await self._target(interaction, arguments)
        await answers.think(interaction)
        ended = await self._manager.lifecycle.start(asker, view.bot)
        await answers.say(interaction, self._outcome(ended, view.bot, "starting"))

    async def _stop(self, interaction: discord.Interaction, arguments: Sequence[str]) -> None:
        asker, view = await self._target(interaction, arguments)
        await answers.think(interaction)
        ended = await self._manager.lifecycle.stop(asker, view.bot)
        await answers.say(interaction, self._outcome(ended, view.bot, "stopping"))

    async def _restart(self, interaction: discord.Interaction, arguments: Sequence[str]) -> None:
        asker, view = await self._target(interaction, arguments)
        await answers.think(interaction)
        ended = await self._manager.lifecycle.restart(asker, view.bot)
        await answers.say(interaction, self._outcome(ended, view.bot, "restarting"))

    async def _delete(self, interaction: discord.Interaction, arguments: Sequence[str]) -> None:
        asker, view = await self._target(interaction, arguments)
        if _moment(arguments) < time.time():
            raise NotReady("That button has expired.", hint=f"/bot delete {view.bot.name} again.")
        await answers.hold(interaction)
        ended = await self._manager.lifecycle.delete(asker, view.bot)
        await answers.say(interaction, self._outcome(ended, view.bot, "being removed"))

    # Logs

    async def _log(self, interaction: discord.Interaction, arguments: Sequence[str]) -> None:
        _, view = await self._target(interaction, arguments)
        await answers.think(interaction)
        await self._logs.newest(interaction, view.bot, LogQuery())

    async def _refresh(self, interaction: discord.Interaction, arguments: Sequence[str]) -> None:
        _, view = await self._target(interaction, arguments)
        await answers.hold(interaction)
        await self._logs.again(interaction, view.bot, arguments)

    async def _older(self, interaction: discord.Interaction, arguments: Sequence[str]) -> None:
        _, view = await self._target(interaction, arguments)
        await answers.hold(interaction)
        await self._logs.older(interaction, view.bot, arguments)

    async def _file(self, interaction: discord.Interaction, arguments: Sequence[str]) -> None:
        _, view = await self._target(interaction, arguments)
        await answers.think(interaction)
        await self._logs.file(interaction, view.bot, arguments)

    # Actions and settings

    async def _edit(self, interaction: discord.Interaction, arguments: Sequence[str]) -> None:
        _, view = await self._target(interaction, arguments)
        _, key = _pair(arguments)
        await self._inside.open_page(interaction, view.bot, key)

    async def _changed(self, interaction: discord.Interaction, arguments: Sequence[str]) -> None:
        asker, view = await self._target(interaction, arguments)
        _, key = _pair(arguments)
        values = modals.values_of(interaction)
        await self._inside.change(interaction, asker, view.bot, key, values)

    async def _do(self, interaction: discord.Interaction, arguments: Sequence[str]) -> None:
        asker, view = await self._target(interaction, arguments)
        _, name = _pair(arguments)
        values = modals.values_of(interaction)
        await self._inside.run(interaction, asker, view.bot, name, values)

    # Secrets

    async def _secrets(self, interaction: discord.Interaction, arguments: Sequence[str]) -> None:
        asker, view = await self._target(interaction, arguments)
        form = await self._manager.credentials.open_form(asker, view.bot, rotate=False)
        page = await self._manager.credentials.page(asker, form.id, 0)
        modal = forms.modal_of(page)
        await answers.first(interaction, lambda: interaction.response.send_modal(modal))

    async def _form(self, interaction: discord.Interaction, arguments: Sequence[str]) -> None:
        asker = await self._admit(interaction)
        step = _step(arguments)
        page = await self._manager.credentials.page(asker, arguments[0], step)
        modal = forms.modal_of(page)
        await answers.first(interaction, lambda: interaction.response.send_modal(modal))

    async def _submit(self, interaction: discord.Interaction, arguments: Sequence[str]) -> None:
        asker = await self._admit(interaction)
        await answers.think(interaction)
        form_id, step = arguments[0], _step(arguments)
        try:
            done = await self._manager.credentials.submit(
                asker, form_id, step, modals.values_of(interaction)
            )
        except BadInput as error:
            # The form is still good: offer it again beside the reason.
            await answers.say(interaction, errors.word(error), view=buttons.of_form(form_id, step))
            return
        text = forms.receipt(done)
        if done.next_step is not None:
            await answers.say(interaction, text, view=buttons.of_form(form_id, done.next_step))
            return
        await answers.say(interaction, text, more=True)
        ended = await self._manager.lifecycle.follow(done.bot)
        text = f"{text}\n{self._outcome(ended, done.bot, 'starting')}"[:MESSAGE_MAX]
        pages = self._inside.later_pages(done.bot)
        await answers.say(interaction, text, view=buttons.of_pages(done.bot, pages))


def custom_id_of(interaction: discord.Interaction) -> str:
    """The custom id of what was pressed or submitted."""
    data: dict[str, Any] = dict(interaction.data or {})
    return str(data.get("custom_id", ""))


def _moment(arguments: Sequence[str]) -> float:
    """Until when a button may be pressed."""
    if len(arguments) != 2 or not arguments[1].isdecimal():
        raise BadInput("That button is damaged.", hint="Use the command again.")
    return float(arguments[1])


def _pair(arguments: Sequence[str]) -> tuple[str, str]:
    """A bot's id, and what of it is meant."""
    if len(arguments) != 2 or not arguments[1]:
        raise BadInput("That form is damaged.", hint="Use the command again.")
    return arguments[0], arguments[1]


def _step(arguments: Sequence[str]) -> int:
    if len(arguments) != 2 or not arguments[1].isdecimal():
        raise BadInput("That form is damaged.", hint="Ask for a new one: /bot secrets.")
    return int(arguments[1])


async def report(interaction: discord.Interaction, error: BaseException) -> None:
    """Tell the person what went wrong, privately; if Discord does not take it, the log has it."""
    if isinstance(error, ControllerError) and error.code == "duplicate":
        return
    if isinstance(error, discord.NotFound) and error.code == 10062:
        log.warning("an interaction was answered too late for Discord")
        return
    if answers.away(error) or answers.unreadable(error):
        log.warning("Discord did not answer as it should: %s", error)
        error = DiscordTrouble("Discord did not answer as it should.", hint="Try that again.")
    try:
        await answers.say_error(interaction, errors.word(error))
    except (discord.DiscordException, aiohttp.ClientError, OSError) as trouble:
        log.warning("an error could not be told: %s (it was: %s)", trouble, error)

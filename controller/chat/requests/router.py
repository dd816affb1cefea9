"""Where presses and submitted forms arrive: one listener, which finds the handler by custom id.

discord.py's own views and modals aren't used for this: they forget everything at a restart, and
lose a submit that overtakes the answer to its button.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping

import discord

from controller.chat.requests.admission import Admission
from controller.chat.requests.audience import speak_to
from controller.chat.requests.custom_ids import custom_id_of, parse
from controller.chat.requests.request import Debts, Request
from controller.domain.errors import NotFound

Handler = Callable[[Request], Awaitable[None]]
_KINDS = {
    discord.InteractionType.component: "button",
    discord.InteractionType.modal_submit: "modal",
}


class Router:
    """Hands each press and each submit to its handler. `handlers` are by name of their way."""

    def __init__(self, admission: Admission, debts: Debts, handlers: Mapping[str, Handler]) -> None:
        self._admission = admission
        self._debts = debts
        self.handlers = handlers

    async def __call__(self, interaction: discord.Interaction) -> None:
        """Handle a press or a submit; everything else is left alone. Never raises."""
        kind = _KINDS.get(interaction.type)
        if kind is None or not self._admission.is_new(interaction):
            return
        await speak_to(interaction)
        action, arguments = parse(custom_id_of(interaction))
        request = Request(interaction, f"{kind} {action}", arguments, self._debts)
        try:
            await self._handle(request)
        except Exception as error:  # noqa: BLE001 - the edge: every error becomes words
            await request.fail(error)

    async def _handle(self, request: Request) -> None:
        handler = self.handlers.get(request.name)
        if handler is None or not request.arguments:
            raise NotFound("That button is out of date.", hint="Use the command instead.")
        await self._admission.admit(request)
        await handler(request)

"""`/fleet updates`: newer images, and the button that has them tried, one bot after another."""

from __future__ import annotations

from controller.chat.cards.update_notice import approve_button
from controller.chat.requests.buttons import row
from controller.chat.requests.request import Request
from controller.chat.words.text import fitted
from controller.chat.words.update_words import begun_words, found_words
from controller.manager import Manager


class FleetUpdates:
    """Shows what a check finds, and begins what somebody approves."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    async def show(self, request: Request) -> None:
        """Check now, with a button if there is anything to update."""
        await request.acknowledge()
        found = await self._manager.update_checks.find(request.caller)
        await request.reply(
            fitted(found_words(found)), view=row([approve_button(found)]) if found.offers else None
        )

    async def approve(self, request: Request) -> None:
        """Update what the button's message showed."""
        await request.acknowledge_in_place()
        mark = request.arguments[0] if request.arguments else ""
        begun = await self._manager.update_checks.approve(request.caller, mark)
        await request.reply(begun_words(begun))

"""What a check on schedule found, in the admin channel: one message for each new finding."""

from __future__ import annotations

import hashlib

import discord

from controller.chat.languages import plural, say
from controller.chat.requests.buttons import Button, button, row
from controller.chat.requests.place import Place
from controller.chat.requests.quiet import QUIETLY
from controller.chat.words.limits import NONCE_MAX
from controller.chat.words.text import fitted
from controller.chat.words.update_words import found_words
from controller.manager import Manager
from controller.manager.update_checks import Found

_KEY = "update-notice"  # the mark of what was told last


def approve_button(found: Found) -> Button:
    """The button that has tried what was found."""
    label = say("Update {bots}", bots=plural(len(found.offers), "bot"))
    return button(label, "updates", found.mark, style=discord.ButtonStyle.primary)


class UpdateNotice:
    """Tells what was found, with the button that has it tried."""

    def __init__(self, manager: Manager, client: discord.Client, place: Place) -> None:
        self._manager = manager
        self._client = client
        self._place = place

    async def publish(self) -> None:
        """Post what wasn't told yet."""
        found = await self._manager.update_checks.known()
        if not found.offers or await self._manager.notebook.recall(_KEY) == found.mark:
            return
        place = self._place
        channel = self._client.get_partial_messageable(place.channel_id, guild_id=place.guild_id)
        nonce = hashlib.sha256(f"updates {found.mark}".encode()).hexdigest()[:NONCE_MAX]
        view = row([approve_button(found)])
        assert view is not None, "there is something to approve"
        await channel.send(fitted(found_words(found)), nonce=nonce, view=view, **QUIETLY)
        await self._manager.notebook.remember(_KEY, found.mark)

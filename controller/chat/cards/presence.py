"""What stands below the controller's name in Discord: how many bots there are, and how many are
down."""

from __future__ import annotations

import discord

from controller.chat.words.board_words import summary
from controller.manager import Manager

SPACING = 15.0  # seconds between two changes; Discord takes five in twenty


class Presence:
    """Keeps that line equal to how the fleet is."""

    def __init__(self, manager: Manager, client: discord.Client) -> None:
        self._manager = manager
        self._client = client
        self._shown = ""

    async def publish(self) -> float | None:
        """Bring the line up to date. Seconds until it may change again, if it did."""
        words = summary(list(self._manager.bots))
        if words == self._shown:
            return None
        activity = discord.Activity(type=discord.ActivityType.watching, name=words)
        self._client.activity = activity  # for a connection that begins anew
        await self._client.change_presence(activity=activity)
        self._shown = words
        return SPACING

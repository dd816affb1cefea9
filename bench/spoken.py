"""A Discord interaction without Discord: it has what handlers use, and keeps the answer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import discord

ADMIN, GUILD, CHANNEL = 11, 12, 13


class Spoken:
    """The part of an interaction that a handler uses."""

    def __init__(self, number: int, *, typing: bool = False) -> None:
        self.id = number
        self.guild_id, self.channel_id, self.channel = GUILD, CHANNEL, None
        self.user = SimpleNamespace(id=ADMIN, name="ann")
        kinds = discord.InteractionType
        self.type = kinds.autocomplete if typing else kinds.application_command
        self.extras: dict[str, Any] = {}
        self.response = self
        self.said = ""

    def is_done(self) -> bool:
        """Whether it has been answered."""
        return bool(self.said)

    async def send_message(self, text: str, **_: Any) -> None:
        """Keep the answer."""
        self.said = text

"""A Discord interaction without Discord: it has what handlers use, and keeps the answer."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import discord
from discord.webhook.async_ import async_context

ADMIN, GUILD, CHANNEL = 11, 12, 13


class _Edits:
    """In place of discord.py's requests: an edit of an answer is kept by its interaction."""

    async def edit_original_interaction_response(
        self, _: int, token: Spoken, *, payload: Any = None, multipart: Any = None, **__: Any
    ) -> None:
        token.said = str(multipart[0]["value"] if multipart else payload["content"])


class Spoken:
    """The part of an interaction that a handler uses."""

    def __init__(self, number: int, *, typing: bool = False) -> None:
        self.id = number
        self.guild_id, self.channel_id, self.channel = GUILD, CHANNEL, None
        self.user = SimpleNamespace(id=ADMIN, name="ann")
        kinds = discord.InteractionType
        self.type = kinds.autocomplete if typing else kinds.application_command
        self.extras: dict[str, Any] = {}
        self.response, self.token = self, self
        self.application_id, self._session = 0, None
        self.client = SimpleNamespace(http=SimpleNamespace(proxy=None, proxy_auth=None))
        self.said, self.thinks = "", False
        async_context.set(cast("Any", _Edits()))

    def is_done(self) -> bool:
        """Whether it has been answered."""
        return self.thinks or bool(self.said)

    async def defer(self, **_: Any) -> None:
        """Show "thinking"."""
        self.thinks = True

    async def send_message(self, text: str, **_: Any) -> None:
        """Keep the answer."""
        self.said = text

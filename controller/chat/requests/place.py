"""The one place where BotMaker works, and the check that a request comes from there."""

from __future__ import annotations

from dataclasses import dataclass

import discord

from controller.domain.errors import Denied


@dataclass(frozen=True, slots=True)
class Place:
    """The one guild and its one admin channel."""

    guild_id: int
    channel_id: int
    language: str = ""  # of what everybody reads; empty: the server's

    def check(self, interaction: discord.Interaction, *, direct: bool) -> None:
        """Raise Denied unless it comes from the admin channel (or a thread of it).

        `direct`: direct messages are fine, too.
        """
        if interaction.guild_id is None:
            if not direct:
                raise Denied("This does not work in a direct message.", hint=self._hint())
            return
        if interaction.guild_id != self.guild_id:
            raise Denied("This BotMaker serves another server.")
        parent = getattr(interaction.channel, "parent_id", None)
        if self.channel_id not in (interaction.channel_id, parent):
            raise Denied("BotMaker is used in its admin channel only.", hint=self._hint())

    def _hint(self) -> str:
        return f"Use it in <#{self.channel_id}>."

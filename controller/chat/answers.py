"""Answering an interaction: a first answer in time and not lost, then edits of it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import aiohttp
import discord

ALREADY_ACKNOWLEDGED = 40060
# On Linux discord.py loses a POST whose connection broke: it retries two macOS errors alone.
_BROKEN = (aiohttp.ClientConnectionError, ConnectionError, asyncio.IncompleteReadError)

NO_MENTIONS = discord.AllowedMentions.none()


async def first(interaction: discord.Interaction, send: Callable[[], Awaitable[object]]) -> None:
    """Send the first answer; once more if the connection broke in the middle.

    If Discord then says that it was answered already, the first try had arrived.
    """
    try:
        await send()
    except _BROKEN:
        try:
            await send()
        except discord.HTTPException as error:
            if error.code != ALREADY_ACKNOWLEDGED:
                raise
    interaction.extras["answered"] = True


def answered(interaction: discord.Interaction) -> bool:
    """Whether the first answer is out."""
    return bool(interaction.extras.get("answered")) or interaction.response.is_done()


async def think(interaction: discord.Interaction) -> None:
    """Acknowledge, privately: the answer follows by `say`."""
    await first(interaction, lambda: interaction.response.defer(ephemeral=True, thinking=True))


async def say(
    interaction: discord.Interaction,
    text: str,
    *,
    view: discord.ui.View | None = None,
    make_file: Callable[[], discord.File] | None = None,
) -> None:
    """Say it privately: as the first answer, or in place of what was said before."""

    async def start() -> None:
        await interaction.response.send_message(
            text,
            ephemeral=True,
            view=view or discord.utils.MISSING,
            file=make_file() if make_file else discord.utils.MISSING,
            allowed_mentions=NO_MENTIONS,
        )

    async def edit() -> None:
        await interaction.edit_original_response(
            content=text,
            view=view,
            attachments=[make_file()] if make_file else [],
            allowed_mentions=NO_MENTIONS,
        )

    if not answered(interaction):
        await first(interaction, start)
        return
    try:
        await edit()
    except _BROKEN:
        await edit()


async def hold(interaction: discord.Interaction) -> None:
    """Acknowledge a press on a private message that will be edited in place."""
    await first(interaction, interaction.response.defer)
    interaction.extras["held"] = True


async def say_error(interaction: discord.Interaction, text: str) -> None:
    """Say privately why it did not work; what a held message showed stays as it is."""
    if interaction.extras.get("held"):
        await interaction.followup.send(text, ephemeral=True, allowed_mentions=NO_MENTIONS)
        return
    await say(interaction, text)

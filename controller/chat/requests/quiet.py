"""How everything is sent: it pings nobody, and Discord previews no address that it holds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypedDict

import discord
from discord.http import MultipartParameters, handle_message_parameters
from discord.webhook.async_ import AsyncWebhookAdapter, async_context

NO_MENTIONS = discord.AllowedMentions.none()


class Quiet(TypedDict):
    """Arguments for whatever sends a message."""

    allowed_mentions: discord.AllowedMentions
    suppress_embeds: bool


QUIETLY = Quiet(allowed_mentions=NO_MENTIONS, suppress_embeds=True)


def same_way() -> Callable[[], None]:
    """What to call in another task, so that its answers take the way that they would take here."""
    adapter = async_context.get()
    return lambda: _take(adapter)


def _take(adapter: AsyncWebhookAdapter) -> None:
    async_context.set(adapter)


async def edit_answer(
    interaction: discord.Interaction,
    text: str,
    view: discord.ui.View | None,
    files: list[discord.File],
) -> None:
    """Put this in place of the answer. discord.py's own edit can't turn previews off."""
    with _edit(text, view, files) as parts:
        await async_context.get().edit_original_interaction_response(
            interaction.application_id,
            interaction.token,
            session=interaction._session,
            proxy=interaction.client.http.proxy,
            proxy_auth=interaction.client.http.proxy_auth,
            payload=parts.payload,
            multipart=parts.multipart,
            files=parts.files,
        )


async def edit_message(
    client: discord.Client,
    channel_id: int,
    message_id: int,
    text: str,
    view: discord.ui.View | None = None,
) -> None:
    """Put this in place of a message of ours. discord.py's own edit can't turn previews off."""
    with _edit(text, view, discord.utils.MISSING) as parts:
        await client.http.edit_message(channel_id, message_id, params=parts)


async def edit_layout(
    client: discord.Client, channel_id: int, message_id: int, layout: discord.ui.LayoutView
) -> None:
    """Put a layout in place of a message of ours, also of one with text; there's no way back."""
    with handle_message_parameters(
        content=None,
        embeds=[],
        view=layout,
        allowed_mentions=NO_MENTIONS,
        flags=discord.MessageFlags(suppress_embeds=True),
    ) as parts:
        await client.http.edit_message(channel_id, message_id, params=parts)


def _edit(
    text: str, view: discord.ui.View | None, files: list[discord.File]
) -> MultipartParameters:
    return handle_message_parameters(
        content=text,
        view=view,
        attachments=files,
        allowed_mentions=NO_MENTIONS,
        flags=discord.MessageFlags(suppress_embeds=True),
    )

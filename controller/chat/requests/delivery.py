"""Answering an interaction: a first answer in time and not lost, then edits of it.

Who asked for something and cannot be told the end of it now is told later, by the outbox: the work
does not depend on Discord.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import traceback
from collections.abc import Awaitable, Callable, Iterator
from typing import TYPE_CHECKING

import aiohttp
import discord
import discord.http
import discord.webhook.async_

if TYPE_CHECKING:
    from controller.chat.requests.late_answers import Outbox

log = logging.getLogger(__name__)
ALREADY_ACKNOWLEDGED = 40060
FIRST_SECONDS = 3.0  # Discord takes no first answer after that
FINAL_SECONDS = 10.0  # for the last words about a request; then the outbox has them
CHECK_SECONDS = 3.0
# On Linux discord.py loses a POST whose connection broke: it retries two macOS errors alone.
BROKEN = (aiohttp.ClientConnectionError, ConnectionError, asyncio.IncompleteReadError)
_LOST = (aiohttp.ClientError, ConnectionError, asyncio.IncompleteReadError, TimeoutError)
TROUBLE = (*_LOST, discord.DiscordException)  # everything that speaking to Discord may raise

NO_MENTIONS = discord.AllowedMentions.none()
_LIBRARY = {discord.http.__name__, discord.webhook.async_.__name__}


class Unreadable(discord.DiscordException):
    """Discord, or something on the way to it, answered in a form that discord.py cannot read."""


def away(error: BaseException) -> bool:
    """Whether it is Discord's doing, not ours: out of order, out of reach, or refusing."""
    if isinstance(error, discord.HTTPException):
        return error.status >= 500 or error.status in {401, 403, 404, 429}
    return isinstance(error, (*_LOST, discord.RateLimited, Unreadable))


def unreadable(error: BaseException) -> bool:
    """Whether discord.py stumbled over an answer: it takes each 429 through a proxy for JSON."""
    if not isinstance(error, (TypeError, LookupError, ValueError)):
        return False
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    where = [(frame.f_globals.get("__name__"), frame.f_code.co_name) for frame in frames]
    return bool(where) and where[-1] in {(name, "request") for name in _LIBRARY}


@contextlib.contextmanager
def speaking() -> Iterator[None]:
    """Have what discord.py cannot read come out as trouble of Discord's, not as a bug of ours."""
    try:
        yield
    except Exception as error:  # of any kind, by what met it; all but one go on up as they are
        if not unreadable(error):
            raise
        raise Unreadable("an answer that is none of Discord's") from error


async def once_more(send: Callable[[], Awaitable[object]]) -> None:
    """Send it, and a second time if the connection broke in the middle."""
    with speaking():
        try:
            await send()
        except BROKEN:
            await send()


def _outbox(interaction: discord.Interaction) -> Outbox | None:
    """Where the answer goes that cannot be given; None for what is not worth it."""
    found: Outbox | None = interaction.extras.get("outbox")
    return found


async def first(interaction: discord.Interaction, send: Callable[[], Awaitable[object]]) -> None:
    """Send the first answer; once more if the connection broke in the middle.

    If Discord then says that it was answered already, an earlier try had arrived.
    """
    try:
        async with asyncio.timeout(FIRST_SECONDS):
            await once_more(send)
    except discord.HTTPException as error:
        if error.code != ALREADY_ACKNOWLEDGED:
            raise
    interaction.extras["answered"] = True


def answered(interaction: discord.Interaction) -> bool:
    """Whether the first answer is out."""
    return bool(interaction.extras.get("answered")) or interaction.response.is_done()


async def _acknowledge(
    interaction: discord.Interaction, send: Callable[[], Awaitable[object]]
) -> None:
    try:
        await first(interaction, send)
    except TROUBLE as error:
        if not away(error) or _outbox(interaction) is None:
            raise
        # What was asked is done all the same. The end is said as if this had arrived: it may have.
        interaction.extras["answered"] = True
        log.warning("a request could not be acknowledged: %s", error)


async def think(interaction: discord.Interaction) -> None:
    """Acknowledge, privately: the answer follows by `say`."""
    await _acknowledge(
        interaction, lambda: interaction.response.defer(ephemeral=True, thinking=True)
    )


async def hold(interaction: discord.Interaction) -> None:
    """Acknowledge a press on a private message that will be edited in place."""
    await _acknowledge(interaction, interaction.response.defer)
    interaction.extras["held"] = True


async def say(
    interaction: discord.Interaction,
    text: str,
    *,
    view: discord.ui.View | None = None,
    make_file: Callable[[], discord.File] | None = None,
    more: bool = False,
    later: str = "",
) -> None:
    """Say it privately: as the first answer, or in place of what was said before.

    `more` follows, so that nothing is lost if this is. `later` is what is said by other ways.
    """

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

    async def send() -> None:
        if answered(interaction):
            await once_more(edit)
        else:
            await first(interaction, start)

    await _deliver(interaction, text, send, more=more, later=later)


async def say_error(interaction: discord.Interaction, text: str) -> None:
    """Say privately why it did not work; what a held message showed stays as it is."""
    if not interaction.extras.get("held"):
        await say(interaction, text)
        return

    async def send() -> None:
        await interaction.followup.send(text, ephemeral=True, allowed_mentions=NO_MENTIONS)

    await _deliver(interaction, text, send)


async def _deliver(
    interaction: discord.Interaction,
    text: str,
    send: Callable[[], Awaitable[None]],
    *,
    more: bool = False,
    later: str = "",
) -> None:
    outbox = _outbox(interaction)
    if outbox is None:
        with speaking():
            await send()
        return
    try:
        async with asyncio.timeout(FINAL_SECONDS):
            with speaking():
                await send()
    except TROUBLE as error:
        if not away(error):
            raise
        if more:
            log.warning("a part of an answer could not be given: %s", error)
            return
        if not (isinstance(error, _LOST) and await _arrived(interaction, text)):
            await outbox.keep(interaction, later or text, error)
            return
    if not more:
        await outbox.told(interaction)


async def _arrived(interaction: discord.Interaction, text: str) -> bool:
    """Whether an answer is there although nobody said so: unknown is not failed."""
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            with speaking():
                found = await interaction.followup.fetch_message("@original")  # type: ignore[arg-type]
    except TROUBLE as error:
        if not away(error):
            raise
        return False
    return found.content.strip() == text.strip()

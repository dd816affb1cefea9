"""Delivering answers: the first one in time, later ones surely, and what can't be given is kept."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import discord

from controller.chat.requests.discord_trouble import (
    LOST,
    TROUBLE,
    is_discords_trouble,
    reading_discord,
    send_despite_break,
)
from controller.chat.words.limits import FIRST_ANSWER_SECONDS

log = logging.getLogger(__name__)
Send = Callable[[], Awaitable[object]]

ALREADY_ACKNOWLEDGED = 40060  # Discord's error code
FINAL_SECONDS = 10.0  # for the last words about a request; after that they're kept for later
CHECK_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class Debt:
    """The answer that somebody is owed, and what to do about it."""

    settle: Callable[[], Awaitable[None]]  # the answer was given
    keep: Callable[[str, Exception], Awaitable[None]]  # it couldn't be: say these words later


async def send_first(send: Send) -> None:
    """Send the first answer within Discord's 3 s; once more if the connection broke.

    If Discord says that it was answered already, an earlier try had arrived.
    """
    try:
        async with asyncio.timeout(FIRST_ANSWER_SECONDS):
            await send_despite_break(send)
    except discord.HTTPException as error:
        if error.code != ALREADY_ACKNOWLEDGED:
            raise


async def send_acknowledgement(send: Send, debt: Debt | None) -> None:
    """Send the first answer. If an answer is owed, Discord's trouble is only logged.

    What was asked is done all the same; then the end is said as if this had arrived, which it may
    have.
    """
    try:
        await send_first(send)
    except TROUBLE as error:
        if debt is None or not is_discords_trouble(error):
            raise
        log.warning("a request could not be acknowledged: %s", error)


async def deliver_part(send: Send, debt: Debt | None) -> None:
    """Send a part of an answer, with more to follow: if one is owed, trouble is only logged."""
    try:
        await _send_last(send, debt)
    except TROUBLE as error:
        if debt is None or not is_discords_trouble(error):
            raise
        log.warning("a part of an answer could not be given: %s", error)


async def deliver(
    send: Send, debt: Debt | None, words: str, has_arrived: Callable[[], Awaitable[bool]]
) -> None:
    """Send the end of an answer. If one is owed and Discord doesn't take it, keep `words`.

    After a lost connection `has_arrived` is asked first: unknown isn't failed.
    """
    try:
        await _send_last(send, debt)
    except TROUBLE as error:
        if debt is None or not is_discords_trouble(error):
            raise
        if not (isinstance(error, LOST) and await has_arrived()):
            await debt.keep(words, error)
            return
    if debt is not None:
        await debt.settle()


async def _send_last(send: Send, debt: Debt | None) -> None:
    async with asyncio.timeout(FINAL_SECONDS if debt is not None else None):
        with reading_discord():
            await send()


async def is_shown(interaction: discord.Interaction, text: str) -> bool:
    """Whether the answer stands there though nobody confirmed it."""
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            with reading_discord():
                found = await interaction.followup.fetch_message("@original")  # type: ignore[arg-type]
    except TROUBLE as error:
        if not is_discords_trouble(error):
            raise
        return False
    return found.content.strip() == text.strip()

"""Discord's trouble told apart from our bugs: what speaking to Discord may raise, and why."""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from collections.abc import Awaitable, Callable, Iterator

import aiohttp
import discord
import discord.http
import discord.webhook.async_

# On Linux discord.py loses a POST whose connection broke: it retries two macOS errors only.
BROKEN = (aiohttp.ClientConnectionError, ConnectionError, asyncio.IncompleteReadError)
LOST = (aiohttp.ClientError, ConnectionError, asyncio.IncompleteReadError, TimeoutError)
TROUBLE = (*LOST, discord.DiscordException)  # everything that speaking to Discord may raise

_LIBRARY = {discord.http.__name__, discord.webhook.async_.__name__}


class Unreadable(discord.DiscordException):
    """Discord, or a proxy on the way to it, answered something that discord.py can't parse."""


def is_discords_trouble(error: BaseException) -> bool:
    """Whether Discord is broken, unreachable or refuses us, so that it's no bug of ours."""
    if isinstance(error, discord.HTTPException):
        return error.status >= 500 or error.status in {401, 403, 404, 429}
    return isinstance(error, (*LOST, discord.RateLimited, Unreadable))


def is_parse_failure(error: BaseException) -> bool:
    """Whether discord.py failed to parse an answer: it takes every 429 through a proxy for JSON."""
    if not isinstance(error, (TypeError, LookupError, ValueError)):
        return False
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    where = [(frame.f_globals.get("__name__"), frame.f_code.co_name) for frame in frames]
    return bool(where) and where[-1] in {(name, "request") for name in _LIBRARY}


@contextlib.contextmanager
def reading_discord() -> Iterator[None]:
    """Raise Unreadable where discord.py fails to parse Discord's answer. Other errors pass."""
    try:
        yield
    except Exception as error:  # re-raised unless discord.py failed to parse Discord's answer
        if not is_parse_failure(error):
            raise
        raise Unreadable("Discord's answer could not be read") from error


async def send_despite_break(send: Callable[[], Awaitable[object]]) -> None:
    """Send; if the connection broke in the middle, send once more."""
    with reading_discord():
        try:
            await send()
        except BROKEN:
            await send()

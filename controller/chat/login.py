"""Getting connected to Discord and staying so, or saying why no retry could help."""

from __future__ import annotations

import asyncio
import logging

import aiohttp
import discord
import yarl
from discord.gateway import DiscordWebSocket
from discord.http import Route

from controller.chat.client import ControllerClient
from controller.chat.requests.discord_trouble import Unreadable, reading_discord
from controller.domain.errors import BadSetting, DiscordTrouble

log = logging.getLogger(__name__)
_PASSING = (aiohttp.ClientError, discord.DiscordServerError, Unreadable)
_WAIT = {429, *range(500, 600)}  # statuses that say nothing about the token


async def run_client(client: ControllerClient, token: str) -> None:
    """Stay connected until cancelled. Raises BadSetting where no retry could help.

    If Discord can't be reached, it keeps trying; the bots are looked after meanwhile.
    """
    logging.getLogger("discord.client").addFilter(_without_traceback)
    try:
        await _log_in(client, token)
        await client.connect(reconnect=True)
    except discord.LoginFailure as error:
        raise BadSetting(
            "Discord does not accept BOTMAKER_DISCORD_TOKEN.",
            hint="Copy the token again from the developer portal (Bot, Reset Token).",
            code="wrong-token",
        ) from error
    except discord.ConnectionClosed as error:
        raise BadSetting(
            f"Discord ended the connection for good (code {error.code}).",
            hint="Was the token reset? Copy it again from the developer portal.",
            code="connection-refused",
        ) from error
    except (discord.HTTPException, discord.GatewayNotFound, aiohttp.ClientError) as error:
        raise connection_trouble(error) from error
    finally:
        await client.at_work.end()
        if not client.is_closed():
            await client.close()


def connection_trouble(error: Exception) -> DiscordTrouble:
    """Why Discord can't be used: it refused what we sent, or it can't be reached."""
    if isinstance(error, discord.app_commands.CommandSyncFailure):
        return DiscordTrouble(
            f"Discord refused BotMaker's commands: {error}",
            hint="That is a fault in BotMaker, not in the network: report it with these lines. "
            "Your bots run on.",
            code="commands-refused",
        )
    if isinstance(error, discord.HTTPException) and 400 <= error.status < 500:
        if error.status == 429:
            hint = "Discord limits how often it may be asked: wait some minutes, then start again."
        else:
            hint = "The network is fine. Check the bot's rights in the server; else report this."
        return DiscordTrouble(f"Discord refused a request: {error}.", hint=hint)
    return DiscordTrouble(
        f"Discord could not be reached: {error}.", hint="Check the network and try again."
    )


def _without_traceback(record: logging.LogRecord) -> bool:
    """Log a gateway that's away as one line: it's no bug, so nobody needs a traceback."""
    if record.exc_info and str(record.msg).startswith("Attempting a reconnect"):
        reason = str(record.exc_info[1]).replace("%", "%%")
        record.msg = f"Discord's gateway is away ({reason}); again in %.2f s"
        record.levelno, record.levelname = logging.WARNING, "WARNING"
        record.exc_info = record.exc_text = None
    return True


async def _log_in(client: ControllerClient, token: str) -> None:
    pause = 1.0
    while True:
        try:
            with reading_discord():
                return await client.login(token)
        except (*_PASSING, OSError, discord.HTTPException) as error:
            if isinstance(error, discord.HTTPException) and error.status not in _WAIT:
                raise
            log.warning("Discord cannot be reached: %s; again in %.0f s", error, pause)
        await client.http.close()  # the library opens a session for every try, on one connector
        client.http.connector = discord.utils.MISSING
        await asyncio.sleep(pause)
        pause = min(60.0, pause * 2)


def redirect_discord(api_url: str, gateway_url: str) -> None:
    """Use another Discord-compatible server, for the whole process. `settings` has checked it."""
    if api_url:
        Route.BASE = api_url.rstrip("/")
    if gateway_url:
        DiscordWebSocket.DEFAULT_GATEWAY = yarl.URL(gateway_url)

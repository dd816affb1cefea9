"""What a bot token can see, for `botmaker init`: whose it is, its servers, their text channels.

Over REST only: the gateway, and so a controller that runs with this token, doesn't notice.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass

import aiohttp
import discord

from controller.chat.footprint import INTENTS, invite_link, missing_permissions
from controller.chat.login import connection_trouble
from controller.chat.requests.discord_trouble import Unreadable, reading_discord
from controller.domain.errors import BadSetting


@dataclass(frozen=True, slots=True)
class Server:
    """A server that the bot is in."""

    id: int
    name: str


@dataclass(frozen=True, slots=True)
class Channel:
    """A text channel that the bot sees."""

    id: int
    name: str
    missing: tuple[str, ...]  # permissions that the bot needs there and doesn't have
    everybody: bool  # whether everybody in the server can read it


@dataclass(frozen=True, slots=True)
class Account:
    """Whose token it is."""

    name: str
    invite: str  # the link that adds it to a server
    code_grant: bool  # "Requires OAuth2 Code Grant" is on, which spoils every invite
    servers: tuple[Server, ...]


@dataclass(frozen=True, slots=True)
class Channels:
    """A server's text channels, in Discord's order, and how many the bot can't see."""

    seen: tuple[Channel, ...]
    hidden: int


async def look_up_account(token: str) -> Account:
    """Whose token it is, and which servers it sees.

    Raises BadSetting (`wrong-token`) if Discord doesn't accept it, DiscordTrouble if Discord can't
    be asked.
    """
    async with _logged_in(token) as client:
        assert client.user is not None
        application = client.application
        servers = [Server(guild.id, guild.name) async for guild in client.fetch_guilds(limit=None)]
        return Account(
            name=str(client.user),
            invite=invite_link(client.application_id or client.user.id),
            code_grant=application is not None and application.bot_require_code_grant,
            servers=tuple(sorted(servers, key=lambda server: server.name.lower())),
        )


async def look_up_channels(token: str, server_id: int) -> Channels:
    """The text channels of a server. Raises as `look_up_account`."""
    async with _logged_in(token) as client:
        assert client.user is not None
        guild = await client.fetch_guild(server_id)
        me = await guild.fetch_member(client.user.id)
        found = await guild.fetch_channels()
        texts = [one for one in found if isinstance(one, discord.TextChannel)]
        texts.sort(key=lambda channel: (channel.position, channel.id))
        seen = [_channel(guild, me, one) for one in texts if one.permissions_for(me).view_channel]
        return Channels(tuple(seen), len(texts) - len(seen))


def _channel(guild: discord.Guild, me: discord.Member, channel: discord.TextChannel) -> Channel:
    return Channel(
        channel.id,
        channel.name,
        missing_permissions(channel.permissions_for(me)),
        channel.permissions_for(guild.default_role).view_channel,
    )


@contextlib.asynccontextmanager
async def _logged_in(token: str) -> AsyncIterator[discord.Client]:
    client = discord.Client(intents=INTENTS)
    try:
        with reading_discord():
            await client.login(token)
            yield client
    except discord.LoginFailure as error:
        raise BadSetting(
            "Discord doesn't accept this token.",
            hint="Copy it again from the developer portal (Bot, Reset Token).",
            code="wrong-token",
        ) from error
    except (discord.HTTPException, Unreadable, aiohttp.ClientError, OSError) as error:
        raise connection_trouble(error) from error
    finally:
        await client.close()

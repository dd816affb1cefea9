"""The doctor's checks of Discord: token, server, channel, permissions, and the invite link."""

from __future__ import annotations

import aiohttp
import discord

from controller.chat.footprint import INTENTS, invite_link, missing_permissions
from controller.chat.requests.place import Place

Result = tuple[str, bool | None, str, str]  # subject, ok, message, remedy


async def check_discord(token: str, place: Place) -> list[Result]:
    """Log in over REST only (no gateway) and look. Each trouble is a result with its remedy."""
    client = discord.Client(intents=INTENTS)
    try:
        await client.login(token)
        return await _look(client, place)
    except discord.LoginFailure:
        remedy = "Copy it again from the developer portal (Bot, Reset Token)."
        return [("token", False, "Discord does not accept it", remedy)]
    except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
        return [("discord", False, f"not reachable: {error}", "Check the network.")]
    finally:
        await client.close()


async def _look(client: discord.Client, place: Place) -> list[Result]:
    assert client.user is not None
    link = invite_link(client.application_id or client.user.id)
    found: list[Result] = [("token", True, f"belongs to {client.user}", "")]
    found.append(("invite", None, link, ""))
    try:
        guild = await client.fetch_guild(place.guild_id)
    except discord.HTTPException:
        text = f"this bot is not in server {place.guild_id}"
        return [*found, ("server", False, text, "Use the invite link, check BOTMAKER_GUILD_ID.")]
    found.append(("server", True, guild.name, ""))
    try:
        # From the server object: without its roles discord.py gives every channel the same rights.
        channel = await guild.fetch_channel(place.channel_id)
    except (discord.HTTPException, discord.InvalidData):
        remedy = "Let the bot see it, check BOTMAKER_ADMIN_CHANNEL_ID."
        return [*found, ("channel", False, f"{place.channel_id} cannot be seen", remedy)]
    if not isinstance(channel, discord.TextChannel):
        return [*found, ("channel", False, "is no text channel", "Choose a text channel.")]
    found.append(("channel", True, f"#{channel.name}", ""))
    found += await _permissions(guild, channel, client.user.id)
    return found


async def _permissions(
    guild: discord.Guild, channel: discord.TextChannel, user_id: int
) -> list[Result]:
    member = await guild.fetch_member(user_id)
    missing = missing_permissions(channel.permissions_for(member))
    if missing:
        names = ", ".join(missing)
        remedy = "Give them to the bot's role in that channel's settings."
        return [("permissions", False, f"missing: {names}", remedy)]
    everyone = channel.permissions_for(guild.default_role)
    result: list[Result] = [("permissions", True, "all that are needed", "")]
    if everyone.view_channel:
        remedy = "Take View Channel from @everyone there."
        result.append(("channel", None, "everybody in the server can read it", remedy))
    return result

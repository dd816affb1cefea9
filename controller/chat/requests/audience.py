"""Which language something is said in: whoever asks reads theirs, everybody else the server's."""

from __future__ import annotations

import discord

from controller.chat.languages import language_of, speak
from controller.chat.requests.place import Place


async def speak_to(interaction: discord.Interaction) -> None:
    """Say everything in this task in the language of whoever asks."""
    await speak(language_of(interaction.locale.value))


async def speak_to_all(client: discord.Client, place: Place) -> None:
    """Say everything in this task in the language that everybody in the channel reads."""
    await speak(servers_language(client, place))


def servers_language(client: discord.Client, place: Place) -> str:
    """The language of what everybody reads: the setting's, else the server's."""
    if place.language:
        return place.language
    guild = client.get_guild(place.guild_id)
    return language_of(guild.preferred_locale.value if guild else "")

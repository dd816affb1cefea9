"""What BotMaker asks of Discord: scopes, permissions and intents, in this one place.

The invite link, the doctor, `botmaker init` and the client itself read it from here.
"""

from __future__ import annotations

import discord

# A bot user that speaks in a channel, and commands.
SCOPES = ("bot", "applications.commands")
# Exactly what is used: seeing the channel, its cards and answers with their files, and checking
# whether a card from before a restart still exists.
_PERMISSIONS = ("view_channel", "send_messages", "attach_files", "read_message_history")
NEEDED = discord.Permissions(**dict.fromkeys(_PERMISSIONS, True))
# Commands, buttons and forms need none; this one tells of servers and their channels.
INTENTS = discord.Intents(guilds=True)
# Discord gives these only to applications whose owner turned them on in the developer portal.
_PRIVILEGED = {
    "presences": "Presence",
    "members": "Server Members",
    "message_content": "Message Content",
}


def invite_link(application_id: int) -> str:
    """The link that adds the controller to a server, with exactly these permissions."""
    return discord.utils.oauth_url(application_id, permissions=NEEDED, scopes=SCOPES)


def missing_permissions(has: discord.Permissions) -> tuple[str, ...]:
    """The needed permissions that are missing, in words."""
    return tuple(_word(name) for name in _PERMISSIONS if not getattr(has, name))


def needed_permissions() -> tuple[str, ...]:
    """All of them, in words."""
    return tuple(map(_word, _PERMISSIONS))


def _word(permission: str) -> str:
    return permission.replace("_", " ")


def privileged_intents() -> tuple[str, ...]:
    """The intents that must be turned on in the developer portal, as it names them."""
    return tuple(title for name, title in _PRIVILEGED.items() if getattr(INTENTS, name))


def unused_intents() -> tuple[str, ...]:
    """The privileged intents that may stay off, as the developer portal names them."""
    return tuple(title for name, title in _PRIVILEGED.items() if not getattr(INTENTS, name))

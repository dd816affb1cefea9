"""Who is offered the commands at all: nobody but the server's administrators, until they say so.

They open them to roles or people under Server Settings, Integrations. What somebody may do is
decided by BotMaker's own grants in any case; this keeps strangers from even asking.
"""

import discord

CLOSED = discord.Permissions.none()

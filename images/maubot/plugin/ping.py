"""A small maubot plugin to replace with yours: it answers `pong` to `!ping`."""

from maubot import MessageEvent, Plugin
from maubot.handlers import command


class Ping(Plugin):
    """The example plugin."""

    @command.new("ping", help="Are you there?")
    async def ping(self, event: MessageEvent) -> None:
        """Answer the command."""
        await event.reply("pong")

"""A small Discord bot, to be changed into yours.

It says `pong` to the command /ping, and to `ping` where it is mentioned or written to directly.
What BotMaker asks of it: read the token from its file, end with status 78 where a restart cannot
help, and keep a file fresh while it is connected: `healthy.py`, next door, looks at that.
"""

import os
import signal
import sys
from pathlib import Path

import discord
import yarl
from discord.ext import tasks

TOKEN = Path("/run/secrets/channel_token")
CONNECTED = Path("/tmp/connected")
NEEDS_A_PERSON = 78
NEW_TOKEN = "Make a new one in the developer portal and enter it with /bot secrets."

if other := os.environ.get("DISCORD_API_URL"):  # another server of the same protocol, for tests
    discord.http.Route.BASE = other
    gateway = yarl.URL(os.environ["DISCORD_GATEWAY_URL"])
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = gateway


class Bot(discord.Client):
    """Your bot: what it hears and what it answers."""

    def __init__(self) -> None:
        # No privileged intent: mentions and direct messages come with their text anyway.
        super().__init__(intents=discord.Intents(guilds=True, messages=True))
        self.tree = discord.app_commands.CommandTree(self)
        self.tree.command(name="ping", description="Are you there?")(ping)

    async def setup_hook(self) -> None:
        """Tell Discord the commands; begin the pulse."""
        await self.tree.sync()
        self.pulse.start()

    async def on_message(self, message: discord.Message) -> None:
        """Answer a mention or a direct message."""
        asked = message.guild is None or self.user in message.mentions
        if asked and not message.author.bot and "ping" in message.content.lower():
            await message.reply("pong")

    async def on_ready(self) -> None:
        """Say in the log that it works."""
        print(f"Connected as {self.user}.")

    @tasks.loop(seconds=2)
    async def pulse(self) -> None:
        """Keep the file fresh while the gateway is connected, and only then."""
        tell(connected=self.is_ready() and self.ws.open)


async def ping(interaction: discord.Interaction) -> None:
    """Answer the command."""
    await interaction.response.send_message("pong")


def tell(*, connected: bool) -> None:
    """Let the health check know."""
    if connected:
        CONNECTED.touch()
    else:
        CONNECTED.unlink(missing_ok=True)


def main() -> int:
    """Run until it is stopped; a refused token is one sentence and status 78."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # say goodbye to Discord first
    try:
        Bot().run(TOKEN.read_text().strip())
    except OSError as error:
        if error.filename != str(TOKEN):
            raise
        return fail(f"The channel token cannot be read: {error.strerror}.")
    except discord.LoginFailure:
        return fail(f"Discord refuses the channel token. {NEW_TOKEN}")
    except discord.ConnectionClosed as closed:
        if closed.code != 4004:
            raise
        return fail(f"Discord does not take the channel token any more. {NEW_TOKEN}")
    return 0


def fail(sentence: str) -> int:
    """Say what a person has to do."""
    print(sentence, file=sys.stderr)
    return NEEDS_A_PERSON


if __name__ == "__main__":
    sys.exit(main())

"""A small Discord bot to start your own from.

It answers `pong` to the command /ping, and to `ping` in a mention or a direct message.
What BotMaker needs from it: it reads the token from its file, exits with status 78 if a restart
can't help, and keeps touching a file while it is connected, which `healthy.py` next door checks.
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
NEW_TOKEN = "Create a new one in the developer portal and enter it with /bot secrets."

if other := os.environ.get("DISCORD_API_URL"):  # for tests: another server with Discord's protocol
    discord.http.Route.BASE = other
    gateway = yarl.URL(os.environ["DISCORD_GATEWAY_URL"])
    discord.gateway.DiscordWebSocket.DEFAULT_GATEWAY = gateway


class Bot(discord.Client):
    """Your bot: what it hears and what it answers."""

    def __init__(self) -> None:
        # No privileged intent needed: mentions and direct messages include their text anyway.
        super().__init__(intents=discord.Intents(guilds=True, messages=True))
        self.tree = discord.app_commands.CommandTree(self)
        self.tree.command(name="ping", description="Are you there?")(ping)

    async def setup_hook(self) -> None:
        """Register the commands with Discord, and start the pulse."""
        await self.tree.sync()
        self.pulse.start()

    async def on_message(self, message: discord.Message) -> None:
        """Answer a mention or a direct message."""
        asked = message.guild is None or self.user in message.mentions
        if asked and not message.author.bot and "ping" in message.content.lower():
            await message.reply("pong")

    async def on_ready(self) -> None:
        """Log that the bot is connected."""
        print(f"Connected as {self.user}.")

    @tasks.loop(seconds=2)
    async def pulse(self) -> None:
        """Keep touching the file while, and only while, the gateway is connected."""
        tell(connected=self.is_ready() and self.ws.open)


async def ping(interaction: discord.Interaction) -> None:
    """Answer the command /ping."""
    await interaction.response.send_message("pong")


def tell(*, connected: bool) -> None:
    """Create or remove the file that the health check looks at."""
    if connected:
        CONNECTED.touch()
    else:
        CONNECTED.unlink(missing_ok=True)


def main() -> int:
    """Run until stopped; for a refused token print one sentence and return 78."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # to leave Discord properly
    try:
        Bot().run(TOKEN.read_text().strip())
    except OSError as error:
        if error.filename != str(TOKEN):
            raise
        return fail(f"The channel token can't be read: {error.strerror}.")
    except discord.LoginFailure:
        return fail(f"Discord refuses the channel token. {NEW_TOKEN}")
    except discord.ConnectionClosed as closed:
        if closed.code != 4004:
            raise
        return fail(f"Discord no longer accepts the channel token. {NEW_TOKEN}")
    return 0


def fail(sentence: str) -> int:
    """Print what a person has to do; returns the exit status."""
    print(sentence, file=sys.stderr)
    return NEEDS_A_PERSON


if __name__ == "__main__":
    sys.exit(main())

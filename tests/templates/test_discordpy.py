"""The template `discordpy`: a real discord.py bot in its container, with a Discord of its own."""

from __future__ import annotations

import asyncio
from pathlib import Path

import docker
import pytest

from tests.loopback import LoopbackDiscord
from tests.process.process import eventually
from tests.templates.shop import (
    HARDENED,
    a_discord_token,
    copy_of,
    fill_in,
    hardening,
    log_of,
    make,
    open_shop,
)

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]


def beside(discord: LoopbackDiscord) -> dict[str, str]:
    """The template with another server of Discord's protocol, asked for its health each second."""
    variables = f'DISCORD_API_URL="{discord.api_url}", DISCORD_GATEWAY_URL="{discord.gateway_url}"'
    changes = {
        'user = "1000:1000"': f'user = "1000:1000"\nenv = {{ {variables} }}',
        "interval = 10": "interval = 1",
    }
    return {"pong": copy_of("discordpy", "pong", changes)}


async def test_it_answers_in_discord_and_is_running_only_while_it_is_connected(
    tmp_path: Path, docker_client: docker.APIClient, discordpy_image: str, bridge: str
) -> None:
    """From /bot create to its answers; away from the gateway it is shown as unhealthy."""
    async with LoopbackDiscord(token=a_discord_token(), host=bridge) as discord:
        async with open_shop(tmp_path, docker_client, beside(discord)) as place:
            bot_id = await make(place, "pong", "pong", {"channel_token": discord.token})
            await discord.wait_ready(timeout=30)
            await place.card_says("pong", "— running", timeout=30)

            bob = discord.person("bob")
            assert (await bob.slash("ping")).text == "pong"
            await bob.say(f"<@{discord.bot_user_id}> Ping?")
            await bob.say("ping", channel_id=bob.dm_channel_id)
            for channel in (discord.admin_channel_id, bob.dm_channel_id):
                await discord.until(
                    lambda w, where=channel: "pong" in [m.content for m in w.messages(where)]
                )
            made = place.controller.inspect(bot_id)
            assert made is not None
            assert hardening(made) == HARDENED

            with discord.gateway.paused():
                await discord.gateway.drop()
                await place.card_says("pong", "— unhealthy", timeout=30)
                assert "Not connected to Discord." in place.card("pong").content
            await place.card_says("pong", "— running", timeout=40)
            assert place.controller.leaks() == []
            assert discord.token not in log_of(place, bot_id)


async def test_a_refused_token_ends_it_with_words_and_a_new_one_brings_it_back(
    tmp_path: Path, docker_client: docker.APIClient, discordpy_image: str, bridge: str
) -> None:
    """Status 78, the bot's own sentence in the channel, no restart loop; then /bot secrets."""
    async with LoopbackDiscord(token=a_discord_token(), host=bridge) as discord:
        async with open_shop(tmp_path, docker_client, beside(discord)) as place:
            bot_id = await make(place, "pong", "pong", {"channel_token": a_discord_token()})
            await place.card_says("pong", "Discord refuses the channel token.", timeout=30)
            assert "78" in place.card("pong").content
            await asyncio.sleep(3)
            made = place.controller.inspect(bot_id)
            assert made is not None
            assert made["State"]["Running"] is False
            assert made["RestartCount"] <= 1  # the engine's own, before the controller saw the end
            assert discord.gateway.sessions == 0

            await place.ann.slash("bot secrets", name="pong")
            await eventually(lambda: len([m for m in place.ann.dms if m.labels()]) > 1)
            await fill_in(place, "pong", {"channel_token": discord.token})
            await place.card_says("pong", "— running", timeout=30)
            assert discord.gateway.connected

"""What is said when Discord can't be used: whether it refused something, or can't be reached."""

from __future__ import annotations

from typing import Any

import aiohttp
import discord
import pytest

from controller.chat.login import connection_trouble
from demo.world import World
from tests.chat.acting import make


class Answer:
    """As much of an HTTP answer as discord.py's error reads."""

    def __init__(self, status: int) -> None:
        self.status, self.reason = status, "no"
        self.headers: dict[str, str] = {}


def refused(status: int, body: dict[str, Any]) -> discord.HTTPException:
    """Discord's refusal."""
    return discord.HTTPException(Answer(status), body)  # type: ignore[arg-type]


async def test_refused_commands_are_named_and_the_network_is_not_blamed(world: World) -> None:
    """A 400 says which command and why; nobody looks for a broken cable."""
    await make(world)
    client = world.application.client
    commands: Any = client.tree.get_commands(guild=discord.Object(world.guild.id))
    reason = {"_errors": [{"code": "BASE_TYPE_MAX_LENGTH", "message": "Must be 100 or fewer."}]}
    body = {"code": 50035, "message": "Invalid Form Body", "errors": {"0": {"description": reason}}}
    failure = discord.app_commands.CommandSyncFailure(refused(400, body), commands)
    found = connection_trouble(failure)
    assert "Discord refused BotMaker's commands" in found.message
    assert commands[0].name in found.message
    assert "Must be 100 or fewer." in found.message
    assert "not in the network" in found.hint
    assert found.code == "commands-refused"


@pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 422])
def test_any_other_refusal_is_one_too(status: int) -> None:
    """With Discord's own words."""
    found = connection_trouble(refused(status, {"code": 1, "message": "Not like this"}))
    assert "Discord refused a request" in found.message
    assert "Not like this" in found.message
    assert "Check the network" not in found.hint


def test_a_rate_limit_asks_for_patience() -> None:
    """Neither network nor rights."""
    assert "wait some minutes" in connection_trouble(refused(429, {"message": "slow"})).hint


@pytest.mark.parametrize(
    "error", [refused(502, {"message": "bad"}), aiohttp.ClientError("x"), discord.GatewayNotFound()]
)
def test_what_cannot_be_reached_is_the_network(error: Exception) -> None:
    """No answer, or one of a broken server."""
    assert connection_trouble(error).hint == "Check the network and try again."

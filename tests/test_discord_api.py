"""What the bot sends, judged by Discord's own API description where that file is at hand.
Next door: loopback/openapi.py is the judge; each loopback Discord asks it when it ends, so every
request of every test that uses one is checked. Here is that it judges at all."""

from __future__ import annotations

from typing import Any

import discord
import pytest

from tests.loopback import LoopbackDiscord
from tests.loopback.openapi import DiscordApi, judge
from tests.smallbot import SmallBot, point_discord_at, running

pytestmark = pytest.mark.openapi
CALLBACK = "/interactions/1/token/callback"
CASES: list[tuple[str, str, Any, bool]] = [
    ("POST", "/channels/1/messages", {"content": "x", "tts": False, "flags": 4}, True),
    ("POST", "/channels/1/messages", {"content": "x" * 4001}, False),
    ("POST", "/channels/1/messages", {"content": 5}, False),
    ("PATCH", "/channels/1/messages/2", {"content": "x", "flags": "4"}, False),
    ("PATCH", "/webhooks/1/token/messages/@original", {"content": "x", "flags": 4}, True),
    ("POST", CALLBACK, {"type": 5, "data": {"flags": 64}}, True),
    ("POST", CALLBACK, {"type": 99}, False),
    ("PUT", "/applications/1/guilds/2/commands", [{"name": "x" * 33, "description": "d"}], False),
    ("GET", "/channels/1", None, True),
    ("GET", "/nowhere", None, False),
]


@pytest.mark.parametrize(("method", "path", "body", "right"), CASES)
def test_the_judge_tells_right_from_wrong(method: str, path: str, body: Any, right: bool) -> None:
    """A wrong type, a text that's too long, an unknown kind, a path that doesn't exist."""
    api = judge()
    assert isinstance(api, DiscordApi)
    trouble = api.trouble(method, path, body)
    assert (trouble == "") is right, trouble


async def test_a_wrong_request_fails_the_test_that_made_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Though the loopback itself let it pass."""
    async with LoopbackDiscord() as world:
        point_discord_at(world, monkeypatch)
        bot = SmallBot(world)
        async with running(bot, world):
            ann = world.person("ann")
            assert world.objections() == []
            await bot.http.request(
                discord.http.Route("POST", "/users/@me/channels"),
                json={"recipient_id": str(ann.id), "access_tokens": 5},
            )
        (objection,) = world.objections()
        assert objection.startswith("POST /users/@me/channels")
        world.requests.clear()

"""Answers that are none of Discord's: what discord.py makes of them is no bug of ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import discord
import pytest
from aiohttp import web
from discord.http import Route
from discord.webhook.async_ import AsyncWebhookAdapter

from controller.chat.requests import discord_trouble as trouble

PAGE = "<html>slow down</html>"
BODIES = [(PAGE, "text/html"), ("null", "application/json"), ('{"a": 1}', "application/json")]


@pytest.fixture(params=BODIES, ids=["a page", "nothing", "something else"])
async def proxy(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[aiohttp.ClientSession]:
    """Something between us and Discord that answers 429 in words of its own."""
    text, kind = request.param

    async def answer(_: web.Request) -> web.Response:
        headers = {"Via": "1.1 proxy", "Content-Type": kind}
        return web.Response(status=429, body=text.encode(), headers=headers)

    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    monkeypatch.setattr(Route, "BASE", f"http://{host}:{port}")
    async with aiohttp.ClientSession() as session:
        yield session
    await runner.cleanup()


async def test_a_webhooks_429_that_is_none_of_discords_is_its_trouble(
    proxy: aiohttp.ClientSession,
) -> None:
    """Interactions are answered that way: the answer is owed, and no incident is reported."""
    route = Route("POST", "/interactions/1/token/callback")
    with pytest.raises(discord.DiscordException) as caught, trouble.reading_discord():
        await AsyncWebhookAdapter().request(route, session=proxy, payload={"type": 5})
    assert trouble.is_discords_trouble(caught.value)
    assert isinstance(caught.value, trouble.TROUBLE)


async def test_a_requests_429_that_is_none_of_discords_is_its_trouble(
    proxy: aiohttp.ClientSession,
) -> None:
    """The login and the cards go that way: both are tried again."""
    assert not proxy.closed
    http = discord.http.HTTPClient(asyncio.get_running_loop())
    try:
        with pytest.raises(discord.DiscordException) as caught, trouble.reading_discord():
            await http.static_login("obvious-fake-token")  # its first request
        assert trouble.is_discords_trouble(caught.value)
    finally:
        await http.close()


@pytest.mark.parametrize("error", [TypeError("ours"), KeyError("ours"), ValueError("ours")])
def test_a_bug_of_ours_stays_a_bug_of_ours(error: Exception) -> None:
    """Only what discord.py itself raised while it read an answer is taken for Discord's doing."""
    with pytest.raises(type(error)), trouble.reading_discord():
        raise error
    assert not trouble.is_discords_trouble(error)

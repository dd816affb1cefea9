"""Secrets that a service was asked about: what it accepted is told, what it refused is asked again.

The services are a small server on this machine, named by the setting for that.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from aiohttp import web
from simcord.results import InteractionResult

from controller.domain.phase import Phase
from demo.world import World
from tests.chat.acting import KEY, TOKEN, as_admin, direct, labels, make, ready_bot, said
from tests.chat.conftest import ECHO
from tests.chat.house import House

GOOD = {"api_key": KEY, "channel_token": TOKEN}
BAD = {"api_key": KEY, "channel_token": "123456:a-token-of-nobody"}

# The echo bot, whose secrets two services know.
ASKED = (
    ECHO.replace('id = "echo"', 'id = "asked"')
    .replace('label = "Anthropic API key"', 'label = "Anthropic API key"\ncheck = "anthropic"')
    .replace('label = "Telegram bot token"', 'label = "Telegram bot token"\ncheck = "telegram"')
)


@dataclass(slots=True)
class Services:
    """Stand-ins that know one good value each."""

    base: str = ""
    asked: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        """As the real ones would: a yes with a name, or 401."""
        service = request.path.split("/")[1]
        self.asked.append(service)
        if service == "anthropic":
            good = request.headers.get("x-api-key") == KEY
            return web.json_response({"data": []}, status=200 if good else 401)
        good = f"/bot{TOKEN}/" in request.path
        me = {"is_bot": True, "username": "shop_bot", "can_join_groups": False}
        body = {"ok": True, "result": me} if good else {"ok": False, "error_code": 401}
        return web.json_response(body, status=200 if good else 401)


@pytest.fixture
async def services() -> AsyncIterator[Services]:
    """The services, on a free port."""
    found = Services()
    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", found.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    found.base = f"http://{host}:{port}"
    yield found
    await runner.cleanup()


@pytest.fixture
async def world(house: House, templates: Path, services: Services) -> AsyncIterator[World]:
    """BotMaker with those services."""
    (templates / "asked.toml").write_text(ASKED)
    house.settings = house.settings.model_copy(update={"live_checks": services.base})
    async with house.controller() as world:
        yield world


async def submit(world: World, shown: InteractionResult, values: dict[str, str]) -> str:
    """The words that a submit answers."""
    return said(await world.admin.user.submit_modal(shown, values))


async def test_accepted_secrets_are_told_with_what_the_services_said(
    world: World, services: Services
) -> None:
    """Who was met, and what is to be mended there; the bot runs."""
    await make(world, "shop", "asked")
    shown = await world.admin.user.click(direct(world.admin), label="Enter secrets")
    text = await submit(world, shown, GOOD)
    assert "ℹ️ Telegram accepts it: the bot @shop_bot." in text
    assert "/setjoingroups" in text
    assert "🟢 **shop** — running" in text
    assert sorted(services.asked) == ["anthropic", "telegram"]


async def test_a_refused_secret_is_named_and_the_others_are_kept(world: World) -> None:
    """The answer says who refused it and what is stored; the form opens again, and what is kept can
    be left empty there."""
    await make(world, "shop", "asked")
    shown = await world.admin.user.click(direct(world.admin), label="Enter secrets")
    refused = await world.admin.user.submit_modal(shown, BAD)
    text = said(refused)
    assert "Telegram doesn't accept it." in text
    bot = world.application.installation.tools.fleet.named("shop").bot
    credentials = world.application.manager.credentials
    assert await credentials.fingerprints_of(as_admin(world), bot) == {}
    assert "Kept: Anthropic API key `" in text
    for value in BAD.values():
        assert value not in text
    assert world.application.installation.tools.fleet.named("shop").phase is Phase.CREATED

    assert refused.response is not None
    assert labels(refused.response) == ["Enter secrets"]
    again = await world.admin.user.click(refused.response, label="Enter secrets")
    assert again.modal is not None
    found = {part["label"]: part["component"] for part in again.modal["components"]}
    assert not found["Anthropic API key"]["required"]
    assert found["Anthropic API key"]["placeholder"] == "Leave it empty to keep the current value."
    assert found["Telegram bot token"]["required"]
    assert "🟢 **shop** — running" in await submit(world, again, {"channel_token": TOKEN})
    stored = await credentials.fingerprints_of(as_admin(world), bot)
    assert f"Anthropic API key `{stored['api_key']}`" in text


async def test_a_refused_rotation_changes_nothing(world: World) -> None:
    """The bot goes on with what it has."""
    view = await ready_bot(world, "shop", "asked")
    await world.admin.slash(world.channel, "bot secrets", name="shop")
    shown = await world.admin.user.click(direct(world.admin), label="Enter secrets")
    text = await submit(world, shown, {"channel_token": BAD["channel_token"]})
    assert "Telegram doesn't accept it." in text
    assert "The bot was not changed." in text
    folder = world.application.settings.secrets_dir / view.bot.id
    assert (folder / "channel_token").read_text() == TOKEN
    assert (
        world.application.installation.tools.fleet.named("shop").world.container
        == view.world.container
    )

"""One token, one bot, as a person sees it; BotMaker's own token is for no bot at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from controller.domain.phase import Phase
from demo.world import World
from tests.chat.acting import KEY, TOKEN, fill, make, said, until_phase
from tests.chat.conftest import ECHO
from tests.chat.house import House

OWN = "fake-token-of-botmaker-itself"
CHECKED = ECHO.replace('id = "echo"', 'id = "tele"').replace(
    'label = "Telegram bot token"', 'label = "Telegram bot token"\ncheck = "telegram"'
)


@pytest.fixture
def templates(templates: Path) -> Path:
    """One more template, whose token is a bot's."""
    (templates / "tele.toml").write_text(CHECKED)
    return templates


async def test_a_second_bot_on_a_token_is_refused_by_the_first_ones_name(world: World) -> None:
    """The key beside it is kept, and the form opens again for another token."""
    typed = {"api_key": KEY, "channel_token": TOKEN}
    await make(world, "first", "tele")
    await fill(world, typed)
    await make(world, "second", "tele")
    text = said(await fill(world, typed))
    assert "The Telegram bot token is already used by first." in text
    assert "Two bots can't share it" in text
    assert "Kept: Anthropic API key" in text
    assert TOKEN not in text
    await fill(world, {"api_key": "", "channel_token": "another-token"})
    await until_phase(world, "second", Phase.RUNNING)


async def test_botmakers_own_token_is_refused(house: House) -> None:
    """It comes from the settings, and is compared without being kept anywhere."""
    token = {"discord_token": SecretStr(f" {OWN}\n")}
    house.settings = house.settings.model_copy(update=token)
    async with house.controller() as world:
        view = await make(world)
        text = said(await fill(world, {"api_key": KEY, "channel_token": OWN}))
        assert "The Telegram bot token is the token that BotMaker itself runs on." in text
        assert "Developer Portal" in text
        assert OWN not in text
        assert not (world.application.settings.secrets_dir / view.bot.id).exists()
        assert "running" in said(await fill(world, {"api_key": KEY, "channel_token": TOKEN}))

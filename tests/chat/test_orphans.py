"""`/fleet orphans`: what belongs to no bot, with age and size; a red button removes just that."""

from __future__ import annotations

from pathlib import Path

from controller.domain.names import new_bot_id
from demo.world import World
from tests.chat.acting import labels, said
from tests.chat.house import House


def lost(house: House) -> Path:
    """A secrets folder of a bot that is gone."""
    folder = house.settings.secrets_dir / new_bot_id()
    folder.mkdir(parents=True)
    (folder / "api_key").write_text("x" * 2048)
    return folder


async def test_what_was_listed_is_removed_and_told(world: World, house: House) -> None:
    """With how much it holds; afterwards nothing is left over."""
    empty = await world.admin.slash(world.channel, "fleet orphans")
    assert said(empty) == "Nothing is left over: everything belongs to a bot."
    folder = lost(house)
    answer = await world.admin.slash(world.channel, "fleet orphans")
    text = said(answer)
    assert "**1 thing without a bot**" in text
    assert f"- secrets folder `{folder.name}` · created <t:" in text
    assert "2.0 KB" in text
    assert "run `botmaker adopt`" in text
    assert answer.response is not None
    assert labels(answer.response) == ["Remove it"]
    await world.admin.click(answer.response, label="Remove it")
    assert answer.response.content == "Removed 1 thing."
    assert not folder.exists()


async def test_what_came_since_it_was_listed_stops_the_button(world: World, house: House) -> None:
    """Nothing is removed that nobody has read of."""
    first = lost(house)
    answer = await world.admin.slash(world.channel, "fleet orphans")
    assert answer.response is not None
    second = lost(house)
    pressed = await world.admin.click(answer.response, label="Remove it")
    (beside,) = pressed.followups
    assert "has changed since it was listed" in beside.content
    assert first.exists()
    assert second.exists()

"""A copy of a bot by the More of its card: a form asks for the name of the copy."""

from __future__ import annotations

from demo.world import World
from tests.chat.acting import COMPONENT, forge, newcomer, press, said
from tests.chat.test_actions import handy


async def test_a_bot_is_copied_from_its_card(world: World) -> None:
    """The copy has the settings and waits for secrets; a name that is taken is refused in words."""
    view = await handy(world)
    card = await world.admin.send(world.channel, "scrap")
    opened = forge(
        world, world.admin, world.channel, COMPONENT, press(f"askclone:{view.bot.id}"), card
    )
    await world.env.settle()
    assert opened.modal is not None
    assert opened.modal["title"] == "A bot like shop"
    text = said(await world.admin.submit_modal(opened, {"name": "second"}))
    assert "second" in text
    copy = world.application.installation.tools.fleet.named("second").bot
    assert (copy.template, copy.fields) == (view.bot.template, view.bot.fields)
    again = forge(
        world, world.admin, world.channel, COMPONENT, press(f"askclone:{view.bot.id}"), card
    )
    await world.env.settle()
    taken = said(await world.admin.submit_modal(again, {"name": "shop"}))
    assert "already a bot called shop" in taken
    eve = newcomer(world, "eve")
    refused = forge(world, eve, world.channel, COMPONENT, press(f"askclone:{view.bot.id}"), card)
    await world.env.settle()
    assert "Copying a bot needs the role admin" in said(refused)

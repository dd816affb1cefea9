"""The message of the first start: posted once, and its button creates a bot."""

from __future__ import annotations

import json
from typing import Any

import discord
from simcord.results import InteractionResult

from controller.domain.phase import Phase
from demo.world import World
from tests.chat.acting import (
    COMPONENT,
    MODAL_SUBMIT,
    buttons_of,
    fill,
    filled,
    forge,
    is_welcome,
    labels,
    make,
    newcomer,
    press,
    public,
    said,
    until_phase,
)
from tests.chat.house import House
from tests.chat.test_edit import inputs

# The echo template goes by its id: the tests have several that are called "Echo bot".
TYPED: dict[str, Any] = {
    "name": "shop",
    "template": ["echo"],
    "provider": "",
    "model": "",
    "channel": "",
}


def welcomes(world: World | House) -> list[discord.Message]:
    """Every message of the first start: one, or something is wrong."""
    return [message for message in world.channel.history() if is_welcome(message)]


async def opened(world: World) -> InteractionResult:
    """The form behind the button."""
    (message,) = welcomes(world)
    return await world.admin.click(message, label="Create a bot")


async def submitted(world: World, **typed: Any) -> InteractionResult:
    """The form, filled in and sent."""
    return await world.admin.submit_modal(await opened(world), TYPED | typed)


async def note(world: World, **changes: object) -> None:
    """Change what is noted about the message, as a kill at that moment would leave it."""
    notebook = world.application.manager.notebook
    kept = json.loads(await notebook.recall("welcome"))
    await notebook.remember("welcome", json.dumps(kept | changes))


async def test_the_first_message_says_what_to_do(world: World) -> None:
    """It comes before everything else, in a few steps, with one button."""
    first, *others = world.channel.history()
    assert others == []
    assert is_welcome(first)
    assert labels(first) == ["Create a bot"]
    for words in (
        "**BotMaker is ready.** This channel is its control room",
        "**1.** Press **Create a bot**, or type `/bot create`.",
        "**2.** Enter its secrets",
        "`botmaker build-image demo`",
        "`/help` shows what you can do here.",
    ):
        assert words in first.content


async def test_the_button_creates_a_bot_as_the_command_does(world: World) -> None:
    """The form asks for the same; what is left empty is the template's first."""
    boxes = inputs(await opened(world))
    assert list(boxes) == [
        "Name",
        "What kind of bot",
        "Whose model it uses",
        "Which model",
        "Where people talk to it",
    ]
    offered = [option["value"] for option in boxes["What kind of bot"]["options"]]
    assert {"Demo bot", "Plain bot", "echo", "checked"} <= set(offered)
    assert len(offered) == len(world.application.manager.bots.templates)
    text = said(await submitted(world))
    assert text.startswith("**shop** is created. Enter its secrets to start it")
    view = await until_phase(world, "shop", Phase.CREATED)
    assert (view.bot.provider, view.bot.model, view.bot.channel) == (
        "anthropic",
        "claude-small",
        "telegram",
    )
    await fill(world)
    await until_phase(world, "shop", Phase.RUNNING)
    text = said(await world.admin.slash(world.channel, "bot history", name="shop"))
    assert "**create**: done" in text


async def test_a_refused_form_opens_again_with_what_was_typed(world: World) -> None:
    """A name that is taken, a provider that doesn't exist: nothing is created, nothing is lost."""
    await make(world, "shop")
    for typed, words in (
        ({"name": "shop"}, "There is already a bot called shop"),
        ({"name": "other", "provider": "acme"}, "Echo bot has no such provider."),
    ):
        refused = await submitted(world, **typed)
        assert words in said(refused)
        assert refused.response is not None
        assert labels(refused.response) == ["Open the form again"]
        again = await world.admin.click(refused.response, label="Open the form again")
        boxes = inputs(again)
        assert boxes["Name"]["value"] == typed["name"]
        assert [o["value"] for o in boxes["What kind of bot"]["options"] if o.get("default")] == [
            "echo"
        ]
    done = await world.admin.submit_modal(again, TYPED | {"name": "other"})
    assert "**other** is created" in said(done)
    assert len(world.application.installation.tools.fleet) == 2


async def test_who_may_not_create_is_refused_at_the_button_and_at_the_form(world: World) -> None:
    """A role that is taken away in between counts at once."""
    person = newcomer(world, "bob")
    (message,) = welcomes(world)
    pressed = await person.click(message, label="Create a bot")
    assert "Creating a bot needs the role admin; you have no role here." in said(pressed)
    await world.admin.slash(world.channel, "access grant", who=person, role="admin")
    shown = await person.click(message, label="Create a bot")
    assert shown.modal is not None
    await world.admin.slash(world.channel, "access revoke", who=person)
    refused = await person.submit_modal(shown, TYPED)
    assert "Creating a bot needs the role admin" in said(refused)
    assert len(world.application.installation.tools.fleet) == 0


async def test_it_is_posted_once_in_an_installations_life(house: House) -> None:
    """Not at the next start; not even if somebody deletes it."""
    async with house.controller() as world:
        (first,) = welcomes(world)
    async with house.controller() as world:
        assert [message.id for message in welcomes(world)] == [first.id]
        text = said(await submitted(world))  # the button works on
        assert "**shop** is created" in text
    house.env.backend.delete_message(house.channel.id, first.id)
    async with house.controller() as world:
        assert welcomes(world) == []


async def test_a_kill_before_or_after_the_post_makes_neither_none_nor_two(house: House) -> None:
    """What is noted then: it is due; it was tried and stands there; it was tried and doesn't."""
    async with house.controller() as world:
        (first,) = welcomes(world)
        await note(world, state="tried")
    for words in ("in between", "and more"):
        await house.admin.send(house.channel, words)
    async with house.controller() as world:
        assert [message.id for message in welcomes(world)] == [first.id]
        await note(world, state="tried")
    house.env.backend.delete_message(house.channel.id, first.id)
    async with house.controller() as world:
        (again,) = welcomes(world)
        assert again.id != first.id
        await note(world, state="due")
    house.env.backend.delete_message(house.channel.id, again.id)
    async with house.controller() as world:
        assert len(welcomes(world)) == 1


async def test_somebody_elses_message_with_such_a_button_is_not_ours(house: House) -> None:
    """Only what BotMaker itself has posted counts as its message."""
    async with house.controller() as world:
        (first,) = welcomes(world)
        await note(world, state="tried")
    stored = house.env.backend.get_message(house.channel.id, first.id)
    object.__setattr__(stored, "author_id", house.admin.id)
    async with house.controller() as world:
        assert len(welcomes(world)) == 2


async def test_an_installation_that_has_bots_gets_no_welcome(house: House) -> None:
    """It was updated from a version without this message; its people know what to do."""
    async with house.controller() as world:
        await make(world)
        notebook = world.application.manager.notebook
        await notebook.remember("welcome", "")
        (first,) = welcomes(world)
    house.env.backend.delete_message(house.channel.id, first.id)
    async with house.controller() as world:
        await until_phase(world, "shop", Phase.CREATED)
        assert welcomes(world) == []
        assert len(public(world)) == 1


async def test_a_form_that_was_forged_creates_nothing(world: World) -> None:
    """Fields that aren't there, a template that doesn't exist: words, no incident."""
    (message,) = welcomes(world)
    typed = TYPED | {"template": "nosuch"}
    for data in (filled("create:new", {}), filled("create:", typed), filled("create:x", typed)):
        result = forge(world, world.admin, world.channel, MODAL_SUBMIT, data)
        await world.env.settle(idle=0.002)
        assert said(result).startswith("❌")
        assert "incident" not in said(result)
    result = forge(world, world.admin, world.channel, COMPONENT, press("create"), message)
    await world.env.settle(idle=0.002)
    assert "out of date" in said(result)
    assert len(world.application.installation.tools.fleet) == 0
    assert [button["custom_id"] for button in buttons_of(message)] == ["create:new"]

"""`/bot create` with only a name: everything else by selects, and the form where the person is."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simcord.results import ResponseMessage

from controller.chat.forms.guided_form import complete, mark
from controller.domain.names import NAME_MAX
from controller.domain.phase import Phase
from demo.world import World
from tests.chat.acting import (
    COMPONENT,
    VALUES,
    buttons_of,
    card,
    direct,
    engine_of,
    forge,
    labels,
    newcomer,
    picks,
    press,
    said,
    until_card,
    until_phase,
)
from tests.chat.house import House


async def asked(world: World, **options: str) -> ResponseMessage:
    """The answer to `/bot create` without a template."""
    options = {"name": "shop", **options}
    answer = await world.admin.slash(world.channel, "bot create", **options)
    said(answer)
    assert answer.response is not None
    found: ResponseMessage = answer.response
    return found


async def pick(world: World, message: ResponseMessage, key: str, label: str) -> None:
    """Pick this in the select with that key."""
    (found,) = [one for one in selects(message) if one["custom_id"] == f"pick:{key}"]
    value = next(one["value"] for one in found["options"] if one["label"] == label)
    await world.admin.select(message, values=[value], custom_id=found["custom_id"])


def selects(message: ResponseMessage) -> list[dict[str, Any]]:
    """The selects under a message."""
    parts = [part for row in message.components for part in row["components"]]
    return [part for part in parts if part["type"] == 3]


def chosen(message: ResponseMessage) -> list[str]:
    """What stands in each select."""
    every = [option for one in selects(message) for option in one["options"]]
    return [option["label"] for option in every if option["default"]]


async def test_what_is_left_open_is_asked_for_with_the_defaults_in_sight(world: World) -> None:
    """Template, provider, model and channel; a pick shows what it leads to."""
    message = await asked(world)
    assert "**shop** — a new bot." in message.content
    await pick(world, message, "template", "Echo bot (echo)")
    assert chosen(message) == ["Echo bot (echo)", "Anthropic", "claude-small", "Telegram"]
    await pick(world, message, "model", "claude-large")
    await pick(world, message, "channel", "Slack")
    assert chosen(message) == ["Echo bot (echo)", "Anthropic", "claude-large", "Slack"]
    await pick(world, message, "provider", "OpenAI")
    assert chosen(message) == [
        "Echo bot (echo)",
        "OpenAI",
        "Slack",
    ]  # of one model there's no choice


async def test_what_was_chosen_is_created_and_its_form_is_right_there(world: World) -> None:
    """Create, Enter secrets, running: without leaving the channel."""
    message = await asked(world)
    await pick(world, message, "template", "Echo bot (echo)")
    await pick(world, message, "channel", "Slack")
    assert len(world.application.installation.tools.fleet) == 0
    await world.admin.click(message, label="Create")
    assert "**shop** is created. Enter its secrets to start it" in message.content
    assert labels(message) == ["Enter secrets"]
    assert selects(message) == []
    shown = await world.admin.click(message, label="Enter secrets")
    assert "🟢 **shop** — running" in said(await world.admin.submit_modal(shown, VALUES))
    bot = (await until_phase(world, "shop", Phase.RUNNING)).bot
    assert (bot.template, bot.provider, bot.channel) == ("echo", "anthropic", "slack")


async def test_each_template_says_what_it_is_and_whether_its_image_is_ready(world: World) -> None:
    """And an engine that doesn't answer is no missing image."""
    message = await asked(world)
    (first,) = [one for one in selects(message) if one["custom_id"] == "pick:template"]
    below = {one["label"]: one["description"] for one in first["options"]}
    assert below["Handy bot"].startswith("Its image is ready. ")
    assert below["Echo bot (noimage)"].startswith("Its image is downloaded first. ")
    engine_of(world).go_away()
    await pick(world, message, "template", "Handy bot")
    assert "I can't see whether its image is ready." in message.content


async def test_a_refused_name_creates_nothing_and_asks_nothing(world: World) -> None:
    """Before anything is chosen."""
    answer = await world.admin.slash(world.channel, "bot create", name="A Bad Name")
    assert "A bot's name can only have" in said(answer)
    assert answer.response is not None
    assert buttons_of(answer.response) == []


async def test_a_name_that_was_taken_meanwhile_is_said_beside_the_choice(world: World) -> None:
    """The choice stays, for another try."""
    first, second = await asked(world), await asked(world)
    await world.admin.click(first, label="Create")
    pressed = await world.admin.click(second, label="Create")
    assert "**shop** — a new bot." in second.content
    assert labels(second) == ["Create"]
    told = pressed.followups[-1] if pressed.followups else pressed.response
    assert told is not None
    assert "❌" in told.content
    assert len(world.application.installation.tools.fleet) == 1


async def test_the_choice_works_after_a_restart_of_the_controller(house: House) -> None:
    """All of it stands in the ids."""
    async with house.controller() as world:
        message = await asked(world)
        await pick(world, message, "template", "Echo bot (echo)")
        await pick(world, message, "channel", "Slack")
    async with house.controller() as world:
        await world.admin.click(message, label="Create")
        assert (await until_phase(world, "shop", Phase.CREATED)).bot.channel == "slack"


async def test_a_press_by_somebody_who_may_not_create_does_nothing(world: World) -> None:
    """The ids are addresses, not rights."""
    message = await asked(world)
    bob = newcomer(world, "bob")
    (create,) = buttons_of(message)
    for custom_id in (create["custom_id"], create["custom_id"].replace("make", "choose")):
        forged = forge(world, bob, world.channel, COMPONENT, press(custom_id), message)
        await world.env.settle()
        assert "needs the role admin" in said(forged)
    assert len(world.application.installation.tools.fleet) == 0


@given(st.from_regex(rf"[a-z0-9]{{{NAME_MAX}}}", fullmatch=True), st.lists(st.text(), min_size=4))
def test_every_choice_fits_into_an_id(name: str, texts: list[str]) -> None:
    """Whatever templates, providers and models are called."""
    assert len(":".join(["choose", name, *map(mark, texts[:4])])) <= 100
    assert not any(":" in mark(text) for text in texts)


async def test_an_id_of_a_template_that_is_gone_means_the_first(world: World) -> None:
    """Nothing is created by mistake: the select shows what it is now."""
    offered = list(world.application.manager.bots.templates.values())
    found = complete("shop", offered, ["12345678"] * 4)
    assert found.template is offered[0]


# BOTMAKER_FORMS


@pytest.mark.parametrize(
    ("forms", "here", "by_dm"), [("both", 1, 1), ("dm", 0, 1), ("answer", 1, 0)]
)
async def test_the_button_is_offered_where_the_setting_says(
    house: House, forms: str, here: int, by_dm: int
) -> None:
    """In the answer, by direct message, or both; also to replace secrets."""
    house.settings = house.settings.model_copy(update={"forms": forms})
    async with house.controller() as world:
        answer = await world.admin.slash(world.channel, "bot create", name="shop", template="echo")
        said(answer)
        assert answer.response is not None
        assert labels(answer.response) == ["Enter secrets"] * here
        await until_card(world, "shop", "waiting for secrets")
        sent = []
        with contextlib.suppress(AssertionError):
            sent = labels(direct(world.admin))
        assert sent == ["Enter secrets"] * by_dm
        assert ("never shown again" in answer.response.content) == bool(here)


async def test_two_buttons_are_one_form(world: World) -> None:
    """Filled in by one, the other says that it was used."""
    answer = await world.admin.slash(world.channel, "bot create", name="shop", template="echo")
    assert answer.response is not None
    shown = await world.admin.click(answer.response, label="Enter secrets")
    await world.admin.submit_modal(shown, VALUES)
    await until_phase(world, "shop", Phase.RUNNING)
    again = await world.admin.user.click(direct(world.admin), label="Enter secrets")
    assert again.modal is None
    assert "This form was already used." in said(again)


async def test_nothing_of_the_choice_is_public(world: World) -> None:
    """Only the card is, once the bot exists."""
    message = await asked(world)
    assert message.ephemeral
    await asyncio.sleep(0.1)
    assert card(world, "shop") is None
    assert picks(message)

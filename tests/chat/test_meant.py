"""What people mean is done: capitals, titles and spaces are no mistakes."""

from __future__ import annotations

import pytest

from demo.world import World
from tests.chat.acting import fill, make, ready_bot, said
from tests.chat.test_actions import do, handy, prints
from tests.chat.test_autocomplete import suggested
from tests.chat.test_edit import edit


async def test_a_bot_is_created_from_what_suggestions_show(world: World) -> None:
    """A name with a capital, and the titles of template, provider and channel."""
    typed = {
        "name": "Shop ",
        "template": "Echo Bot (echo)",
        "provider": "OpenAI",
        "model": "GPT-One",
        "channel": "SLACK",
    }
    answer = await world.admin.slash(world.channel, "bot create", **typed)
    assert "**shop** is created" in said(answer)
    bot = world.application.installation.tools.fleet.named("SHOP").bot
    made = (bot.name, bot.template, bot.provider, bot.model, bot.channel)
    assert made == ("shop", "echo", "openai", "gpt-one", "slack")


async def test_suggestions_follow_a_title_as_they_follow_an_id(world: World) -> None:
    """Whoever typed the template's title is offered its providers, models and channels."""
    for template in ("echo", "Echo bot (echo)", "ECHO", "handy bot"):
        found = await suggested(world, "bot create", "channel", "", template=template)
        assert "telegram" in found
    title = "Echo bot (echo)"
    found = await suggested(world, "bot create", "model", "", template=title, provider="OPENAI")
    assert found == ["gpt-one"]


@pytest.mark.parametrize("phase", ["running", "Running", " RUNNING "])
async def test_a_phase_is_meant_in_any_case(world: World, phase: str) -> None:
    """As it's shown, and as a phone spells it."""
    await ready_bot(world)
    await make(world, "other")
    text = said(await world.admin.slash(world.channel, "bot list", phase=phase))
    assert "shop" in text
    assert "other" not in text


async def test_a_phase_of_two_words_is_meant_with_a_space(world: World) -> None:
    """`crash looping` is a phase; a made-up one lists them all."""
    text = said(await world.admin.slash(world.channel, "bot list", phase="Crash looping"))
    assert text == "No bot is in the phase crash-looping."
    text = said(await world.admin.slash(world.channel, "bot list", phase="asleep"))
    assert "There is no such phase." in text


async def test_an_action_and_a_page_are_meant_by_their_titles(world: World) -> None:
    """The suggestion shows the title, so the title will do."""
    await handy(world)
    prints(world, "fine")
    for action in ("status", "Show its status", "SHOW ITS STATUS ", "Status"):
        assert said(await do(world, action)).startswith("✅ **shop** — Show its status")
    for page in ("persona", "Persona", " PERSONA"):
        shown = await edit(world, page=page)
        assert shown.modal is not None
        assert shown.modal["title"] == "Persona of shop"


async def test_settings_are_trimmed_and_their_line_ends_made_one(world: World) -> None:
    """In an edit as in the first form."""
    await handy(world)
    shown = await edit(world)
    await world.admin.submit_modal(shown, {"greeting": "  Hello\t", "tone": ["curt"]})
    shown = await edit(world, page="persona")
    await world.admin.submit_modal(shown, {"persona": "One\r\nTwo\rThree"})
    fields = world.application.installation.tools.fleet.named("shop").bot.fields
    assert fields["greeting"] == "Hello"
    assert fields["persona"] == "One\nTwo\nThree"


async def test_a_fields_value_may_be_in_any_language(world: World) -> None:
    """Joiners and family emoji arrive as they were typed and are shown."""
    await make(world, "shop", "handy")
    await fill(world, {"api_key": "obvious-fake-key-0123456789"})
    words = "می‌خواهم 👨‍👩‍👧‍👦 क्‍ष"
    await world.admin.submit_modal(await edit(world), {"greeting": words})
    bot = world.application.installation.tools.fleet.named("shop").bot
    assert bot.fields["greeting"] == words
    refused = await world.admin.submit_modal(await edit(world), {"greeting": "pay\u202eexe"})
    assert "U+202E (right-to-left override)" in said(refused)

"""Nothing typed is lost: a refused form opens again with what was in it, secrets excepted."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from simcord.results import InteractionResult

from controller.catalog import FieldSpec, SecretSpec
from controller.chat.forms import modals
from controller.chat.forms.drafts import PAGES_MAX, SECONDS, Drafts
from controller.domain.phase import Phase
from demo.world import World
from tests.chat.acting import direct, engine_of, labels, make, newcomer, said, until_phase
from tests.chat.test_actions import do, handy
from tests.chat.test_edit import edit, inputs

FAKE = "sk-ant-" + "FAKE" * 8
ASKING = """
schema = 1
id = "asking"
title = "Asking bot"
image = { ref = "echo:1", pull = "never" }
run = { user = "1000:1000" }
[[secrets]]
name = "api_key"
label = "API key"
pattern = '^[a-z]{8,20}$'
min_length = 8
max_length = 20
[[fields]]
name = "address"
label = "Address"
pattern = '^https?://\\S+$'
required = true
[[fields]]
name = "note"
label = "Note"
"""


@pytest.fixture
def templates(templates: Path) -> Path:
    """One more template, with a secret and fields on the same page."""
    (templates / "asking.toml").write_text(ASKING)
    return templates


async def opened(world: World, refused: InteractionResult, label: str) -> dict[str, Any]:
    """The inputs of the form that the button under a refusal opens."""
    assert said(refused).startswith("❌")
    assert refused.response is not None
    assert labels(refused.response) == [label]
    return inputs(await world.admin.click(refused.response, label=label))


async def test_a_refused_page_of_settings_opens_again_as_it_was_left(world: World) -> None:
    """Right and wrong values alike; the bot is untouched, and a taken page is forgotten."""
    await handy(world)
    typed = {"greeting": "bell\x07", "tone": ["curt"]}
    refused = await world.admin.submit_modal(await edit(world), typed)
    found = await opened(world, refused, "Settings")
    assert found["Greeting"]["value"] == "bell\x07"
    assert {one["label"]: one["default"] for one in found["Tone"]["options"]}["curt"]
    assert inputs(await edit(world))["Greeting"]["value"] == "bell\x07"
    await world.admin.submit_modal(await edit(world), {"greeting": "Hello", "tone": ["kind"]})
    assert inputs(await edit(world))["Greeting"]["value"] == "Hello"


async def test_a_long_text_is_not_lost_for_one_odd_character(world: World) -> None:
    """What took an hour to write stands in the form again."""
    await handy(world)
    text = "You are patient.\n" * 200 + "And\u202e quiet."
    shown = await edit(world, page="persona")
    refused = await world.admin.submit_modal(shown, {"persona": text})
    assert (await opened(world, refused, "Persona"))["Persona"]["value"] == text


async def test_a_draft_is_its_writers_alone(world: World) -> None:
    """Another admin sees what is set, not what somebody else typed."""
    await handy(world)
    await world.admin.submit_modal(await edit(world), {"greeting": "bell\x07"})
    bob = newcomer(world, "bob")
    await world.admin.slash(world.channel, "access grant", who=bob, role="admin")
    shown = await bob.slash(world.channel, "bot edit", name="shop")
    assert "value" not in inputs(shown)["Greeting"]


async def test_a_refused_action_opens_again_with_its_arguments(world: World) -> None:
    """The button under the refusal opens the same form; the corrected value runs it."""
    await handy(world)
    refused = await world.admin.submit_modal(await do(world, "approve"), {"code": "ABC-1234"})
    found = await opened(world, refused, "Open the form again")
    assert found["Pairing code"]["value"] == "ABC-1234"
    await world.admin.submit_modal(await do(world, "approve"), {"code": "abcd1234"})
    ((_, command),) = engine_of(world).executed
    assert command == ("tool", "approve", "telegram", "ABCD1234")
    assert "value" not in inputs(await do(world, "approve"))["Pairing code"]


async def test_an_action_of_a_bot_that_does_not_run_keeps_its_arguments(world: World) -> None:
    """Nothing was wrong with them: after a start they are still there."""
    await handy(world)
    shown = await do(world, "approve")
    await world.admin.slash(world.channel, "bot stop", name="shop")
    refused = await world.admin.submit_modal(shown, {"code": "ABCD1234"})
    found = await opened(world, refused, "Open the form again")
    assert found["Pairing code"]["value"] == "ABCD1234"


async def test_a_refused_form_keeps_its_plain_fields_and_its_good_secrets(world: World) -> None:
    """A wrong address and a good key: the address stands there, the key needn't be typed again."""
    await make(world, "shop", "asking")
    user = world.admin.user
    shown = await user.click(direct(world.admin), label="Enter secrets")
    typed = {"api_key": "abcdefghij", "address": "example.org", "note": "mine"}
    refused = await user.submit_modal(shown, typed)
    assert "“Address” doesn't look right" in said(refused)
    assert refused.response is not None
    shown = await user.click(refused.response, label="Enter secrets")
    found = inputs(shown)
    assert (found["Address"]["value"], found["Note"]["value"]) == ("example.org", "mine")
    assert "value" not in found["API key"]
    assert not found["API key"]["required"]
    await user.submit_modal(shown, {"api_key": "", "address": "https://example.org", "note": "x"})
    view = await until_phase(world, "shop", Phase.RUNNING)
    assert view.bot.fields == {"address": "https://example.org", "note": "x"}


@pytest.mark.parametrize("typed", [FAKE, "the key is abcdefgh-wrong"])
async def test_a_secret_in_the_wrong_box_is_not_shown_again(world: World, typed: str) -> None:
    """Neither a well-known key nor what was also typed into the box of the secret."""
    await make(world, "shop", "asking")
    user = world.admin.user
    shown = await user.click(direct(world.admin), label="Enter secrets")
    values = {"api_key": "abcdefgh-wrong", "address": "x", "note": typed}
    refused = await user.submit_modal(shown, values)
    assert refused.response is not None
    found = inputs(await user.click(refused.response, label="Enter secrets"))
    assert found["Address"]["value"] == "x"
    assert "value" not in found["Note"]
    assert "value" not in found["API key"]


async def test_a_failed_write_opens_the_same_form_and_nothing_is_typed_twice(world: World) -> None:
    """The disk's trouble costs one press of the button."""
    view = await make(world, "shop", "asking")
    user = world.admin.user
    blocked = world.application.settings.secrets_dir / view.bot.id / "api_key"
    blocked.mkdir(parents=True)
    shown = await user.click(direct(world.admin), label="Enter secrets")
    typed = {"api_key": "abcdefghij", "address": "https://example.org", "note": "mine"}
    refused = await user.submit_modal(shown, typed)
    assert said(refused).startswith("❌")
    assert refused.response is not None
    blocked.rmdir()
    shown = await user.click(refused.response, label="Enter secrets")
    found = inputs(shown)
    assert found["Note"]["value"] == "mine"
    assert not found["API key"]["required"]
    left = {"api_key": "", "address": found["Address"]["value"], "note": "mine"}
    await user.submit_modal(shown, left)
    assert (await until_phase(world, "shop", Phase.RUNNING)).bot.fields["note"] == "mine"
    assert blocked.read_text() == "abcdefghij"


async def test_inputs_have_the_lengths_of_their_answers(world: World) -> None:
    """Discord itself says what is too short or too long, before anything is sent. A secret may come
    sealed, so it has all the room that there is."""
    await make(world, "shop", "asking")
    shown = await world.admin.user.click(direct(world.admin), label="Enter secrets")
    found = inputs(shown)
    assert (found["API key"]["min_length"], found["API key"]["max_length"]) == (8, 4000)
    assert found["Address"]["max_length"] == 1000


def test_every_input_of_every_template_has_a_length_that_discord_takes(world: World) -> None:
    """Also where an old value is longer than its field allows now."""
    for template in world.application.manager.bots.templates.values():
        specs: list[SecretSpec | FieldSpec] = [*template.secrets, *template.fields]
        for spec in specs:
            made = modals.modal("x", ("a",), [modals.Box(spec, "v" * 5000)]).to_dict()
            inner: dict[str, Any] = made["components"][0]["component"]
            if inner["type"] == 4:
                assert 1 <= inner["max_length"] <= 4000
                assert len(inner["value"]) <= inner["max_length"]


FIELD = FieldSpec(name="a", label="A")
SECRET = SecretSpec(name="s", label="S")


def test_drafts_are_bounded_in_number_and_in_time() -> None:
    """The oldest goes first, and none is kept longer than an hour."""
    now = 0.0
    drafts = Drafts(lambda: now)
    for person in range(PAGES_MAX + 10):
        drafts.keep(person, ("edit", "x"), [FIELD, SECRET], {"a": "text", "s": "key", "z": "?"})
    assert drafts.read(9, ("edit", "x")) == {}
    assert drafts.read(10, ("edit", "x")) == {"a": "text"}
    assert drafts.read(10, ("edit", "y")) == {}
    now = SECONDS + 1
    assert drafts.read(10, ("edit", "x")) == {}

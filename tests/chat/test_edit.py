"""`/bot edit`: settings in a form, also those that were not asked for when the bot was made."""

from __future__ import annotations

from typing import Any

from simcord.results import InteractionResult

from controller.domain.phase import Phase
from controller.fleet.views import View
from demo.world import World
from tests.chat.acting import (
    COMPONENT,
    MODAL_SUBMIT,
    direct,
    engine_of,
    fill,
    filled,
    forge,
    labels,
    make,
    newcomer,
    press,
    said,
    until_phase,
)
from tests.chat.test_actions import handy

PERSONA = "You are patient.\nYou never shout."


async def edit(world: World, **options: str) -> InteractionResult:
    """`/bot edit shop …`."""
    return await world.admin.slash(world.channel, "bot edit", name="shop", **options)


def inputs(shown: InteractionResult) -> dict[str, dict[str, Any]]:
    """The inputs of a modal by their labels."""
    assert shown.modal is not None, shown.response
    return {part["label"]: part["component"] for part in shown.modal["components"]}


async def set_persona(world: World) -> str:
    """Fill in the page of the one long field; the words of the answer."""
    shown = await edit(world, page="persona")
    return said(await world.admin.submit_modal(shown, {"persona": PERSONA}))


def now(world: World) -> View:
    """The bot as it is."""
    return world.application.installation.tools.fleet.named("shop")


async def test_the_form_at_creation_leaves_out_what_can_wait(world: World) -> None:
    """It asks for the secret and the setting that is not marked `later`."""
    await make(world, "shop", "handy")
    shown = await world.admin.user.click(direct(world.admin), label="Enter secrets")
    assert set(inputs(shown)) == {"API key", "Tone"}


async def test_the_first_page_opens_at_once_filled_with_what_is_set(world: World) -> None:
    """A modal is the first answer; choices are a list, what is optional may stay empty."""
    await handy(world)
    shown = await edit(world)
    assert shown.modal is not None
    assert shown.response is None
    assert shown.modal["title"] == "Settings of shop"
    found = inputs(shown)
    assert set(found) == {"Tone", "Greeting"}
    options = found["Tone"]["options"]
    assert {one["label"]: one["default"] for one in options} == {"kind": True, "curt": False}
    assert not found["Greeting"]["required"]
    assert found["Greeting"]["placeholder"] == "Good day"
    assert (await edit(world, page="settings")).modal == shown.modal


async def test_a_long_field_has_a_page_and_a_large_input_of_its_own(world: World) -> None:
    """Several lines, four thousand characters, and what was typed before stands in it."""
    await handy(world)
    assert "🟢 **shop** — running" in await set_persona(world)
    shown = await edit(world, page="persona")
    assert shown.modal is not None
    assert shown.modal["title"] == "Persona of shop"
    (persona,) = inputs(shown).values()
    assert persona["style"] == 2
    assert persona["max_length"] == 4000
    assert persona["value"] == PERSONA


async def test_what_was_changed_is_kept_and_the_bot_runs_with_it(world: World) -> None:
    """The answer says what happens; the new container has the new value."""
    view = await handy(world)
    shown = await edit(world)
    text = said(await world.admin.submit_modal(shown, {"tone": ["curt"], "greeting": "Hello"}))
    assert text.startswith("✅ **shop** — Settings: ")
    assert "🟢 **shop** — running" in text
    after = await until_phase(world, "shop", Phase.RUNNING)
    assert after.bot.fields == {"tone": "curt", "greeting": "Hello"}
    made = dict(engine_of(world).containers[view.bot.id].spec.env)
    assert (made["TONE"], made["GREETING"]) == ("curt", "Hello")
    assert "Hello" in said(await world.admin.slash(world.channel, "bot show", name="shop"))


async def test_limits_are_changed_without_a_form_and_shown(world: World) -> None:
    """Suggestions have the template's; what can't be a limit is refused in words."""
    view = await handy(world)
    found = await world.admin.autocomplete(world.channel, "bot edit", "memory", "", name="shop")
    assert {"name": "as its template says: 256m", "value": "template"} in found
    typed = await world.admin.autocomplete(world.channel, "bot edit", "memory", "700m", name="shop")
    assert [one["value"] for one in typed] == ["700m"]
    text = said(await edit(world, memory="700m", pids="40"))
    assert text.startswith("✅ **shop** — memory, pids: ")
    await until_phase(world, "shop", Phase.RUNNING)
    spec = engine_of(world).containers[view.bot.id].spec
    assert (spec.memory, spec.pids) == (700 * 1024**2, 40)
    shown = said(await world.admin.slash(world.channel, "bot show", name="shop"))
    assert "limits: memory 700m, 0.5 CPUs, 40 processes; its own: memory, pids" in shown
    assert "Memory must be a size between 8m and 4g" in said(await edit(world, memory="9t"))


async def test_a_stopped_bot_stays_stopped(world: World) -> None:
    """Its settings are read when it is started."""
    await handy(world)
    await world.admin.slash(world.channel, "bot stop", name="shop")
    text = await set_persona(world)
    assert "⚫ **shop** — stopped" in text
    assert now(world).bot.fields["persona"] == PERSONA


async def test_a_refused_value_changes_nothing_and_can_be_typed_again(world: World) -> None:
    """The field is named, the button under the answer opens the same page."""
    view = await handy(world)
    data = filled(f"edit:{view.bot.id}:settings", {"tone": "rude", "greeting": "Hi"})
    refused = forge(world, world.admin, world.channel, MODAL_SUBMIT, data)
    await world.env.settle()
    assert "“Tone” must be one of: kind, curt." in said(refused)
    assert now(world).bot.fields == view.bot.fields
    assert refused.response is not None
    assert labels(refused.response) == ["Settings"]
    shown = await world.admin.click(refused.response, label="Settings")
    assert set(inputs(shown)) == {"Tone", "Greeting"}


async def test_a_key_in_a_setting_is_refused_unrepeated(world: World) -> None:
    """Settings are shown to everybody."""
    await handy(world)
    key = "sk-ant-" + "a1B2" * 10
    shown = await edit(world, page="persona")
    text = said(await world.admin.submit_modal(shown, {"persona": f"Use {key}\nalways."}))
    assert "looks like a secret" in text
    assert key[:12] not in text


async def test_the_receipt_of_the_first_form_leads_to_what_was_not_asked(world: World) -> None:
    """A button a page; they work in the direct message too, and after a new start."""
    await make(world, "shop", "handy")
    done = await fill(world, {"api_key": "obvious-fake-key-0123456789"})
    assert "🟢 **shop** — running" in said(done)
    assert "Starting now" not in said(done)  # what has ended is no longer announced
    assert done.response is not None
    assert labels(done.response) == ["Settings", "Persona"]
    shown = await world.admin.user.click(done.response, label="Persona")
    text = said(await world.admin.user.submit_modal(shown, {"persona": PERSONA}))
    assert "✅ **shop** — Persona: " in text
    assert now(world).bot.fields["persona"] == PERSONA


async def test_pages_are_suggested_by_their_titles(world: World) -> None:
    """Of the bot that is named; a page that is not there is refused with those that are."""
    await handy(world)
    found = await world.admin.autocomplete(world.channel, "bot edit", "page", "", name="shop")
    assert {one["name"]: one["value"] for one in found} == {
        "Settings": "settings",
        "Persona": "persona",
    }
    assert await world.admin.autocomplete(world.channel, "bot edit", "page", "", name="no") == []
    text = said(await edit(world, page="nonsense"))
    assert "shop has no such page of settings.\nAvailable: settings, persona." in text


async def test_a_bot_without_settings_says_so(world: World) -> None:
    """And where its secrets are replaced."""
    await world.admin.slash(world.channel, "bot create", name="shop", template="echo")
    text = said(await edit(world))
    assert "shop has no settings to change." in text
    assert "/bot secrets shop" in text


async def test_forged_and_late_forms_are_answered_in_words(world: World) -> None:
    """Of no bot, of no page, damaged; and by somebody who may not."""
    view = await handy(world)
    eve = newcomer(world, "eve")
    for custom_id, words in (
        ("edit", "That button is out of date."),
        (f"edit:{view.bot.id}:nonsense", "no such page of settings"),
        ("edit:nobody:settings", "That bot is gone."),
        (f"edit:{view.bot.id}", "That form is damaged."),
    ):
        for kind, data in (
            (MODAL_SUBMIT, filled(custom_id, {})),
            (COMPONENT, press(custom_id)),
        ):
            scrap = await world.admin.send(world.channel, "scrap")
            under = scrap if kind == COMPONENT else None
            result = forge(world, world.admin, world.channel, kind, data, under)
            await world.env.settle()
            assert words in said(result), custom_id
    data = filled(f"edit:{view.bot.id}:persona", {"persona": PERSONA})
    refused = forge(world, eve, world.channel, MODAL_SUBMIT, data)
    await world.env.settle()
    assert "Changing a bot's settings needs the role admin; you have no role here." in said(refused)
    assert now(world).bot.fields == view.bot.fields

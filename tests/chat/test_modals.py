"""Forms fit Discord, whatever a template asks for; and what comes back is what was picked."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from types import SimpleNamespace
from typing import Any

import discord
import pytest

from controller.catalog import FieldSpec, SecretSpec, Template, load
from controller.chat.forms import modals
from controller.chat.forms.pages import secret_pages, settings_pages
from controller.domain.bot import Bot
from controller.domain.errors import BadInput
from controller.domain.names import new_bot_id

TEMPLATES = load().templates
COLOURS = ("red", "blue", "green")


def bots(template: Template) -> Iterator[Bot]:
    """A bot of each kind that the template can make, with the longest name."""
    for provider, channel in product(template.providers or [""], template.channels or [""]):
        yield Bot(
            id=new_bot_id(),
            name="n" * 32,
            template=template.id,
            provider=provider,
            model="m",
            channel=channel,
        )


def shown(field: FieldSpec, value: str = "") -> dict[str, Any]:
    """A field as the one input of a modal."""
    made: Any = modals.modal("A title", ("edit", "b", "k"), [modals.box_of(field, value)])
    ((label),) = made.to_dict()["components"]
    return dict(label)


def field(**more: Any) -> FieldSpec:
    """A field with choices."""
    table = {"name": "colour", "label": "Colour", "choices": list(COLOURS), **more}
    return FieldSpec.model_validate(table)


def submitted(component: dict[str, Any]) -> Any:
    """An interaction that brings this component back."""
    part = {"type": 18, "id": 1, "component": {"id": 2, **component}}
    return SimpleNamespace(data={"custom_id": "edit:b:k", "components": [part]})


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_every_form_of_a_built_in_template_fits_discord(name: str) -> None:
    """Its settings and its actions: titles, labels, ids and how many inputs."""
    template = TEMPLATES[name]
    for bot in bots(template):
        forms = [
            ("edit", page.key, page.title, page.inputs)
            for page in settings_pages(template.fields_for(bot.provider, bot.channel))
        ] + [("do", key, one.title, one.args) for key, one in template.actions_for(bot).items()]
        for kind, key, title, inputs in forms:
            made: Any = modals.modal(
                title, (kind, bot.id, key), (modals.box_of(one, one.default) for one in inputs)
            )
            data = made.to_dict()
            assert len(data["title"]) <= 45
            assert len(data["custom_id"]) <= 100
            assert len(data["components"]) <= 5
            assert all(0 < len(part["label"]) <= 45 for part in data["components"])


def spec(name: str, *, multiline: bool = False) -> FieldSpec:
    return field(name=name, label=name, choices=[], multiline=multiline)


def secret(name: str) -> SecretSpec:
    return SecretSpec(name=name, label=name)


@pytest.mark.parametrize("secrets", range(8))
@pytest.mark.parametrize("short", range(8))
@pytest.mark.parametrize("long", range(3))
def test_a_form_in_pages_asks_everything_once_and_ends_with_secrets(
    secrets: int, short: int, long: int
) -> None:
    """Five inputs a page at most, a long text alone, and no page that nobody can fill in."""
    keys = [secret(f"s{n}") for n in range(secrets)]
    fields = [spec(f"f{n}") for n in range(short)]
    texts = [spec(f"t{n}", multiline=True) for n in range(long)]
    pages = secret_pages([*keys, *texts, *fields])
    asked = [item.name for page in pages for item in page]
    assert sorted(asked) == sorted(item.name for item in (*keys, *texts, *fields))
    assert all(len(page) <= 5 for page in pages)
    assert all(len(page) == 1 for page in pages if any(item.multiline for item in page))
    assert pages == ((),) or all(pages)
    if keys:
        assert any(isinstance(item, SecretSpec) for item in pages[-1])


def test_settings_in_pages_have_keys_that_stay_apart() -> None:
    """Also where a long field is called like a page."""
    fields = [*(spec(f"f{n}") for n in range(11)), spec("settings", multiline=True)]
    pages = settings_pages(fields)
    keys = [page.key for page in pages]
    assert keys == ["settings", "settings-2", "settings-3", "field-settings"]
    assert [item for page in pages for item in page.inputs] == fields


def test_choices_are_a_list_to_pick_from_with_what_is_set() -> None:
    """One of them, or several of a list; optional ones may be cleared."""
    one = shown(field(hint="which one"), "blue")
    assert one["description"] == "which one"
    assert one["component"]["type"] == discord.ComponentType.select.value
    assert (one["component"]["min_values"], one["component"]["max_values"]) == (0, 1)
    picked = [part["value"] for part in one["component"]["options"] if part["default"]]
    assert picked == ["blue"]
    many = shown(field(list=True, required=True, default="red"), "red, green")
    assert (many["component"]["min_values"], many["component"]["max_values"]) == (1, 3)
    picked = [part["value"] for part in many["component"]["options"] if part["default"]]
    assert picked == ["red", "green"]


@pytest.mark.parametrize("choices", [[str(n) for n in range(26)], ["x" * 101], ["a", "a"]])
def test_choices_that_no_list_can_hold_are_typed(choices: list[str]) -> None:
    """Named above the input as far as there is room."""
    found = shown(field(choices=choices))
    assert found["component"]["type"] == discord.ComponentType.text_input.value
    assert found["description"] == ", ".join(choices)[:100]


@pytest.mark.parametrize(
    ("component", "value"),
    [
        ({"type": 3, "custom_id": "colour", "values": ["red"]}, "red"),
        ({"type": 3, "custom_id": "colour", "values": ["red", "blue"]}, "red, blue"),
        ({"type": 3, "custom_id": "colour", "values": []}, ""),
        ({"type": 4, "custom_id": "colour", "value": "typed"}, "typed"),
    ],
)
def test_what_was_picked_comes_back_as_if_it_had_been_typed(
    component: dict[str, Any], value: str
) -> None:
    """So that a field has one way to be checked."""
    assert modals.values_of(submitted(component)) == {"colour": value}


@pytest.mark.parametrize(
    "component",
    [
        {"type": 3, "custom_id": "colour", "value": 7},
        {"type": 3, "custom_id": 7, "values": ["red"]},
        {"type": 3, "custom_id": "colour", "values": [7]},
        {"type": 3, "custom_id": "colour", "values": None},
        {"type": 4, "custom_id": "colour", "value": None},
    ],
)
def test_a_submit_of_another_shape_is_refused_in_words(component: dict[str, Any]) -> None:
    """Nobody but a forger sends one."""
    with pytest.raises(BadInput, match="could not be read"):
        modals.values_of(submitted(component))

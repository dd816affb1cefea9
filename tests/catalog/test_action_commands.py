"""Actions: which a bot has, and the command that becomes of one and of what was typed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.catalog import Action, Template, action_command
from controller.domain.errors import BadInput
from tests.catalog.samples import MINIMAL, bot, full, full_bot, template

WHO = bot(provider="", model="", channel="", fields={"room": "r1", "many": "a, b"})
FIELDS = [
    {"name": "room", "label": "Room"},
    {"name": "many", "label": "Many", "list": True},
    {"name": "none", "label": "None"},
]


def one_with(command: list[str], *args: dict[str, Any]) -> tuple[Template, Action]:
    """A small template with one action."""
    action = {"title": "Act", "role": "viewer", "command": command, "args": list(args)}
    made = template(MINIMAL, fields=FIELDS, actions={"act": action})
    return made, made.actions["act"]


def test_a_bot_has_the_actions_of_its_channel() -> None:
    """Where an action names channels, bots on another one do not have it."""
    assert list(full().actions_for(full_bot())) == ["pairing-approve"]
    assert full().actions_for(full_bot(channel="letter")) == {}


def test_what_was_typed_is_one_argument() -> None:
    """In its place, with the channel beside it."""
    action = full().actions["pairing-approve"]
    assert action_command(full(), full_bot(), action, {"code": "ABCDEF12"}) == (
        "/bin/full",
        "approve",
        "telegram",
        "ABCDEF12",
    )
    assert (action.role, action.timeout, action.title) == ("operator", 30, "Approve a pairing code")


def test_a_list_gives_its_items_and_nothing_gives_nothing() -> None:
    """An argument without a value is left out rather than empty."""
    made, action = one_with(
        ["x", "{{name}}", "{{field.many}}", "{{field.none}}", "{{field.a}}", "{{field.room}}"],
        {"name": "a", "label": "A"},
    )
    assert action_command(made, WHO, action, {}) == ("x", "shop-helper", "a", "b", "r1")
    assert action_command(made, WHO, action, {"a": "c d"})[-2:] == ("c d", "r1")


@given(st.text(max_size=40))
def test_no_value_becomes_two_arguments_or_an_option(value: str) -> None:
    """Whatever is typed is one argument, without spaces around it, or refused."""
    made, action = one_with(["x", "{{field.a}}", "end"], {"name": "a", "label": "A"})
    try:
        command = action_command(made, WHO, action, {"a": value})
    except BadInput:
        return
    meant = value.strip()
    assert command == (("x", meant, "end") if meant else ("x", "end"))
    assert not meant.startswith("-")


@pytest.mark.parametrize(
    ("arg", "typed", "meant"),
    [
        ({"pattern": "[A-Z0-9]{8}"}, " abcd1234\r\n", "ABCD1234"),
        ({"choices": ["One", "two"]}, "ONE ", "One"),
        ({"pattern": "https?://.+"}, "HTTPS://Example.org/A", "https://Example.org/A"),
    ],
)
def test_an_argument_is_what_was_meant(arg: dict[str, Any], typed: str, meant: str) -> None:
    """Spaces around it, line ends and the case of a code are no mistakes."""
    made, action = one_with(["x", "{{field.a}}"], {"name": "a", "label": "Letter", **arg})
    assert action_command(made, WHO, action, {"a": typed}) == ("x", meant)


@pytest.mark.parametrize(
    ("arg", "value", "words"),
    [
        ({}, "-rf", "can't begin with a dash: the command would read it as an option."),
        ({"required": True}, "", "can't be empty."),
        ({"pattern": r"\d+"}, "-1", "doesn't look right: check the spelling."),
        ({"choices": ["a"]}, "-a", "must be one of: a."),
        ({}, "a\nb", "can't contain line breaks."),
        ({}, "sk-" + "ant-" + "FAKE" * 8, "looks like a secret. Fields are shown to everybody"),
    ],
)
def test_a_value_that_will_not_do_is_refused(arg: dict[str, Any], value: str, words: str) -> None:
    """With the argument's label, and without the value."""
    made, action = one_with(["x", "{{field.a}}"], {"name": "a", "label": "Letter", **arg})
    with pytest.raises(BadInput, match=words) as caught:
        action_command(made, WHO, action, {"a": value})
    assert caught.value.message.startswith("“Letter” ")
    assert len(value) < 4 or value not in str(caught.value)


def test_a_dash_passes_where_the_template_foresees_it() -> None:
    """A pattern or a choice decides by itself."""
    for arg in ({"pattern": r"-?\d+"}, {"choices": ["-1", "1"]}):
        made, action = one_with(["x", "{{field.a}}"], {"name": "a", "label": "A", **arg})
        assert action_command(made, WHO, action, {"a": "-1"}) == ("x", "-1")


def test_a_bots_own_field_is_no_option_either() -> None:
    """It was typed by somebody as well."""
    made, action = one_with(["x", "{{field.room}}"])
    with pytest.raises(BadInput, match="“Room” can't begin with a dash"):
        action_command(
            made, bot(provider="", model="", channel="", fields={"room": "-r"}), action, {}
        )


def test_only_what_is_asked_for_is_taken() -> None:
    """A value for something else changes nothing silently."""
    made, action = one_with(["x", "{{field.room}}"])
    with pytest.raises(BadInput, match="Act was given more than it asks for"):
        action_command(made, WHO, action, {"room": "r2"})

"""Templates: what they ask for, what they choose, and which answers they take."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from controller.catalog import Choice, FieldSpec, SecretSpec
from controller.domain.errors import BadInput
from tests.catalog.samples import builtin, template

FAKE = "sk-" + "ant-" + "FAKE" * 8


def secret(**parts: object) -> SecretSpec:
    return SecretSpec.model_validate({"name": "api_key", "label": "Acme key", **parts})


def field(**parts: object) -> FieldSpec:
    return FieldSpec.model_validate({"name": "mood", "label": "Mood", **parts})


# --- choosing -------------------------------------------------------------------------------------


def test_what_is_left_open_becomes_the_first_there_is() -> None:
    """Nobody has to choose where there is one sensible answer."""
    assert template().choose(None, None, None) == Choice("acme", "acme-1", "post")
    assert template().choose("", "", "") == Choice("acme", "acme-1", "post")
    assert builtin("openclaw").choose("openai", None, "slack") == Choice(
        "openai", "gpt-5.5", "slack"
    )


def test_any_valid_model_is_taken() -> None:
    """Models are suggestions: providers have new ones every month."""
    assert template().choose("acme", "vendor/new-model:7b", None).model == "vendor/new-model:7b"


@pytest.mark.parametrize(
    ("provider", "model", "channel", "code", "told"),
    [
        ("nope", None, None, "unknown-provider", "Available: acme."),
        (None, None, "nope", "unknown-channel", "Available: post."),
        (None, "-two", None, "bad-model", "suggestions"),
        (None, FAKE, None, "bad-model", "Revoke it"),
    ],
)
def test_an_unknown_choice_is_told_what_there_is(
    provider: str | None, model: str | None, channel: str | None, code: str, told: str
) -> None:
    """The refusal has a code and helps on; a key in the wrong place is not repeated."""
    with pytest.raises(BadInput) as caught:
        template().choose(provider, model, channel)
    assert caught.value.code == code
    assert told in caught.value.hint
    assert FAKE not in str(caught.value)


def test_a_template_without_providers_asks_for_none() -> None:
    """Where there is nothing to choose from the choice is empty, and a choice is refused."""
    plain = template(
        'schema = 1\nid = "x"\ntitle = "X"\nimage = {ref = "x:1"}\nrun = {user = "7:8"}\n'
    )
    assert plain.choose(None, None, None) == Choice("", "", "")
    assert plain.secrets_for("", "") == ()
    assert plain.fields_for("", "") == ()
    for choice in (("a", None, None), (None, "a", None), (None, None, "a")):
        with pytest.raises(BadInput):
            plain.choose(*choice)


def test_a_provider_without_suggestions_needs_a_model() -> None:
    """A model cannot be guessed."""
    bare = template(
        'schema=1\nid="x"\ntitle="X"\nimage={ref="x:1"}\nrun={user="7"}\nproviders={a={title="A"}}\n'
    )
    with pytest.raises(BadInput) as caught:
        bare.choose(None, None, None)
    assert caught.value.code == "missing-model"


# --- what is asked --------------------------------------------------------------------------------


def test_secrets_come_in_order_and_generated_ones_last() -> None:
    """Provider, channel, top level; then what the controller makes by itself."""
    specs = template().secrets_for("acme", "post")
    assert [spec.name for spec in specs] == ["api_key", "channel_token", "inner"]
    assert [spec.generated for spec in specs] == [False, False, True]
    slack = builtin("openclaw").secrets_for("anthropic", "slack")
    assert [spec.name for spec in slack] == [
        "api_key",
        "channel_token",
        "channel_app_token",
        "gateway_token",
    ]


def test_fields_come_in_the_same_order() -> None:
    """Provider, channel, top level."""
    fields = template().fields_for("acme", "post")
    assert [one.name for one in fields] == ["region", "allow_from", "mood"]


def test_a_provider_that_is_gone_is_refused() -> None:
    """A bot whose provider left the template gets a reason, not another provider."""
    for provider, channel in (("gone", "post"), ("acme", "gone"), ("", "post")):
        with pytest.raises(BadInput, match="Echo bot has no"):
            template().secrets_for(provider, channel)


def test_every_builtin_template_asks_for_little_enough() -> None:
    """For every choice, labels and hints fit into a form, and there are at most five secrets."""
    for name in ("demo", "openclaw"):
        one = builtin(name)
        for provider in one.providers:
            for channel in one.channels:
                asked = [s for s in one.secrets_for(provider, channel) if not s.generated]
                assert 1 <= len(asked) <= 5
                assert all(len(spec.label) <= 45 and len(spec.hint) <= 100 for spec in asked)


GOOD = {
    ("anthropic", "api_key"): FAKE,
    ("openai", "api_key"): "sk-" + "proj-" + "FAKE" * 10,
    ("openrouter", "api_key"): "sk-" + "or-v1-" + "FAKE" * 16,
    ("telegram", "channel_token"): "123456789:" + "F" * 35,
    ("discord", "channel_token"): "M" + "F" * 25 + "." + "F" * 6 + "." + "F" * 38,
    ("slack", "channel_token"): "xox" + "b-" + "FAKE" * 6,
    ("slack", "channel_app_token"): "xapp" + "-1-" + "FAKE" * 6,
}


@pytest.mark.parametrize(("option", "name"), GOOD)
def test_openclaws_patterns_take_their_own_kind_only(option: str, name: str) -> None:
    """Each secret of OpenClaw is taken where it belongs, and one of another kind is not."""
    one = builtin("openclaw")
    parts = {**one.providers, **one.channels}
    spec = next(spec for spec in parts[option].secrets if spec.name == name)
    spec.check(GOOD[option, name])
    for (other, _), value in GOOD.items():
        if other != option and not (option == "openai" and value.startswith("sk-")):
            with pytest.raises(BadInput):
                spec.check(value)


def test_the_demo_takes_any_plain_word_of_eight() -> None:
    """The demo's secrets need no account: eight plain characters do."""
    spec = builtin("demo").secrets_for("demo", "demo")[0]
    spec.check("demo:key-1.2_3")
    for value in ("1234567", "with space", "ümlaut-12"):
        with pytest.raises(BadInput):
            spec.check(value)


@pytest.mark.parametrize("value", ["0.2", "0.25", "2", "9.99", "10", "59.5", "60"])
def test_the_demos_interval_takes_seconds_in_reach(value: str) -> None:
    """From 0.2 to 60."""
    builtin("demo").fields[1].check(value)


@pytest.mark.parametrize("value", ["0", "0.1", "60.5", "61", "100", "x", "-1", "1e1", ".5"])
def test_the_demos_interval_refuses_the_rest(value: str) -> None:
    """What the image would refuse is refused before."""
    with pytest.raises(BadInput):
        builtin("demo").fields[1].check(value)


# --- secrets --------------------------------------------------------------------------------------

_EDGES = "can't begin or end with a space or a line break."
_LINES = "can't contain line breaks."
_INSIDE = "can't contain invisible characters."
BAD_SECRETS = {
    "empty": ("", "can't be empty."),
    "space before": (" fake-value", _EDGES),
    "line break after": ("fake-value\n", _EDGES),
    "only spaces": ("   ", _EDGES),
    "line break inside": ("fake\nvalue", _LINES),
    "escape inside": ("fake\x1bvalue", _INSIDE),
    "zero width inside": ("fake\u200bvalue", _INSIDE),
    "half a character": ("fake\ud800value", _INSIDE),
    "too long": ("f" * 4001, "is too long: use at most 4000 characters."),
    "too short": ("f", "is too short: use at least 4 characters."),
    "wrong form": ("qqqqqqqqqqq", "doesn't look right: Acme keys begin with `ak-`."),
    "right form and more": ("ak-12345678 zz", "doesn't look right: Acme keys begin with `ak-`."),
}


@pytest.mark.parametrize("case", BAD_SECRETS)
def test_a_bad_secret_is_refused_with_the_reason(case: str) -> None:
    """One line for each kind of mistake: the label, and what is right."""
    value, reason = BAD_SECRETS[case]
    spec = secret(pattern=r"^ak-\w{8,}$", hint="Acme keys begin with `ak-`", min_length=4)
    with pytest.raises(BadInput) as caught:
        spec.check(value)
    assert caught.value.code == "bad-secret"
    assert str(caught.value) == f"The Acme key {reason}"


@pytest.mark.parametrize("length", [4, 20])
def test_a_secret_of_just_the_shortest_or_the_longest_length_is_taken(length: int) -> None:
    """The limits themselves are fine."""
    secret(min_length=4, max_length=20).check("f" * length)


_REFUSALS = {
    f"The Acme key {_EDGES}",
    f"The Acme key {_LINES}",
    f"The Acme key {_INSIDE}",
    "The Acme key doesn't look right: check that it's complete and nothing else came with it.",
}


@given(st.text(st.characters(exclude_categories=["Nd"]), min_size=3, max_size=60))
def test_a_refusal_never_repeats_the_secret(value: str) -> None:
    """It is one of four sentences, whatever the value: nothing of it, not even its length."""
    with pytest.raises(BadInput) as caught:
        secret(pattern=r"[0-9]{400}").check(value)
    assert str(caught.value) in _REFUSALS


def test_a_long_secret_may_have_lines() -> None:
    """With `multiline` line breaks and tabs are fine, other controls are not."""
    spec = secret(multiline=True, pattern=r"BEGIN[\s\w]+END")
    spec.check("BEGIN\nfake\tline\nEND\n")
    with pytest.raises(BadInput):
        spec.check("BEGIN\nfake\rline\nEND")


def test_a_pattern_has_to_fit_the_whole_secret() -> None:
    """Also where the template's author left the anchors out."""
    spec = secret(pattern=r"ak-\d{4}")
    spec.check("ak-1234")
    for value in ("ak-12345", "xak-1234"):
        with pytest.raises(BadInput):
            spec.check(value)


def test_an_optional_secret_may_be_empty() -> None:
    """What is not required can be left out, but not be wrong."""
    spec = secret(required=False, min_length=4)
    spec.check("")
    with pytest.raises(BadInput):
        spec.check("abc")


# --- fields ---------------------------------------------------------------------------------------


def test_a_field_takes_what_it_declares() -> None:
    """Choices, patterns and lists, each item by itself."""
    field().check("")
    field(choices=["a", "b"]).check("a")
    field(pattern=r"\d+", list=True).check("1, 2\n3 4")
    assert field(list=True).items("b, a,,b  c") == ("b", "a", "c")
    assert field().items("a, b") == ("a, b",)


@pytest.mark.parametrize(
    ("parts", "value", "reason"),
    [
        ({"required": True}, "", "“Mood” can't be empty."),
        ({"required": True, "hint": "use a word"}, "", "can't be empty: use a word."),
        ({"required": True, "list": True}, " , ", "can't be empty."),
        ({"choices": ["a", "b"]}, "c", "“Mood” must be one of: a, b."),
        ({"pattern": r"\d+"}, "1x", "doesn't look right: check the spelling."),
        ({"pattern": r"\d+", "hint": "use a number"}, "1x", "doesn't look right: use a number."),
        ({"pattern": r"\d+", "list": True}, "1, x", "doesn't look right"),
        ({}, "a\nb", "can't contain line breaks."),
        ({}, FAKE, "looks like a secret. Fields are shown to everybody: enter keys as secrets."),
        ({"list": True}, f"a, {FAKE}", "looks like a secret"),
        ({}, "f" * 1001, "is too long: use at most 1000 characters."),
    ],
)
def test_a_bad_field_is_refused_with_the_reason(
    parts: dict[str, object], value: str, reason: str
) -> None:
    """Every refusal names the field and not what was typed, which may be a secret."""
    with pytest.raises(BadInput) as caught:
        field(**parts).check(value)
    assert caught.value.code == "bad-field"
    assert reason in str(caught.value)
    assert len(value) < 4 or value not in str(caught.value)


def test_a_template_cannot_be_changed() -> None:
    """Templates are shared by all tasks, so they are values."""
    with pytest.raises(ValidationError):
        template().title = "other"

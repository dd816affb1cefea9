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
        ("nope", None, None, "unknown-provider", "There is: acme."),
        (None, None, "nope", "unknown-channel", "There is: post."),
        (None, "two words", None, "bad-model", "suggestions"),
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
    """Labels and hints fit Discord's boxes for every choice, and patterns take their own kind."""
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

BAD_SECRETS = {
    "empty": ("", "is empty"),
    "space before": (" fake-value", "a space or a line break"),
    "line break after": ("fake-value\n", "a space or a line break"),
    "only spaces": ("   ", "a space or a line break"),
    "line break inside": ("fake\nvalue", "invisible character"),
    "escape inside": ("fake\x1bvalue", "invisible character"),
    "zero width inside": ("fake\u200bvalue", "invisible character"),
    "half a character": ("fake\ud800value", "invisible character"),
    "too long": ("f" * 4001, "longer"),
    "too short": ("f", "shorter"),
    "wrong form": ("qqqqqqqqqqq", "the form"),
    "right form and more": ("ak-12345678 zz", "the form"),
}


@pytest.mark.parametrize("case", BAD_SECRETS)
def test_a_bad_secret_is_refused_with_the_reason(case: str) -> None:
    """Each kind of mistake has its own words, the label and what to do."""
    value, reason = BAD_SECRETS[case]
    spec = secret(pattern=r"^ak-\w{8,}$", hint="begins with ak-", min_length=4)
    with pytest.raises(BadInput, match=reason) as caught:
        spec.check(value)
    assert caught.value.code == "bad-secret"
    assert "Acme key" in caught.value.message
    assert caught.value.hint


@given(st.text(st.characters(exclude_categories=["Nd"]), min_size=3, max_size=60))
def test_a_refusal_never_repeats_the_secret(value: str) -> None:
    """Neither the value, nor its beginning, nor its end, nor its length is in the message."""
    spec = secret(pattern=r"[0-9]{400}")
    with pytest.raises(BadInput) as caught:
        spec.check(value)
    told = str(caught.value)
    ordinary = str(BadInput("The Acme key does not have the form that it should have."))
    for part in (value, value[:6], value[-6:]):
        assert len(part) < 4 or part not in told or part in ordinary or part in _REFUSALS
    assert not any(character.isdigit() for character in told)


_REFUSALS = (
    "The Acme key has a space or a line break at its start or end. Copy it again without them. "
    "The Acme key has a line break or an invisible character in it. Copy it again."
)


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
        ({"required": True}, "", "is empty"),
        ({"required": True, "list": True}, " , ", "is empty"),
        ({"choices": ["a", "b"]}, "c", "not one of its choices. Choose: a, b."),
        ({"pattern": r"\d+"}, "1x", "the form"),
        ({"pattern": r"\d+", "list": True}, "1, x", "the form"),
        ({}, "a\nb", "invisible character"),
        ({}, FAKE, "looks like a secret"),
        ({"list": True}, f"a, {FAKE}", "looks like a secret"),
        ({}, "f" * 1001, "longer than 1000"),
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

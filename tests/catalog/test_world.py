"""What the world really uses gets through the built-in templates; what can't be meant doesn't."""

from __future__ import annotations

import itertools
import zoneinfo

import pytest

from controller.catalog import FieldSpec, SecretSpec, Template, load, tidy
from controller.catalog.declarations import fields, secrets
from controller.domain.errors import BadInput

CATALOG = load()
OPENCLAW = CATALOG.get("openclaw")
ADDRESSES = [
    "http://192.168.1.10:11434",
    "https://name.openai.azure.com/openai/deployments/gpt?api-version=2024-10-21",
    "https://gateway.example/v1/acc_1/gw/compat?key=a%20b&x=1",
    "http://[fd00::1]:8000/v1/",
    "https://bücher.example/~bot/v1;x=1",
    "http://my_host:4000/a+b/@cf/(x)",
    "https://api.example.com?api-version=1",
]
MODELS = [
    "@cf/meta/llama-3.1-8b-instruct",
    "/models/local/Qwen1.5",
    "~/models/Llama 3 (q4).gguf",
    "accounts/fireworks/models/llama-v3p1-8b-instruct#prod",
    "hf.co/bartowski/Llama-3.2-1B-Instruct-GGUF:Q4_K_M",
    "projects/p/locations/l/models/m@001",
    "模型-一",
    "a=b&c",
    "m" * 200,
]
ADDRESS_FIELDS = [
    (where, field)
    for where, field in fields(OPENCLAW)
    if field.pattern.startswith("http") and where[1] != "matrix"
]
ANY_WORD = [(where, spec) for where, spec in secrets(OPENCLAW) if "any word" in spec.hint]


def field_of(template: Template, option: str, name: str) -> FieldSpec:
    """A field of one provider or channel."""
    return next(f for where, f in fields(template) if option in where and f.name == name)


def fits(spec: FieldSpec | SecretSpec, value: str) -> bool:
    """Whether a typed value is taken."""
    try:
        spec.check(tidy(spec, value))
    except BadInput:
        return False
    return True


@pytest.mark.parametrize(("address", "known"), list(itertools.product(ADDRESSES, ADDRESS_FIELDS)))
def test_every_address_field_takes_every_kind_of_address(
    address: str, known: tuple[object, FieldSpec]
) -> None:
    """With a query, a path of any letters, an IPv6 host, an international name."""
    known[1].check(address)


@pytest.mark.parametrize("known", ADDRESS_FIELDS)
def test_no_address_field_takes_what_is_none(known: tuple[object, FieldSpec]) -> None:
    """No other scheme, no space, no host with a name and password before it."""
    for bad in ("ftp://x", "http://", "javascript:alert(1)", "http://a b", "http://u@h", "x"):
        assert not fits(known[1], bad), bad


def test_a_phones_capital_in_an_address_is_no_mistake() -> None:
    """Only the scheme is spelt anew; the path keeps its case."""
    field = field_of(OPENCLAW, "openai-compatible", "base_url")
    assert tidy(field, " Https://Api.example/V1 \r\n") == "https://Api.example/V1"


@pytest.mark.parametrize("known", ANY_WORD)
def test_where_any_word_will_do_any_word_does(known: tuple[object, SecretSpec]) -> None:
    """Self-hosted servers take what their owner typed into them."""
    assert ANY_WORD
    for word in ("pa$$word!", "user:secret@1", "a#b%c&d*e", "(x)[y]{z}|\\/", "'quoted\"`"):
        known[1].check(word)
    assert not fits(known[1], "two words")


@pytest.mark.parametrize("model", MODELS)
def test_a_model_may_be_called_what_its_provider_calls_it(model: str) -> None:
    """The template promises any name; 200 characters are enough."""
    assert OPENCLAW.choose("openai-compatible", f" {model}\n", None).model == model


@pytest.mark.parametrize("model", ["", " ", "-rf", "--help", "a\nb", "a\u202eb", "a\0", "m" * 201])
def test_a_model_that_no_program_could_get_is_refused(model: str) -> None:
    """Nothing that hides, and nothing that would be an option."""
    with pytest.raises(BadInput):
        OPENCLAW.choose("openai-compatible", model, None)


def test_every_time_zone_of_the_world_is_taken() -> None:
    """All names of the tz database, except those that aren't places or rules."""
    field = next(f for _, f in fields(OPENCLAW) if f.name == "timezone")
    zones = zoneinfo.available_timezones() - {"Factory", "localtime", "posixrules"}
    assert len(zones) > 400
    assert [zone for zone in zones if not fits(field, zone)] == []
    assert not any(
        fits(field, wrong) for wrong in ("Berlin", "Europe", "+02:00", "../etc", "CEST+")
    )


IDS = [
    ("openclaw", "matrix", "allow_from", "@o'hara$!&*+:example.org"),
    ("openclaw", "matrix", "allow_from", "@ann:[2001:db8::1]:8448"),
    ("openclaw", "matrix", "rooms", "#büro$!@x:example.org"),
    ("openclaw", "matrix", "rooms", "!31hneApxJ_1o-63DmFrpeqnkFfWppnzWso1JvH3ogLM"),
    ("openclaw", "matrix", "homeserver", "https://matrix.example.org:8448/"),
    ("openclaw", "slack", "allow_from", "u0123abcd"),
    ("openclaw", "telegram", "allow_from", "12345678901234567"),
    ("maubot", "matrix", "user_id", "@bot$!:example.org"),
    ("maubot", "matrix", "homeserver", "http://synapse:8008/"),
]


@pytest.mark.parametrize(("template", "option", "name", "value"), IDS)
def test_ids_are_as_their_services_make_them(
    template: str, option: str, name: str, value: str
) -> None:
    """The services' own rules, not ours."""
    assert fits(field_of(CATALOG.get(template), option, name), value)


KEYS = [
    ("telegram", "1234567:AAabcdefghijklmnopqrstuvwxyz0123456"),
    ("telegram", "12345678901:AAabcdefghijklmnopqrstuvwxyz0123456"),
    ("slack", "xoxe.xoxb-1-Mi0yLTEyMzQ1Njc4OTAtMTIz"),
    ("together", "tgp_v1_abcdefghijklmnop.qrstuv"),
    ("matrix", "MDAxOGxvY2F0aW9uIGV4YW1wbGUub3JnCg:x"),
]


@pytest.mark.parametrize(("option", "value"), KEYS)
def test_keys_are_as_their_services_make_them(option: str, value: str) -> None:
    """Old, new and rotated tokens have other lengths and signs."""
    spec = next(s for where, s in secrets(OPENCLAW) if option in where)
    assert fits(spec, value)


def test_a_language_can_be_written_in_a_field() -> None:
    """Persian, Hindi, family emoji; only what turns or hides the text is refused, by its name."""
    persona = next(f for _, f in fields(OPENCLAW) if f.name == "persona")
    for text in ("می‌خواهم", "क्‍ष", "👨‍👩‍👧‍👦\n\tand more"):
        persona.check(text)
    with pytest.raises(BadInput) as caught:
        persona.check("pay\u202eexe")
    assert "U+202E (right-to-left override)" in caught.value.message
    with pytest.raises(BadInput):
        FieldSpec(name="a", label="A", required=True).check("\u200d")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("ab\ncd", "line breaks"),
        ("ab\r\ncd", "line breaks"),
        ("ab\rcd", "line breaks"),
        ("ab\x85cd", "line breaks"),
        ("ab\u2028cd", "line breaks"),
        ("ab\u200bcd", "invisible characters"),
        ("ab\x07cd", "invisible characters"),
    ],
)
def test_a_secret_is_refused_for_the_right_reason(value: str, why: str) -> None:
    """Line ends of any kind are line breaks; the character itself isn't named."""
    spec = SecretSpec(name="key", label="Key")
    for typed in (value, tidy(spec, value)):
        with pytest.raises(BadInput) as caught:
            spec.check(typed)
        assert caught.value.message == f"The Key can't contain {why}."


def test_a_certificate_with_windows_line_ends_is_taken() -> None:
    """CRLF becomes LF in a secret of several lines."""
    spec = SecretSpec(name="pem", label="Certificate", multiline=True)
    assert tidy(spec, "a\r\nb\rc\r\n") == "a\nb\nc\n"
    spec.check(tidy(spec, "a\r\nb\r\n"))


def test_templates_are_meant_by_id_or_title_in_any_case() -> None:
    """Also as suggestions show them."""
    for typed in ("openclaw", "OpenClaw", " OPENCLAW ", "OpenClaw (openclaw)", "openclaw\n"):
        assert CATALOG.find(typed).id == "openclaw"
    assert CATALOG.find("Discord.PY  Bot").id == "discordpy"


def test_options_are_meant_by_id_or_title_in_any_case() -> None:
    """Every provider and every channel, and the suggested models in any case."""
    for name, provider in OPENCLAW.providers.items():
        for typed in (name, provider.title, provider.title.upper(), f" {provider.title} "):
            choice = OPENCLAW.choose(typed, "x", None)
            assert choice.provider == name
        for model in provider.models:
            assert OPENCLAW.choose(name, model.upper(), None).model == model
    for name, channel in OPENCLAW.channels.items():
        for typed in (name.upper(), channel.title.lower(), f"{channel.title} (needs a plugin)"):
            assert OPENCLAW.choose(None, None, typed).channel == name
    with pytest.raises(BadInput) as caught:
        OPENCLAW.choose("no such", None, None)
    assert caught.value.code == "unknown-provider"

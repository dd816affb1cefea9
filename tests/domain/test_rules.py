"""Names, access, the spec's hash, and the tree of errors."""

from __future__ import annotations

import contextlib
import dataclasses
import inspect
import re
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain import errors
from controller.domain.access import Grant, Target, discord_user, role_of, strongest
from controller.domain.errors import BadInput, ControllerError
from controller.domain.names import check_model, check_name, is_bot_id, is_secret_name, new_bot_id
from controller.domain.roles import Role
from controller.domain.spec import ContainerSpec, HealthSpec, SeedFile

ANN = discord_user(1, "ann", (10, 11))
SPEC = ContainerSpec(
    bot_id="6f1c1b9e-7a60-4b8e-9a55-0d6f3f3c2f11",
    image="sha256:1",
    user="1000:1000",
    secrets_source="/secrets",
)
GOOD = re.compile(r"[a-z0-9-]{1,32}", re.ASCII)


@pytest.mark.parametrize("name", ["a", "7", "shop-helper", "bot2", "a--b", "x" * 32])
def test_a_plain_name_is_taken_as_it_is(name: str) -> None:
    """Lower-case letters, digits and inner dashes, up to 32."""
    assert check_name(name) == name


@pytest.mark.parametrize(
    ("typed", "name"), [("Shop", "shop"), (" BOT2\n", "bot2"), ("Shop-Helper", "shop-helper")]
)
def test_capitals_and_spaces_around_a_name_are_no_mistake(typed: str, name: str) -> None:
    """Phones begin with a capital and end with a space."""
    assert check_name(typed) == name


@pytest.mark.parametrize(
    ("typed", "suggested"),
    [("Shop Bot", "shop-bot"), ("shop_bot", "shop-bot"), ("-shop.bot-", "shop-bot")],
)
def test_a_refused_name_comes_back_as_it_could_be(typed: str, suggested: str) -> None:
    """Spaces and other signs inside aren't guessed away; the suggestion is one to type."""
    with pytest.raises(BadInput) as caught:
        check_name(typed)
    assert f"`{suggested}`" in caught.value.hint
    assert check_name(suggested) == suggested


@given(st.text())
def test_every_suggested_name_would_be_taken(typed: str) -> None:
    """Whatever was typed."""
    try:
        check_name(typed)
    except BadInput as error:
        for suggested in re.findall("`(.+?)`", error.hint):
            assert check_name(suggested) == suggested


def test_a_key_in_the_place_of_a_name_is_not_repeated() -> None:
    """Not even a part of it, in other letters."""
    with pytest.raises(BadInput) as caught:
        check_name("sk-ant-api03_" + "a" * 18)
    assert "sk-ant" not in str(caught.value)


@pytest.mark.parametrize(
    "name",
    ["", "-a", "a-", "a b", "a_b", "a.b", "ä", "a\nb", "a\0", "../x", "x" * 33, "①", "а"],
)
def test_any_other_name_is_refused_with_an_example(name: str) -> None:
    """The hint says how a good one looks; the message never repeats what was typed."""
    with pytest.raises(BadInput) as caught:
        check_name(name)
    assert caught.value.code == "bad-name"
    assert caught.value.hint
    assert len(name) < 3 or name not in str(caught.value)


@given(st.text())
def test_no_hostile_name_gets_through(name: str) -> None:
    """What is taken is safe in a path, in markdown and in a URL, whatever was typed."""
    with contextlib.suppress(BadInput):
        taken = check_name(name)
        assert GOOD.fullmatch(taken)
        assert taken == name.strip().lower()


@given(st.text())
def test_no_hostile_model_gets_through(model: str) -> None:
    """No line break or control, nothing that hides or turns the text, no option."""
    with contextlib.suppress(BadInput):
        taken = check_model(model)
        assert taken == model.strip()
        assert 0 < len(taken) <= 200
        assert not taken.startswith("-")
        assert not re.search(
            "[\x00-\x1f\x7f-\x9f\u200b\u200e\u200f\u2028-\u202e\u2066-\u2069]", taken
        )


@given(st.text())
def test_a_secrets_name_is_a_plain_file_name(name: str) -> None:
    """Never a path, never a temporary file's name."""
    if is_secret_name(name):
        assert re.fullmatch(r"[a-z0-9_]{1,63}", name, re.ASCII)


@given(st.text() | st.uuids().map(str) | st.uuids().map(lambda u: u.hex))
def test_a_bot_id_is_exactly_a_canonical_uuid(text: str) -> None:
    """No other way to write a UUID passes, nor anything else."""
    assert is_bot_id(text) is bool(
        re.fullmatch(r"[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}", text, re.ASCII)
    )


def test_new_ids_are_ids_and_differ() -> None:
    """Random, in the form that is asked for."""
    ids = {new_bot_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(is_bot_id(one) and uuid.UUID(one).version == 4 for one in ids)


@pytest.mark.parametrize(
    ("grants", "bot_id", "role"),
    [
        ([], "", Role.NONE),
        ([Grant("user", 1, Role.VIEWER)], "", Role.VIEWER),
        ([Grant("user", 2, Role.ADMIN)], "", Role.NONE),
        ([Grant("role", 10, Role.OPERATOR)], "x", Role.OPERATOR),
        ([Grant("role", 12, Role.OPERATOR)], "x", Role.NONE),
        ([Grant("role", 1, Role.ADMIN)], "", Role.NONE),
        ([Grant("user", 10, Role.ADMIN)], "", Role.NONE),
        ([Grant("user", 1, Role.OPERATOR, "x")], "x", Role.OPERATOR),
        ([Grant("user", 1, Role.OPERATOR, "x")], "y", Role.NONE),
        ([Grant("user", 1, Role.OPERATOR, "x")], "", Role.NONE),
        ([Grant("user", 1, Role.VIEWER), Grant("role", 11, Role.ADMIN)], "", Role.ADMIN),
        ([Grant("user", 1, Role.VIEWER), Grant("user", 1, Role.OPERATOR, "x")], "x", Role.OPERATOR),
        ([Grant("user", 1, Role.NONE)], "", Role.NONE),
    ],
)
def test_the_strongest_fitting_grant_decides(grants: list[Grant], bot_id: str, role: Role) -> None:
    """By user or by role, for one bot or for all; a user's id is no role's id."""
    assert role_of(grants, ANN, Target(bot_id)) is role
    found = strongest(grants, ANN, Target(bot_id))
    assert (found.role if found else Role.NONE) is role


def test_roles_are_read_by_name() -> None:
    """In any case of letters; none is no role to grant."""
    assert [Role.parse(word) for word in ("viewer", "OPERATOR", "Admin")] == list(Role)[1:]
    assert Role.parse("none") is None
    assert Role.parse("root") is None


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(ContainerSpec)])
def test_every_field_of_a_spec_is_in_its_hash(field: str) -> None:
    """A change anywhere is a new hash, so nothing that changed goes unnoticed."""
    value = getattr(SPEC, field)
    other = {
        bool: lambda: not value,
        int: lambda: value + 1,
        str: lambda: value + "x",
        tuple: lambda: (*value, ("x", "y")),
        type(None): lambda: HealthSpec(test=("CMD", "x")),
    }[type(value)]()
    same = dataclasses.replace(SPEC, **{field: other}).digest() == SPEC.digest()
    # One container may serve several releases: a change that needs no other one keeps it.
    assert same is (field == "release")


def test_the_hash_of_a_spec_is_stable() -> None:
    """Another value here would mean that an upgrade makes every container anew at its restart."""
    assert dataclasses.replace(SPEC).digest() == SPEC.digest()
    assert re.fullmatch(r"[0-9a-f]{16}", SPEC.digest())
    health = dataclasses.replace(SPEC, health=HealthSpec(test=("CMD", "/bin/check")))
    assert (SPEC.digest(), health.digest()) == ("17b8d3b86bb6fe97", "3274e2bd3e0c7525")
    seeded = dataclasses.replace(SPEC, seeds=(SeedFile("work/NOTES.md", "text"),))
    assert seeded.digest() == "bc9f037bfa2d4804"


CLASSES = [
    found
    for _, found in inspect.getmembers(errors, inspect.isclass)
    if issubclass(found, ControllerError)
]


def test_codes_are_kebab_case_and_no_two_classes_share_one() -> None:
    """People search for them, and docs/codes.md lists them."""
    codes = [found.code for found in CLASSES]
    assert len(set(codes)) == len(codes) <= 20
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", code) for code in codes)
    assert all(found.__doc__ for found in CLASSES)


def test_the_drawn_tree_is_the_tree() -> None:
    """Every class stands in the docstring, under its parent."""
    drawn: dict[str, str] = {}
    parents = ["ControllerError"]
    for line in (errors.__doc__ or "").splitlines():
        found = re.match(r"((?:│   |    )*)[├└]── (\w+)", line)
        if found:
            depth = len(found[1]) // 4 + 1
            parents[depth:] = [found[2]]
            drawn[found[2]] = parents[depth - 1]
    real = {found.__name__: found.__base__.__name__ for found in CLASSES}
    del real["ControllerError"]
    assert drawn == real


def test_an_error_reads_as_message_and_hint() -> None:
    """The code can be set; without a hint there is no trailing space."""
    assert str(BadInput("No.", hint="Try yes.")) == "No. Try yes."
    assert str(BadInput("No.")) == "No."
    assert BadInput("No.", code="bad-name").code == "bad-name"
    assert BadInput.code == "bad-input"

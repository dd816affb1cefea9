"""Who may do what: every act against every role, and what a refusal says."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.access import (
    SYSTEM,
    Answer,
    Grant,
    Principal,
    Target,
    denial,
    discord_user,
    role_of,
    rule,
)
from controller.domain.acts import ACTS, BOT_CREATE, BOT_STOP, Act, Scope
from controller.domain.bot import Bot
from controller.domain.roles import Role

ANN = discord_user(1, "ann", (10, 11))
FLEET = Target()
SHOP = Target("shop")
BOT = Bot(id="shop", name="n", template="t", provider="p", model="m", channel="c")


@pytest.mark.parametrize("act", ACTS.values(), ids=ACTS)
@pytest.mark.parametrize("has", list(Role))
def test_a_higher_role_may_what_a_lower_may(act: Act, has: Role) -> None:
    """And a lower one reads which role is needed and which it has."""
    ruling = rule([Grant("user", 1, has)], ANN, act, [FLEET])
    assert ruling.role is has
    assert ruling.answer is (Answer.ALLOW if has >= act.role else Answer.DENY)
    yours = f"you are {has.word}" if has else "you have no role here"
    said = f"{act.sentence} needs the role {act.role.word}; {yours}."
    assert denial(act, ruling).message == said


def test_the_table_names_every_act_once() -> None:
    """By the words of its command; none is open to everybody, and reading needs only a viewer."""
    assert all(ident == act.id for ident, act in ACTS.items())
    assert all(
        re.fullmatch(r"(bot|fleet|access|webhook|incident|edge)\.[a-z]+(\.[a-z]+)?|help", ident)
        for ident in ACTS
    )
    assert all(act.role > Role.NONE and act.sentence for act in ACTS.values())
    assert {ident for ident, act in ACTS.items() if act.scope is Scope.FLEET} == {
        "bot.create",
        *("fleet.orphans.remove", "fleet.digest.here"),
        *("fleet.orphans", "fleet.doctor", "fleet.history", "fleet.backup"),
        "fleet.alerts.give",
        *("access.grant", "access.revoke", "access.list", "access.test"),
        *("access.sessions", "access.token.create", "access.token.list", "access.token.revoke"),
        *("bot.clone", "fleet.board", "fleet.updates"),
        *("edge.status", "edge.deploy", "edge.rollback"),
        *(f"webhook.{deed}" for deed in ("add", "list", "test", "replay", "remove")),
    }
    assert {ident for ident, act in ACTS.items() if act.role is Role.OPERATOR} == {
        *("bot.start", "bot.stop", "bot.restart"),
        *("fleet.start", "fleet.stop", "fleet.restart", "fleet.board"),
        *("incident.acknowledge", "incident.mute"),
    }


@pytest.mark.parametrize("principal", [SYSTEM, Principal("console", "root")])
def test_the_system_and_the_console_may_everything(principal: Principal) -> None:
    """Whoever has a shell on the machine needs no grant."""
    for act in ACTS.values():
        assert rule([], principal, act, []).answer is Answer.ALLOW


@pytest.mark.parametrize(
    ("grant", "target", "role"),
    [
        (Grant("user", 1, Role.OPERATOR, "shop"), SHOP, Role.OPERATOR),
        (Grant("user", 1, Role.OPERATOR, "shop"), Target("bee"), Role.NONE),
        (Grant("user", 1, Role.OPERATOR, "shop"), FLEET, Role.NONE),
        (Grant("role", 10, Role.VIEWER), SHOP, Role.VIEWER),
        (Grant("role", 10, Role.VIEWER, "shop"), SHOP, Role.VIEWER),
        (Grant("user", 1, Role.ADMIN, own=True), Target("shop", "1"), Role.ADMIN),
        (Grant("user", 1, Role.ADMIN, own=True), Target("shop", "2"), Role.NONE),
        (Grant("user", 1, Role.ADMIN, own=True), SHOP, Role.NONE),
        (Grant("role", 10, Role.ADMIN, own=True), Target("shop", "1"), Role.ADMIN),
        (Grant("role", 12, Role.ADMIN, own=True), Target("shop", "1"), Role.NONE),
    ],
)
def test_a_grant_reaches_as_far_as_it_says(grant: Grant, target: Target, role: Role) -> None:
    """All bots, one bot, or those that the user owns."""
    assert role_of([grant], ANN, target) is role


def test_one_fitting_target_is_enough() -> None:
    """An act on whichever bots are allowed asks about all of them; on none it is refused."""
    grants = [Grant("user", 1, Role.OPERATOR, "shop")]
    assert rule(grants, ANN, BOT_STOP, [Target("bee"), SHOP]).answer is Answer.ALLOW
    assert rule(grants, ANN, BOT_STOP, [Target("bee")]).answer is Answer.DENY
    assert rule(grants, ANN, BOT_STOP, []).answer is Answer.DENY
    assert rule(grants, ANN, BOT_CREATE, [FLEET]).answer is Answer.DENY


def test_a_users_number_is_nobody_elses() -> None:
    """The console user "1" doesn't hold what Discord's user 1 was granted."""
    assert role_of([Grant("user", 1, Role.ADMIN)], Principal("console", "1")) is Role.NONE
    assert role_of([Grant("user", 0, Role.ADMIN)], SYSTEM) is Role.NONE


def test_a_target_is_a_bot_or_the_fleet() -> None:
    """No bot means all of them."""
    assert Target.of(BOT) == SHOP
    assert Target.of(None) == FLEET


grants = st.lists(
    st.builds(
        Grant,
        kind=st.sampled_from(["user", "role"]),
        subject=st.integers(1, 12),
        role=st.sampled_from(Role),
        bot_id=st.sampled_from(["", "shop", "bee"]),
        own=st.booleans(),
    ),
    max_size=6,
)
targets = st.builds(Target, st.sampled_from(["", "shop", "bee"]), st.sampled_from(["", "1", "2"]))


@given(grants, grants, targets, st.sampled_from(list(ACTS.values())))
def test_more_grants_never_take_a_right_away(
    some: list[Grant], more: list[Grant], target: Target, act: Act
) -> None:
    """And without one that covers the person nothing is allowed."""
    few = rule(some, ANN, act, [target])
    many = rule([*some, *more], ANN, act, [target])
    assert many.role >= few.role
    if not any(grant.covers(ANN, target) for grant in some):
        assert few.answer is Answer.DENY

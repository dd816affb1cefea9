"""May they? Every act against every role, owners, and what is held."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.domain.access import (
    SYSTEM,
    Answer,
    Grant,
    Principal,
    Ruling,
    Target,
    denial,
    discord_user,
    rule,
)
from controller.domain.acts import ACTS, BOT_LIST, BOT_STOP, Act, Scope
from controller.domain.roles import Role

ANN = discord_user(1, "ann", (10,))
A, R = Answer, Role
HERS, BENS, NOBODYS = Target("x", owner="1"), Target("y", owner="2"), Target("z")
FLEET = Target()
OWN = Grant("user", 1, R.OPERATOR, own=True)


@pytest.mark.parametrize("has", list(Role))
@pytest.mark.parametrize("act", ACTS.values(), ids=lambda act: act.id)
def test_a_higher_role_may_what_a_lower_may(act: Act, has: Role) -> None:
    """And a lower one reads which role is needed and which one it has."""
    ruling = rule([Grant("user", 1, has)], ANN, act, [HERS])
    assert ruling == Ruling(A.ALLOW if has >= act.role else A.DENY, has)
    if ruling.answer is A.DENY:
        mine = f"you are {has.word}" if has else "you have no role here"
        said = f"{act.sentence} needs the role {act.role.word}; {mine}."
        assert denial(act, ruling).message == said


@pytest.mark.parametrize(
    ("grant", "targets", "role"),
    [
        (OWN, [HERS], R.OPERATOR),
        (OWN, [BENS], R.NONE),
        (OWN, [NOBODYS], R.NONE),
        (OWN, [FLEET], R.NONE),
        (OWN, [], R.NONE),
        (OWN, [BENS, HERS], R.OPERATOR),
        (Grant("role", 10, R.OPERATOR, own=True), [HERS], R.OPERATOR),
        (Grant("role", 10, R.OPERATOR, own=True), [BENS], R.NONE),
        (Grant("role", 11, R.OPERATOR, own=True), [HERS], R.NONE),
        (Grant("user", 2, R.OPERATOR, own=True), [BENS], R.NONE),
        (Grant("user", 2, R.OPERATOR, own=True), [HERS], R.NONE),
        (Grant("user", 1, R.OPERATOR, "x"), [HERS], R.OPERATOR),
        (Grant("user", 1, R.OPERATOR, "x"), [FLEET], R.NONE),
        (Grant("user", 1, R.OPERATOR), [BENS], R.OPERATOR),
    ],
)
def test_a_grant_for_ones_own_bots_covers_no_other(
    grant: Grant, targets: list[Target], role: Role
) -> None:
    """It counts for a target that the principal owns, and for nothing else."""
    answer = A.ALLOW if role >= BOT_STOP.role else A.DENY
    assert rule([grant], ANN, BOT_STOP, targets) == Ruling(answer, role)


def test_an_owner_without_a_grant_may_nothing() -> None:
    """To own a bot is a scope, not a role."""
    assert rule([], ANN, BOT_LIST, [HERS]) == Ruling(A.DENY, R.NONE)


def test_an_owner_of_another_kind_is_somebody_else() -> None:
    """The console's principal 1 isn't the Discord user 1, whatever it would own."""
    nobody = Principal("console", "1")
    assert not OWN.covers(nobody, HERS)
    assert not Grant("user", 1, R.ADMIN).covers(nobody, HERS)


@pytest.mark.parametrize("principal", [SYSTEM, Principal("console", "0", "root")])
def test_the_system_and_the_console_may_everything(principal: Principal) -> None:
    """Whoever has a shell on the machine has the database too."""
    for act, target in itertools.product(ACTS.values(), (HERS, FLEET)):
        assert rule([], principal, act, [target]).answer is A.ALLOW


grants = st.builds(
    Grant,
    st.sampled_from(["user", "role"]),
    st.sampled_from([1, 2, 10, 11]),
    st.sampled_from(Role),
    st.sampled_from(["", "x", "y"]),
    own=st.booleans(),
)


@given(
    st.lists(grants, max_size=5),
    st.sampled_from(list(ACTS.values())),
    st.lists(st.sampled_from([HERS, BENS, NOBODYS, FLEET]), max_size=3),
)
def test_one_grant_more_never_takes_a_right_away(
    held: list[Grant], act: Act, targets: list[Target]
) -> None:
    """And nothing is held yet: an answer is allow or deny."""
    answers = [rule(held[:count], ANN, act, targets).answer for count in range(len(held) + 1)]
    assert set(answers) <= {A.ALLOW, A.DENY}
    assert answers == sorted(answers, key=[A.DENY, A.ALLOW].index)
    assert answers[0] is A.DENY


def test_the_table_of_acts_can_be_read() -> None:
    """Ids in one form, each with a sentence and a role that can be granted."""
    for ident, act in ACTS.items():
        assert (act.id, act.role > R.NONE) == (ident, True)
        assert re.fullmatch(r"[a-z]+(\.[a-z]+){0,2}", ident)
        assert re.match(r"[A-Z][a-z]+ing ", act.sentence)
        assert act.scope in Scope


def test_an_answer_may_be_to_hold_it() -> None:
    """The third answer exists, so that edges and use-cases never read "not denied" as allowed."""
    assert [answer.value for answer in Answer] == ["allow", "hold", "deny"]

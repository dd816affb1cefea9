"""Who is told of an incident, and when: seldom, and each of them once."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from controller.domain.announcing import Alert, announced, hours_of, plan, zone_of
from controller.domain.errors import BadInput
from controller.domain.incident import (
    Condition,
    Details,
    Incident,
    Look,
    News,
    Pace,
    Trouble,
    acknowledged,
    advance,
    muted,
)

PACE = Pace()
START = datetime(2026, 11, 28, 12, 0, tzinfo=UTC).timestamp()
ANN = Alert(kind="user", subject=1)
OPS = Alert(kind="role", subject=7)
WELL = Look(condition=Condition.WELL)
DOWN = Look(condition=Condition.ILL, trouble=Trouble.DOWN, details=Details(cause="Gave up."))


def crash(at: float) -> Look:
    return Look(condition=Condition.WELL, news=(News(at=at, trouble=Trouble.CRASHED, exit_code=1),))


def fresh(at: float = START) -> Incident:
    found = advance(None, crash(at), at, PACE)
    assert found is not None
    return replace(found, id=1, subject="b", bot_id="b")


def told(
    incident: Incident, alerts: Iterable[Alert], now: float
) -> tuple[Incident, int, list[str]]:
    """The incident after what is due now, how many messages that were, and whom they pinged."""
    made = plan(incident, alerts, now, PACE)
    after = replace(announced(incident, made, now), shown=incident.version, owed=frozenset())
    return after, int(made.post), [one.whom for one in made.pings]


def half_a_day(looks: dict[float, Look], alerts: Iterable[Alert]) -> tuple[int, list[str]]:
    """Messages and pings in 12 hours, decided every ten seconds; `looks` by seconds from START."""
    known: Incident | None = None
    messages, pings = 0, []
    for second in range(0, 12 * 3600, 10):
        now = START + second
        known = advance(known, looks.get(float(second), WELL), now, PACE)
        if known is not None:
            known = replace(known, id=known.id or second + 1, subject="b")
            known, posted, whom = told(known, alerts, now)
            messages, pings = messages + posted, pings + whom
    return messages, pings


def test_a_bot_that_crashes_every_half_hour_for_half_a_day_is_told_four_times() -> None:
    """At 0, 1, 3 and 7 hours; 24 incidents would be 24 alerts, which nobody reads."""
    looks = {float(at): crash(START + at) for at in range(0, 12 * 3600, 1800)}
    messages, pings = half_a_day(looks, [ANN])
    assert (messages, pings) == (4, ["user:1"] * 4)


def test_a_bot_that_stays_down_for_half_a_day_is_told_four_times() -> None:
    """The same pace for what simply lasts."""
    looks = {float(at): DOWN for at in range(0, 12 * 3600, 10)}
    assert half_a_day(looks, [ANN, OPS]) == (4, ["user:1", "role:7"] * 4)


def test_a_bot_that_crashes_every_seventy_minutes_is_told_of_ever_less_often() -> None:
    """Longer apart than the first pause, and still one story."""
    looks = {float(at): crash(START + at) for at in range(0, 12 * 3600, 4200)}
    assert half_a_day(looks, [ANN])[0] == 4


def test_whoever_has_quiet_hours_is_pinged_at_their_end_and_only_once() -> None:
    """By a message of their own, if it isn't over by then; nobody else is pinged by it."""
    night = replace(OPS, quiet_from=11 * 60, quiet_to=12 * 60 + 30)
    first, posted, whom = told(fresh(), [ANN, night], START)
    assert (posted, whom) == (1, ["user:1"])
    made = plan(first, [ANN, night], START + 60, PACE)
    assert (made.post, made.again) == (False, 1740.0)
    after, posted, whom = told(first, [ANN, night], START + 1800)
    assert (posted, whom, after.announced) == (1, ["role:7"], 1)
    assert not plan(after, [ANN, night], START + 1900, PACE).post


def test_whoever_slept_through_a_repeat_is_pinged_for_it_at_their_end() -> None:
    """Also if they were awake for the first announcement."""
    nap = replace(OPS, quiet_from=12 * 60 + 30, quiet_to=14 * 60)
    known, _, whom = told(fresh(), [ANN, nap], START)
    assert whom == ["user:1", "role:7"]
    known, _, whom = told(known, [ANN, nap], START + 3600)
    assert whom == ["user:1"]
    assert told(known, [ANN, nap], START + 7200)[1:] == (1, ["role:7"])


def test_nobody_is_pinged_for_what_began_before_they_asked_or_isnt_their_bot() -> None:
    """It's posted all the same."""
    alerts = [replace(ANN, since=START + 1), replace(OPS, bot_id="another")]
    assert told(fresh(), alerts, START)[1:] == (1, [])
    assert told(fresh(), [replace(OPS, bot_id="b")], START)[2] == ["role:7"]


def test_two_wishes_of_one_person_ping_them_once() -> None:
    """For all bots, and for this one."""
    assert told(fresh(), [ANN, replace(ANN, bot_id="b")], START)[2] == ["user:1"]


@pytest.mark.parametrize("silent", ["acknowledged", "muted"])
def test_what_somebody_looks_after_or_muted_isnt_announced_again(silent: str) -> None:
    """However long it lasts."""
    known, *_ = told(fresh(), [ANN], START)
    by = silent == "muted"
    known = muted(known, math.inf) if by else acknowledged(known, "ann", START)
    assert plan(known, [ANN], START + 90_000, PACE) == plan(known, [ANN], START + 1, PACE)
    assert not plan(known, [ANN], START + 90_000, PACE).post


def test_a_mute_of_an_hour_ends_after_an_hour() -> None:
    """Then it's told, if it's still wrong and a repeat was due."""
    known, *_ = told(fresh(), [ANN], START)
    known = muted(known, START + 3700)
    assert plan(known, [ANN], START + 3650, PACE).again == 50.0
    assert plan(known, [ANN], START + 3700, PACE).post


def test_giving_up_is_told_anew_unless_that_was_minutes_ago() -> None:
    """Whoever was pinged just now reads the edited message."""
    known, *_ = told(fresh(), [ANN], START)
    soon = advance(known, DOWN, START + 20, PACE)
    late = advance(known, DOWN, START + 900, PACE)
    assert soon is not None
    assert late is not None
    assert plan(soon, [ANN], START + 20, PACE).again == 280.0
    assert plan(late, [ANN], START + 900, PACE).pings == (ANN,)


def test_what_was_decided_is_posted_and_not_decided_again() -> None:
    """A controller that ends in between leaves word of whom the message has to ping."""
    known = fresh()
    due = announced(known, plan(known, [ANN], START, PACE), START)
    assert (due.shown, due.owed) == (-1, frozenset({"user:1"}))
    assert not plan(due, [ANN], START + 9999, PACE).post


def test_quiet_hours_are_by_the_persons_own_clock_also_when_it_is_changed() -> None:
    """The last Sunday of October has 25 hours in Berlin."""
    night = replace(ANN, quiet_from=22 * 60, quiet_to=7 * 60, zone="Europe/Berlin")
    summer = datetime(2026, 10, 24, 20, 30, tzinfo=UTC).timestamp()  # 22:30 there
    assert night.quiet_for(summer) == 9.5 * 3600
    assert night.quiet_for(summer - 1800) == 10 * 3600
    assert night.quiet_for(summer - 1801) == 0.0


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("22:00-07:30", (1320, 450)),
        ("22 – 7", (1320, 420)),
        ("", (0, 0)),
        ("off", (0, 0)),
    ],
)
def test_quiet_hours_as_people_type_them(typed: str, found: tuple[int, int]) -> None:
    """Minutes may be left out."""
    assert hours_of(typed) == found


@pytest.mark.parametrize(
    "typed", ["night", "25:00-7", "24:00-7", "7-7", "22:00", "22:0x-7", "1-2-3", "²-7"]
)
def test_other_quiet_hours_are_refused(typed: str) -> None:
    """With an example of the right form."""
    with pytest.raises(BadInput, match="22:00-07:00"):
        hours_of(typed)


@pytest.mark.parametrize("typed", ["Berlin", "../etc/passwd", "/etc/passwd", "a\0b"])
def test_a_time_zone_that_doesnt_exist_is_refused(typed: str) -> None:
    """No name leads to a file elsewhere."""
    assert zone_of(" Europe/Berlin ") == "Europe/Berlin"
    with pytest.raises(BadInput, match="no such time zone"):
        zone_of(typed)

"""What a weekly digest tells, and when it comes."""

from __future__ import annotations

import pytest

from controller.chat.incidents.digest_words import digest_words
from controller.domain.digest import WEEK, digest, weekly
from controller.domain.errors import BadInput
from controller.domain.incident import Ending, Incident, Trouble
from controller.domain.journal import Entry, Kind

UNTIL = 1_800_000_000.0
SINCE = UNTIL - WEEK
HOUR = 3600.0


def incident(name: str, opened: float, over: float = 0.0) -> Incident:
    """A crash of a bot; an empty name: Docker was away."""
    return Incident(
        id=1,
        subject=name or "engine",
        bot_id=name,
        bot_name=name,
        trouble=Trouble.CRASHED if name else Trouble.ENGINE,
        opened_at=opened,
        over_at=over,
        ending=Ending.RECOVERED if over else None,
    )


def test_a_week_counts_what_was_of_it() -> None:
    """Incidents by how long they took within the week, the worst bot first."""
    found = digest(
        ["running", "running", "error"],
        [
            incident("old", SINCE - 9 * HOUR, SINCE - HOUR),
            incident("late", SINCE - HOUR, SINCE + HOUR),
            incident("shop", SINCE + HOUR, SINCE + 2 * HOUR),
            incident("shop", UNTIL - 5 * HOUR),
            incident("", UNTIL - HOUR, UNTIL - HOUR / 2),
            incident("next", UNTIL + 1),
        ],
        [
            Entry(at=SINCE + 1, kind=Kind.CREATED),
            Entry(at=SINCE - 1, kind=Kind.CREATED),
            Entry(at=UNTIL - 1, kind=Kind.MISSED, data={"times": 3}),
            Entry(at=UNTIL - 1, kind=Kind.ASKED),
        ],
        SINCE,
        UNTIL,
    )
    assert (found.incidents, found.still_open, found.others, found.missed) == (3, 1, 1, 3)
    assert found.longest == 5 * HOUR
    assert [(one.name, one.incidents, one.seconds) for one in found.worst] == [
        ("shop", 2, 6 * HOUR),
        ("late", 1, HOUR),
    ]
    assert found.changes == {Kind.CREATED: 1}
    text = digest_words(found)
    assert "Now 3 bots: 1 error, 2 running" in text
    assert "⚠️ 3 incidents began, the longest took 5 hours; 1 not over yet" in text
    assert "- **shop**: 2 incidents, 6 hours in trouble" in text
    assert "⏭️ 3 scheduled runs missed" in text
    assert text.endswith("Changed: 1 bot created")


def test_a_quiet_week_is_three_lines() -> None:
    """And says that nothing went wrong."""
    text = digest_words(digest(["running"], [], [], SINCE, UNTIL))
    assert text.split("\n")[1:] == [
        "Now 1 bot: 1 running",
        "✅ Nothing went wrong.",
        "Changed: nothing",
    ]


@pytest.mark.parametrize(
    ("day", "at", "cron"),
    [
        ("monday", "9:00", "0 9 * * 1"),
        ("Sunday", "23.59", "59 23 * * 0"),
        (" friday ", "7", "0 7 * * 5"),
    ],
)
def test_a_day_and_a_time_are_a_cron_expression(day: str, at: str, cron: str) -> None:
    """In whatever way people write times."""
    assert weekly(day, at) == cron


@pytest.mark.parametrize(
    ("day", "at"), [("someday", "9:00"), ("monday", "24:00"), ("monday", "9:60"), ("monday", "x")]
)
def test_what_is_no_time_of_a_week_is_refused(day: str, at: str) -> None:
    """With an example."""
    with pytest.raises(BadInput) as refused:
        weekly(day, at)
    assert refused.value.code == "bad-digest-time"

"""When a schedule is due: time zones, the hour that is skipped, the hour that comes twice."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from controller.domain.errors import BadInput
from controller.manager.cron_times import due_until, next_run, require_rare, zone_meant

BERLIN = "Europe/Berlin"


def at(text: str, zone: str = BERLIN, *, fold: int = 0) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold).timestamp()


def runs(cron: str, after: float, count: int = 3, zone: str = BERLIN) -> list[str]:
    """The next runs, as a clock on the wall there shows them, with the offset from UTC."""
    found = []
    for _ in range(count):
        after = next_run(cron, zone, after)
        found.append(datetime.fromtimestamp(after, ZoneInfo(zone)).strftime("%d %H:%M %z"))
    return found


# In Berlin 02:00 is followed by 03:00 on 29 March 2026, and 03:00 by 02:00 on 25 October.
@pytest.mark.parametrize(
    ("cron", "after", "expected"),
    [
        # A fixed time that is skipped runs right after the gap, once.
        ("30 2 * * *", "2026-03-28 12:00", ["29 03:00 +0200", "30 02:30 +0200", "31 02:30 +0200"]),
        ("30 3 * * *", "2026-03-28 12:00", ["29 03:30 +0200", "30 03:30 +0200", "31 03:30 +0200"]),
        # One that comes twice runs the first time only.
        ("30 2 * * *", "2026-10-24 12:00", ["25 02:30 +0200", "26 02:30 +0100", "27 02:30 +0100"]),
        # What runs every so often goes by elapsed time, and never twice or not at all.
        ("0 * * * *", "2026-03-29 00:30", ["29 01:00 +0100", "29 03:00 +0200", "29 04:00 +0200"]),
        ("0 * * * *", "2026-10-25 01:30", ["25 02:00 +0200", "25 02:00 +0100", "25 03:00 +0100"]),
        ("*/30 * * * *", "2026-10-25 02:10", ["25 02:30 +0200", "25 02:00 +0100"]),
    ],
)  # fmt: skip
def test_a_night_with_a_change_of_clocks(cron: str, after: str, expected: list[str]) -> None:
    """As Debian's cron does it."""
    assert runs(cron, at(after), len(expected)) == expected


def test_in_the_repeated_hour_a_fixed_time_that_ran_is_not_due_again() -> None:
    """Also for a controller that starts in the second of both."""
    second = at("2026-10-25 02:10", fold=1)
    assert runs("30 2 * * *", second, 1) == ["26 02:30 +0100"]
    assert next_run("50 2 * * *", BERLIN, second) > second


def test_the_next_run_is_always_later_than_now() -> None:
    """Through both nights, minute by minute."""
    for night in ("2026-03-29 00:30", "2026-10-25 00:30"):
        for minute in range(240):
            now = at(night) + 60 * minute
            for cron in ("30 2 * * *", "15 * * * *", "*/20 2,3 * * *"):
                assert next_run(cron, BERLIN, now) > now


@pytest.mark.parametrize("cron", ["* * * * *", "*/4 * * * *", "0,2 4 * * *", "0,30,31 4 * * *"])
def test_more_often_than_every_five_minutes_is_refused(cron: str) -> None:
    """A bot that restarts all the time helps nobody."""
    with pytest.raises(BadInput, match="every five minutes"):
        require_rare(cron, "UTC", at("2026-05-01 12:00"))
    require_rare("*/5 * * * *", "UTC", at("2026-05-01 12:00"))


@pytest.mark.parametrize("cron", ["61 * * * *", "0 0 31 2 *", "0 0 * * nosuch", "a b c d e"])
def test_a_time_that_never_comes_is_refused(cron: str) -> None:
    """Before it is written down."""
    with pytest.raises(BadInput) as caught:
        next_run(cron, "UTC", 0.0)
    assert caught.value.code == "bad-schedule"


def test_what_was_missed_is_counted_to_the_last_one() -> None:
    """However long nobody ran; beyond a thousand nobody counts on."""
    first = at("2026-05-01 04:00")
    count, last = due_until("0 4 * * *", BERLIN, first, at("2026-05-04 03:00"))
    assert (count, last) == (3, at("2026-05-03 04:00"))
    assert due_until("*/5 * * * *", BERLIN, first, first + 86400 * 30)[0] == 1000


def test_a_zone_is_taken_in_any_case_and_an_unknown_one_refused() -> None:
    """`utc` and an empty one are UTC."""
    assert zone_meant("europe/berlin") == BERLIN
    assert zone_meant("America/new york") == "America/New_York"
    assert zone_meant(" ") == zone_meant("utc") == "UTC"
    for wrong in ("Nowhere/Land", "../etc/passwd"):
        with pytest.raises(BadInput) as caught:
            zone_meant(wrong)
        assert caught.value.code == "unknown-time-zone"

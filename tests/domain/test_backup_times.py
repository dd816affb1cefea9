"""When a scheduled backup is due, whether one was missed, and which old ones go."""

from __future__ import annotations

import pytest

from controller.domain.backup_times import Backed, due_in, missed, to_drop

DAY, HOUR = 86_400.0, 3600.0
NOW = 1_800_000_000.0


@pytest.mark.parametrize(
    ("state", "seconds"),
    [
        (Backed(), 0.0),  # the very first is made at once
        (Backed(made_at=NOW), DAY),
        (Backed(made_at=NOW - DAY / 4), DAY * 3 / 4),
        (Backed(made_at=NOW - 2 * DAY), 0.0),
        (Backed(made_at=NOW + 9 * DAY), DAY),  # a clock that was set back
        (Backed(made_at=NOW - DAY, failed_at=NOW), HOUR),
        (Backed(made_at=NOW - DAY, failed_at=NOW - HOUR / 2), HOUR / 2),
        (Backed(made_at=NOW - 2 * DAY, failed_at=NOW - DAY), 0.0),
        (Backed(failed_at=NOW + 9 * DAY), HOUR),
        (Backed(made_at=NOW, failed_at=NOW - DAY), DAY),  # it failed, and then it was made
    ],
)
def test_the_next_one_is_due_then(state: Backed, seconds: float) -> None:
    """After one that was made, after one that failed, and with clocks that jump."""
    assert due_in(state, DAY, HOUR, NOW) == pytest.approx(seconds)


@pytest.mark.parametrize(
    ("made_at", "was"),
    [(0.0, False), (NOW - DAY, False), (NOW - DAY - 60, False), (NOW - DAY - HOUR, True)],
)
def test_one_that_nobody_could_make_was_missed(made_at: float, was: bool) -> None:
    """Not the very first, and not one that is a few minutes late."""
    assert missed(Backed(made_at=made_at), DAY, NOW) is was


def test_only_our_own_oldest_files_go() -> None:
    """By the moment in their names; nothing that is called anything else."""
    ours = [f"botmaker-2026112{day}-000000-000.age" for day in range(9)]
    others = ["botmaker-important.age", "botmaker-20261120-000000-000.age.bak", "notes.txt"]
    assert to_drop([*ours[::-1], *others], 7) == ours[:2]
    assert to_drop(ours[:3], 7) == []

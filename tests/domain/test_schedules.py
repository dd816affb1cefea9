"""What people type for a time, and what a schedule may do."""

from __future__ import annotations

import pytest

from controller.domain.access import SYSTEM, Answer, Target, rule
from controller.domain.acts import BOT_DELETE, BOT_RESTART, FLEET_BACKUP
from controller.domain.errors import BadInput
from controller.domain.schedules import Chore, Schedule, cron_of


@pytest.mark.parametrize(
    ("typed", "cron"),
    [
        ("daily 4:30", "30 4 * * *"),
        ("Daily at 04:05", "5 4 * * *"),
        ("@daily", "0 0 * * *"),
        ("weekdays 09:00", "0 9 * * 1-5"),
        ("weekends 23.15", "15 23 * * 0,6"),
        ("mon,thu 22:15", "15 22 * * 1,4"),
        ("Sunday 3:00", "0 3 * * 0"),
        (" hourly ", "0 * * * *"),
        ("30  4 * *  mon", "30 4 * * mon"),
        ("*/15 * * * *", "*/15 * * * *"),
    ],
)
def test_what_people_type_is_a_cron_expression(typed: str, cron: str) -> None:
    """In words or in cron's five fields."""
    assert cron_of(typed) == cron


@pytest.mark.parametrize(
    "typed", ["", "4:30", "daily 25:00", "monster 3:00", "daily 4:30 5", "* * * * * *", "x" * 200]
)
def test_anything_else_is_refused_with_examples(typed: str) -> None:
    """The hint shows what works."""
    with pytest.raises(BadInput) as caught:
        cron_of(typed)
    assert caught.value.code == "bad-schedule"
    assert "daily 4:30" in caught.value.hint


def of(chore: Chore) -> Schedule:
    return Schedule(
        id=7, bot_id="b1", chore=chore, cron="0 4 * * *", zone="UTC", by=SYSTEM, created_at=1.0,
        next_at=2.0,
    )  # fmt: skip


def test_a_schedule_may_do_its_one_act_to_its_one_bot() -> None:
    """Nothing else, and nothing to another bot; without any grant."""
    who = of(Chore.RESTART).principal
    allowed = {
        (act.id, bot): rule((), who, act, [Target(bot)]).answer is Answer.ALLOW
        for act in (BOT_RESTART, BOT_DELETE, FLEET_BACKUP)
        for bot in ("b1", "b2", "")
    }
    assert [pair for pair, may in allowed.items() if may] == [("bot.restart", "b1")]
    assert rule((), of(Chore.BACKUP).principal, FLEET_BACKUP, [Target()]).answer is Answer.ALLOW


def test_each_run_has_a_request_of_its_own() -> None:
    """By the schedule and the time when it is due: the same run twice is the same request."""
    one = of(Chore.RESTART)
    assert one.request(100.0) == one.request(100.0) != one.request(160.0)

"""When the disk is nearly full, and when secrets are due."""

from __future__ import annotations

import pytest

from controller.domain.upkeep import look_at_ages, look_at_disk

DAY = 86_400.0


@pytest.mark.parametrize(
    ("free", "was_low", "said"),
    [
        (2e9, False, ""),
        (1.2e9, False, ""),
        (1.2e9, True, "Less than 1.5 GB is free under BotMaker's data folder."),
        (0.7e9, False, "Less than 1 GB is free under BotMaker's data folder."),
        (0.05e9, True, "Less than 0.1 GB is free under BotMaker's data folder."),
        (1.5e9, True, ""),
    ],
)
def test_a_disk_is_low_until_there_is_clearly_more(free: float, was_low: bool, said: str) -> None:
    """So that it doesn't begin and end every minute."""
    assert look_at_disk(free, was_low=was_low).details.cause == said


def test_old_secrets_are_named_in_one_sentence_for_all_bots() -> None:
    """By bot and secret; the younger ones aren't."""
    written = {"shop": {"token": 0.0, "key": 95 * DAY}, "bee": {"key": 0.0}, "new": {"k": 99 * DAY}}
    look = look_at_ages(written, 90 * DAY, 100 * DAY)
    assert look.details.cause == "Older than 90 days: bee (key), shop (token)."
    many = {f"bot-{n:02}": {"key": 0.0} for n in range(13)}
    assert look_at_ages(many, DAY, 9 * DAY).details.cause.endswith("bot-09 (key) and 3 more bots.")
    assert look_at_ages(written, 90 * DAY, 10 * DAY).trouble is None

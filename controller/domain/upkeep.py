"""When the disk is nearly full, and when secrets are due to be replaced. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from controller.domain.incident import Condition, Details, Look, Trouble

LOW, ENOUGH = 1e9, 1.5e9  # bytes: where it begins, and where it's over
NAMED_MOST = 10  # bots
_DAY = 86_400.0
_WELL = Look(condition=Condition.WELL)


def look_at_disk(free: float, *, was_low: bool) -> Look:
    """Whether so many bytes are enough. Once it was low, more is needed, so that it doesn't flap.

    The number is told roughly: an incident that says another one every minute is no news.
    """
    if free >= (ENOUGH if was_low else LOW):
        return _WELL
    limit = next((half for half in (0.1, 0.25, 0.5, 1.0) if free < half * 1e9), 1.5)
    cause = f"Less than {limit:g} GB is free under BotMaker's data folder."
    return Look(condition=Condition.ILL, trouble=Trouble.DISK, details=Details(cause=cause))


def look_at_ages(written: Mapping[str, Mapping[str, float]], most: float, now: float) -> Look:
    """Whether secrets are older than that. `written`: when, by bot's and by secret's name."""
    old = {
        bot: sorted(name for name, at in times.items() if now - at > most)
        for bot, times in sorted(written.items())
    }
    due = [f"{bot} ({', '.join(names)})" for bot, names in old.items() if names]
    if not due:
        return _WELL
    named = ", ".join(due[:NAMED_MOST])
    more = f" and {len(due) - NAMED_MOST} more bots" if len(due) > NAMED_MOST else ""
    cause = f"Older than {most / _DAY:.0f} days: {named}{more}."
    return Look(condition=Condition.ILL, trouble=Trouble.SECRETS, details=Details(cause=cause))

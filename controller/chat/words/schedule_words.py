"""Schedules in words."""

from __future__ import annotations

from collections.abc import Sequence

from controller.chat.words.text import moment, plain, plural
from controller.domain.bot import Bot
from controller.domain.schedules import Chore, Schedule

_WORDS_MAX = 160
_CHORES = {
    Chore.START: "start",
    Chore.STOP: "stop",
    Chore.RESTART: "restart",
    Chore.CHECK: "check for an update",
    Chore.BACKUP: "back everything up",
}


def added_words(bot: Bot, made: Schedule) -> str:
    """The answer to a new schedule: what it does, and when first."""
    return (
        f"✅ Schedule {made.id} of **{bot.name}**: {_what(made)}.\n"
        f"First run <t:{int(made.next_at)}:F>, {moment(made.next_at)}."
    )


def schedules_words(bot: Bot, found: Sequence[Schedule]) -> str:
    """A bot's schedules, each with its next run and how the last one went."""
    if not found:
        return f"**{bot.name}** does nothing by itself. `/bot schedule add` lets it."
    return "\n".join([f"**{bot.name}** does by itself:", *map(_line, found)])


def changed_words(bot: Bot, now: Schedule) -> str:
    """The answer to a schedule that was paused or goes on."""
    if now.paused:
        return f"⏸️ Schedule {now.id} of **{bot.name}** is paused. `/bot schedule resume` ends that."
    return f"▶️ Schedule {now.id} of **{bot.name}** goes on: next run {moment(now.next_at)}."


def _what(one: Schedule) -> str:
    return f"{_CHORES[one.chore]} at `{one.cron}` ({plain(one.zone, 60)})"


def _line(one: Schedule) -> str:
    when = "paused" if one.paused else f"next <t:{int(one.next_at)}:f>, {moment(one.next_at)}"
    line = f"`{one.id}` {_what(one)} — {when}"
    if one.last_at:
        how = f"failed ({one.last_code})" if one.last_code else "done"
        words = f": {plain(one.last_words, _WORDS_MAX)}" if one.last_words else ""
        line += f"; last run {moment(one.last_at)} {how}{words}"
    if one.missed:
        runs = plural(one.missed, "run")
        line += f"; ⚠️ missed {runs} while BotMaker was away, the last {moment(one.missed_at)}"
    return line

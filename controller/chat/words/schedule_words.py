"""Schedules in words."""

from __future__ import annotations

from collections.abc import Sequence

from controller.chat.languages import plural, say, told
from controller.chat.words.text import moment, plain
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
    return say(
        "✅ Schedule {id} of **{name}**: {what}.\nFirst run <t:{next_at}:F>, {when}.",
        id=made.id,
        name=bot.name,
        what=_what(made),
        next_at=int(made.next_at),
        when=moment(made.next_at),
    )


def schedules_words(bot: Bot, found: Sequence[Schedule]) -> str:
    """A bot's schedules, each with its next run and how the last one went."""
    if not found:
        return say("**{name}** does nothing by itself. `/bot schedule add` lets it.", name=bot.name)
    return "\n".join([say("**{name}** does by itself:", name=bot.name), *map(_line, found)])


def changed_words(bot: Bot, now: Schedule) -> str:
    """The answer to a schedule that was paused or goes on."""
    if now.paused:
        return say(
            "⏸️ Schedule {id} of **{name}** is paused. `/bot schedule resume` ends that.",
            id=now.id,
            name=bot.name,
        )
    return say(
        "▶️ Schedule {id} of **{name}** goes on: next run {when}.",
        id=now.id,
        name=bot.name,
        when=moment(now.next_at),
    )


def _what(one: Schedule) -> str:
    return say(
        "{chore} at `{cron}` ({zone})",
        chore=say(_CHORES[one.chore]),
        cron=one.cron,
        zone=plain(one.zone, 60),
    )


def _line(one: Schedule) -> str:
    when = (
        say("paused")
        if one.paused
        else say("next <t:{next_at}:f>, {when}", next_at=int(one.next_at), when=moment(one.next_at))
    )
    line = f"`{one.id}` {_what(one)} — {when}"
    if one.last_at:
        how = say("failed ({last_code})", last_code=one.last_code) if one.last_code else say("done")
        words = f": {plain(told(one.last_words), _WORDS_MAX)}" if one.last_words else ""
        line += say(
            "; last run {when} {how}{words}", when=moment(one.last_at), how=how, words=words
        )
    if one.missed:
        runs = plural(one.missed, "run")
        line += say(
            "; ⚠️ missed {runs} while BotMaker was away, the last {when}",
            runs=runs,
            when=moment(one.missed_at),
        )
    return line

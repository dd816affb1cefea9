"""Schedules of bots: what is done by itself, and when. When the next run is due is next door to the
use-cases, in `manager/cron_times`, because it needs a library."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from controller.domain import acts
from controller.domain.access import Limit, Principal
from controller.domain.acts import Act
from controller.domain.errors import BadInput
from controller.domain.roles import Role

EACH_MOST = 10  # schedules of one bot
LATE = 300.0  # seconds; a run that would be so late is reported instead
CRON_MAX = 100  # characters
_DAYS = ("sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday")
_SEVERAL = {"daily": "*", "weekdays": "1-5", "weekends": "0,6"}
_AT = re.compile(r"([01]?\d|2[0-3])[:.]([0-5]\d)", re.ASCII)


class Chore(StrEnum):
    """What a schedule does, in the words that people see."""

    START = "start"
    STOP = "stop"
    RESTART = "restart"
    CHECK = "update-check"  # says what an update would change, and changes nothing
    BACKUP = "backup"  # of everything: there is no backup of one bot

    @property
    def act(self) -> Act:
        """The act that it asks for."""
        return _ACTS[self]

    @classmethod
    def parse(cls, typed: str) -> Chore:
        """The chore of that name; BadInput lists them."""
        word = "-".join(typed.casefold().split())
        for chore in cls:
            if chore.value == word:
                return chore
        raise BadInput(
            "A schedule can't do that.",
            hint="It can " + ", ".join(chore.value for chore in cls) + ".",
            code="bad-schedule",
        )


_ACTS: Mapping[Chore, Act] = {
    Chore.START: acts.BOT_START,
    Chore.STOP: acts.BOT_STOP,
    Chore.RESTART: acts.BOT_RESTART,
    Chore.CHECK: acts.BOT_UPDATE,
    Chore.BACKUP: acts.FLEET_BACKUP,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """One schedule. Times are this machine's, in seconds since the epoch; 0: never."""

    id: int = 0  # before it is written
    bot_id: str
    chore: Chore
    cron: str
    zone: str
    by: Principal  # who made it
    created_at: float
    paused: bool = False
    next_at: float
    last_at: float = 0.0  # the last run
    last_code: str = ""  # of the error that it ended with; empty: none
    last_words: str = ""  # how it ended, where there is more to say
    missed: int = 0  # runs that weren't made, since the last one that was
    missed_at: float = 0.0  # when the last of them was due

    def request(self, due: float) -> str:
        """The id of the request of one run: it acts once, whatever dies in between."""
        return f"schedule:{self.id}:{int(due)}"

    @property
    def principal(self) -> Principal:
        """As whom it asks: it may do this one act to this one bot, and nothing else."""
        bots = frozenset() if self.chore is Chore.BACKUP else frozenset({self.bot_id})
        limit = Limit(Role.ADMIN, bots, frozenset({self.chore.act.id}))
        name = f"schedule {self.id}" + (f" of {self.by.name}" if self.by.name else "")
        return Principal("system", f"schedule:{self.id}", name, limit=limit)


def cron_of(typed: str) -> str:
    """What a person typed as a cron expression of five fields; its fields aren't checked yet.

    Besides cron, `hourly`, and days with a time: `daily 4:30`, `weekdays 09:00`, `mon,thu 22:15`.
    """
    words = " ".join(typed.lower().split())
    if len(words) > CRON_MAX:
        raise bad_cron()
    if words.removeprefix("@") == "hourly":
        return "0 * * * *"
    days, _, at = words.removeprefix("@").partition(" ")
    chosen = _days(days)
    if chosen:
        return f"{_minute_and_hour(at)} * * {chosen}"
    if len(words.split()) != 5:
        raise bad_cron()
    return words


def _days(word: str) -> str:
    """The days of a week as cron's field; empty for what isn't days."""
    if word in _SEVERAL:
        return _SEVERAL[word]
    found = []
    for name in word.split(","):
        number = next((i for i, day in enumerate(_DAYS) if name in (day, day[:3])), None)
        if number is None:
            return ""
        found.append(str(number))
    return ",".join(found)


def _minute_and_hour(at: str) -> str:
    if not at:
        return "0 0"
    found = _AT.fullmatch(at.removeprefix("at ").strip())
    if found is None:
        raise bad_cron()
    return f"{int(found[2])} {int(found[1])}"


def bad_cron() -> BadInput:
    """When it is to run can't be read."""
    return BadInput(
        "That isn't a time that I understand.",
        hint="For example `daily 4:30`, `weekdays 09:00`, `mon,thu 22:15`, `hourly`, "
        "or cron's five fields: `30 4 * * 1`.",
        code="bad-schedule",
    )

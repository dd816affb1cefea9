"""One act on many bots at once: which bots it is for, and how each of them ended."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase

from controller.domain import acts
from controller.domain.access import Principal
from controller.domain.acts import Act
from controller.domain.bot import Bot
from controller.domain.errors import NotFound
from controller.domain.phase import Phase

BOTS_MOST = 1000
CONFIRM_SECONDS = 300.0


class Verb(StrEnum):
    """What can be done to many bots at once."""

    START = "start"
    STOP = "stop"
    RESTART = "restart"
    UPDATE = "update"

    @property
    def act(self) -> Act:
        """The act that somebody asks for."""
        return _FLEET_ACTS[self]

    @property
    def of_one(self) -> Act:
        """The act that it is for each bot."""
        return _BOT_ACTS[self]

    @classmethod
    def of(cls, act_id: str) -> Verb:
        """The verb of an act on many."""
        return next(verb for verb, act in _FLEET_ACTS.items() if act.id == act_id)


_FLEET_ACTS: Mapping[Verb, Act] = {
    Verb.START: acts.FLEET_START,
    Verb.STOP: acts.FLEET_STOP,
    Verb.RESTART: acts.FLEET_RESTART,
    Verb.UPDATE: acts.FLEET_UPDATE,
}
_BOT_ACTS: Mapping[Verb, Act] = {
    Verb.START: acts.BOT_START,
    Verb.STOP: acts.BOT_STOP,
    Verb.RESTART: acts.BOT_RESTART,
    Verb.UPDATE: acts.BOT_UPDATE,
}
# Where it makes sense. What is being removed, or has no secrets yet, is left alone by all of them;
# and a restart of many starts nothing that somebody stopped.
_APPLIES: Mapping[Verb, frozenset[Phase]] = {
    Verb.START: frozenset({Phase.STOPPED, Phase.ERROR}),
    Verb.STOP: frozenset(
        {Phase.STARTING, Phase.RUNNING, Phase.UNHEALTHY, Phase.CRASH_LOOPING, Phase.ERROR}
    ),
    Verb.RESTART: frozenset(
        {Phase.STARTING, Phase.RUNNING, Phase.UNHEALTHY, Phase.CRASH_LOOPING, Phase.ERROR}
    ),
    Verb.UPDATE: frozenset(
        {Phase.RUNNING, Phase.UNHEALTHY, Phase.CRASH_LOOPING, Phase.ERROR, Phase.STOPPED}
    ),
}


@dataclass(frozen=True, slots=True)
class Chosen:
    """Which bots are meant; what is left out doesn't count."""

    phase: Phase | None = None
    template: str = ""
    name: str = ""  # with * and ?, or a part of the name
    problem: str = ""  # its code

    def __bool__(self) -> bool:
        return self.phase is not None or bool(self.template or self.name or self.problem)

    def fits(self, verb: Verb, bot: Bot, phase: Phase) -> bool:
        """Whether that bot is meant, and the act makes sense for it."""
        return (
            phase in _APPLIES[verb]
            and self.phase in (None, phase)
            and self.template in ("", bot.template)
            and self.problem in ("", bot.problem.code if bot.problem else "")
            and self._is_named(bot.name)
        )

    def _is_named(self, name: str) -> bool:
        pattern = self.name.strip().lower()
        if any(sign in pattern for sign in "*?["):
            return fnmatchcase(name, pattern)
        return pattern in name


class ItemState(StrEnum):
    """How far one bot is."""

    WAITING = "waiting"
    WORKING = "working"  # in memory only: after a restart of BotMaker it is found out anew
    DONE = "done"
    FAILED = "failed"
    LEFT_OUT = "left-out"

    @property
    def ended(self) -> bool:
        """Whether nothing more happens to it."""
        return self not in {ItemState.WAITING, ItemState.WORKING}


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One bot of a batch, and how it went."""

    bot_id: str
    name: str
    state: ItemState = ItemState.WAITING
    words: str = ""


class BatchState(StrEnum):
    """How far the whole is."""

    ASKED = "asked"  # the bots are listed, and nobody has confirmed it yet
    RUNNING = "running"
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """One act on many bots. Its bots never change."""

    id: int = 0  # before it is written
    verb: Verb
    by: Principal
    items: tuple[Item, ...]
    state: BatchState = BatchState.ASKED
    asked_at: float
    until: float  # when it can no longer be confirmed
    ended_at: float = 0.0
    cancelled: bool = False
    channel_id: int = 0  # of the message that shows how it goes, where there is one
    message_id: int = 0

    def request(self, position: int, attempt: int = 1) -> str:
        """The id of the request for one of its bots: it acts once, whatever dies in between."""
        return f"batch:{self.id}:{position}" + (f":{attempt}" if attempt > 1 else "")

    def count(self, *states: ItemState) -> int:
        """How many of its bots are in one of these states."""
        return sum(item.state in states for item in self.items)

    def asked_by(self, principal: Principal) -> bool:
        """Whether that is who asked for it."""
        return (principal.kind, principal.id) == (self.by.kind, self.by.id)


def no_bots() -> NotFound:
    """No bot is meant."""
    return NotFound(
        "No bot fits.",
        hint="Only bots count to which that can be done now, and for which you may.",
        code="no-bots",
    )


def ended_as(verb: Verb, phase: Phase, problem: str) -> tuple[ItemState, str]:
    """How it ended for a bot that is in that phase now, with that problem or none."""
    if problem and phase is Phase.ERROR:
        return ItemState.FAILED, problem
    wanted = Phase.STOPPED if verb is Verb.STOP else Phase.RUNNING
    if phase is wanted or (verb is Verb.UPDATE and phase is Phase.STOPPED):
        return ItemState.DONE, phase.value
    state = ItemState.FAILED if phase.settled else ItemState.DONE
    return state, phase.value if phase.settled else f"still {phase.value}"

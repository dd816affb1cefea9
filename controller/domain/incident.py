"""Incidents: something that is wrong, from its beginning to its end. Pure.

One incident is one story: what crashes again while it's watched belongs to it, and so does what
comes back soon after it seemed over. Who is told of it, and when, is in `announcing`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from controller.domain.bot import Bot, Wish
from controller.domain.observation import ContainerState, Health, World
from controller.domain.phase import Phase

ENGINE, DISK, SECRETS, BACKUP = "engine", "disk", "secrets", "backup"  # subjects that are no bot
DUE = -1
TAIL_MOST = 8  # lines of the log
CAUSE_MAX = 600  # characters
CHANGES_MOST = 3
_ENDS = {"fatal-exit", "exited", "crash-loop"}  # problems that the last crash explains
_NO_NEWS = {"restored"}  # problems that a person made on purpose
_TELLING = re.compile(
    r"error|exception|fatal|panic|traceback|denied|refused|invalid|failed|failure|unauthorized"
    r"|cannot|can't|could not|not found|killed|abort",
    re.IGNORECASE,
)


class Trouble(StrEnum):
    """What can be wrong."""

    CRASHED = "crashed"  # it ended by itself, and runs again or is about to
    LOOPING = "crash-looping"
    DOWN = "down"  # BotMaker gave up
    HELD_UP = "held-up"  # its start fails, and is tried again
    UNHEALTHY = "unhealthy"
    DEGRADED = "degraded"  # its log says that it can't do its work
    BY_HAND = "by-hand"  # somebody stopped, paused or removed it outside BotMaker
    ENGINE = "engine-away"
    DISK = "disk-full"
    SECRETS = "old-secrets"
    BACKUP = "no-backup"


class Ending(StrEnum):
    """How an incident ended."""

    RECOVERED = "recovered"
    STOPPED = "stopped"  # somebody doesn't want the bot to run any more
    REMOVED = "removed"


class Condition(StrEnum):
    """How a subject is, as far as one look tells."""

    WELL = "well"
    UNSURE = "unsure"  # on its way, or nobody has looked yet
    ILL = "ill"
    UNWANTED = "unwanted"  # it isn't wished to run
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Details:
    """What is known of a trouble. All of it is redacted already."""

    cause: str = ""  # in words: a problem's, a health check's own, a sign's
    hint: str = ""  # what to do
    problem: str = ""  # the code of the one that BotMaker gave up for
    exit_code: int | None = None
    oom_killed: bool = False
    ended: bool = False  # whether an end of the program was seen; else there is no exit code
    memory: int = 0  # the limit in bytes; 0: not known
    what: str = ""  # what somebody did by hand
    bots: int = 0  # how many it concerns
    tail: tuple[str, ...] = ()  # the last lines of the log


@dataclass(frozen=True, slots=True, kw_only=True)
class News:
    """Something that happened, as the journal tells it."""

    at: float
    trouble: Trouble  # CRASHED or BY_HAND
    exit_code: int | None = None
    oom_killed: bool = False
    what: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What somebody changed before it went wrong."""

    at: float
    kind: str  # the journal's
    by: str = ""  # their name
    by_id: str = ""  # their id, where they are a user of Discord
    what: str = ""  # which settings or secrets, which image, which release


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a subject is now: a trouble that lasts, and what happened since the last look."""

    condition: Condition
    trouble: Trouble | None = None  # only if ill
    details: Details = field(default_factory=Details)
    news: tuple[News, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Incident:
    """One story of one subject. Times are ours, in seconds since the epoch."""

    id: int = 0
    subject: str  # a bot's id, or one of those above
    bot_id: str = ""
    bot_name: str = ""
    trouble: Trouble
    opened_at: float
    details: Details = field(default_factory=Details)
    crashes: int = 0
    returns: int = 0  # how often it came back after it had seemed over
    well_since: float = 0.0  # 0: it isn't well
    over_at: float = 0.0  # 0: it isn't over
    ending: Ending | None = None
    worse_at: float = 0.0  # when BotMaker gave up; 0: it didn't
    changes: tuple[Change, ...] = ()
    acknowledged_by: str = ""
    acknowledged_at: float = 0.0
    muted_until: float = 0.0  # infinite: until it's over
    announced: int = 0  # how often it was posted as news
    announced_at: float = 0.0
    pinged: frozenset[str] = frozenset()  # who was pinged since the last announcement
    owed: frozenset[str] = frozenset()  # who is pinged by the message that is due
    channel_id: int = 0
    message_id: int = 0
    version: int = 1  # counts what can be seen of it
    shown: int = 0  # the version that the message shows; DUE: a new message is to be posted

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self.over_at > 0


@dataclass(frozen=True, slots=True)
class Pace:
    """How patient incidents are. All are seconds."""

    steady: float = 30.0  # that a bot runs well before its incident is over
    first: float = 3600.0  # from the first announcement to the next one
    most: float = 86_400.0  # between two announcements
    worse: float = 300.0  # between an announcement and one because BotMaker gave up
    patience: float = 2.0  # a shorter absence of the engine is no incident
    grace: float = 10.0  # after the engine's return, in which bots find their feet
    before: float = 3600.0  # changes that are so old have nothing to do with it
    batch: float = 0.2  # between two passes
    trouble: float = 5.0  # until the next try when the database fails

    def pause(self, announced: int) -> float:
        """From that announcement, counted from 1, to the next one."""
        return min(self.most, self.first * 2.0 ** min(max(announced, 1) - 1, 16))

    def is_same(self, known: Incident, now: float) -> bool:
        """Whether trouble now belongs to that incident, though it had seemed over."""
        return now - known.over_at < 2 * self.pause(known.announced)


def look_at(bot: Bot, world: World, phase: Phase, held_up: str, memory: int = 0) -> Look:
    """How a bot is. `held_up`: what its start waits for; `memory`: its limit in bytes."""
    if bot.wish is not Wish.RUN or phase is Phase.CREATED:
        return Look(condition=Condition.UNWANTED)
    if bot.candidate and world.previous is not None:
        return Look(condition=Condition.UNSURE)  # a trial: if it fails, the former one comes back
    if bot.problem is not None:
        if bot.problem.code in _NO_NEWS:
            return Look(condition=Condition.UNWANTED)
        problem = bot.problem
        found = Details(
            cause=problem.message, hint=problem.hint, problem=problem.code, memory=memory
        )
        return _ill(Trouble.DOWN, found)
    if phase is Phase.CRASH_LOOPING:
        return _ill(Trouble.LOOPING, Details(memory=memory))
    if phase is Phase.UNHEALTHY:
        return _unhealthy(world)
    if held_up and phase is Phase.STARTING:
        return _ill(Trouble.HELD_UP, Details(cause=held_up))
    return Look(condition=Condition.WELL if phase is Phase.RUNNING else Condition.UNSURE)


def _ill(trouble: Trouble, details: Details) -> Look:
    return Look(condition=Condition.ILL, trouble=trouble, details=details)


def _unhealthy(world: World) -> Look:
    container = world.container
    if container is None or container.state is ContainerState.PAUSED:
        return Look(condition=Condition.UNSURE)  # it is continued at once
    if container.health is Health.UNHEALTHY:
        return _ill(Trouble.UNHEALTHY, Details(cause=container.probe_output or "It said nothing."))
    if world.late:
        return _ill(Trouble.UNHEALTHY, Details(cause="It hasn't succeeded in the time allowed."))
    return _ill(Trouble.DEGRADED, Details(cause=" ".join(world.degraded)))


def advance(
    known: Incident | None, look: Look, now: float, pace: Pace, *, steady: float | None = None
) -> Incident | None:
    """What becomes of the subject's last incident; a new one has no subject's name yet.

    None: there is none. `steady`: how long it has to be well, where that isn't the pace's.
    """
    if known is not None and known.is_over and not pace.is_same(known, now):
        known = None
    match look.condition:
        case Condition.UNWANTED | Condition.GONE:
            if known is None or known.is_over:
                return known
            gone = look.condition is Condition.GONE
            return _close(known, Ending.REMOVED if gone else Ending.STOPPED, now)
        case _ if look.trouble is not None or look.news:
            return _with_trouble(known, look, now)
        case Condition.WELL if known is not None and not known.is_over:
            return _better(known, now, pace.steady if steady is None else steady)
        case _ if known is not None and not known.is_over and known.well_since:
            return _seen(replace(known, well_since=0.0))
        case _:
            return known


def due_in(known: Incident, now: float, steady: float) -> float | None:
    """Seconds until a subject that is well again has been so for long enough."""
    if known.is_over or not known.well_since:
        return None
    return max(0.0, known.well_since + steady - now)


def _with_trouble(known: Incident | None, look: Look, now: float) -> Incident:
    crashes = sum(one.trouble is Trouble.CRASHED for one in look.news)
    if known is None:
        first = Incident(subject="", trouble=_of(look, None), opened_at=now)
        worse = now if first.trouble is Trouble.DOWN else 0.0
        details = _details(look, Details())
        well = now if look.condition is Condition.WELL else 0.0
        return replace(first, details=details, crashes=crashes, worse_at=worse, well_since=well)
    found = replace(
        known,
        trouble=_of(look, known),
        details=_details(look, known.details),
        crashes=known.crashes + crashes,
        well_since=now if look.condition is Condition.WELL else 0.0,
    )
    if known.is_over:
        found = replace(found, over_at=0.0, ending=None, returns=known.returns + 1)
    if found.trouble is Trouble.DOWN and known.trouble is not Trouble.DOWN:
        # Whoever saw it while it still tried again doesn't know this.
        found = replace(found, worse_at=now, acknowledged_by="", acknowledged_at=0.0)
    return known if found == known else _seen(found)


def _of(look: Look, known: Incident | None) -> Trouble:
    if look.trouble is not None:
        return look.trouble
    return look.news[-1].trouble if look.news or known is None else known.trouble


def _details(look: Look, before: Details) -> Details:
    """What is known now; the last end of its program stays known until there is another one."""
    found = look.details
    keeps = before.ended or before.what
    if keeps and not look.news:
        found = replace(
            found,
            exit_code=before.exit_code,
            oom_killed=before.oom_killed,
            ended=before.ended,
            what=before.what,
        )
    for one in look.news:
        crash = one.trouble is Trouble.CRASHED
        found = replace(
            found,
            exit_code=one.exit_code,
            oom_killed=one.oom_killed,
            ended=crash,
            what=one.what,
        )
    return replace(
        found,
        cause=found.cause[:CAUSE_MAX],
        tail=() if any(one.trouble is Trouble.CRASHED for one in look.news) else before.tail,
        memory=found.memory or before.memory,
    )


def _better(known: Incident, now: float, steady: float) -> Incident:
    since = known.well_since or now
    if now - since >= steady:
        return _close(replace(known, well_since=since), Ending.RECOVERED, since)
    return known if known.well_since else _seen(replace(known, well_since=now))


def _close(known: Incident, ending: Ending, at: float) -> Incident:
    over = replace(known, over_at=max(at, known.opened_at), ending=ending, well_since=0.0)
    return _seen(replace(over, muted_until=0.0, acknowledged_by="", acknowledged_at=0.0))


def _seen(found: Incident) -> Incident:
    """The same with another version: something that can be seen of it changed."""
    return replace(found, version=found.version + 1)


def is_of_a_crash(look: Look) -> bool:
    """Whether the last end of the bot's program explains the trouble."""
    if look.trouble is Trouble.DOWN:
        return look.details.problem in _ENDS
    return look.trouble is Trouble.LOOPING


def with_tail(known: Incident, tail: Sequence[str]) -> Incident:
    """The incident with these last lines of the log."""
    kept = tuple(tail)[-TAIL_MOST:]
    if not kept or known.is_over or kept == known.details.tail:
        return known
    return _seen(replace(known, details=replace(known.details, tail=kept)))


def acknowledged(known: Incident, by: str, now: float) -> Incident:
    """Somebody looks after it: no further announcement, unless it gets worse."""
    return _seen(replace(known, acknowledged_by=by, acknowledged_at=now))


def muted(known: Incident, until: float) -> Incident:
    """Nobody is told of it before then; infinite: until it's over."""
    return _seen(replace(known, muted_until=until))


def telling_line(tail: Sequence[str]) -> str:
    """The line of a log that most likely names the cause: the last that sounds like an error."""
    lines = [line.strip() for line in tail if line.strip()]
    return next((line for line in reversed(lines) if _TELLING.search(line)), "")

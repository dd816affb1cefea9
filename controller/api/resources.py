"""What is answered: plain models of bots and operations. Times are RFC 3339 in UTC."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from datetime import UTC, datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from controller.domain.access import Principal
from controller.domain.bot import Problem, Wish
from controller.domain.journal import Result
from controller.domain.observation import Health, Observation
from controller.domain.phase import Phase
from controller.domain.roles import Role
from controller.fleet.views import View
from controller.manager.history import Event

PAGES_KEPT = 4  # with 1,000 bots, half a MB each
SPARE = 100  # bots that are gone and may be kept
ROLES = len(Role)
Seen = list[tuple[View, Role]]  # the bots that somebody may see, each with their role for it
RoleWord = Literal["none", "viewer", "operator", "admin"]


class Resource(BaseModel):
    """Something that is answered. Fields are added in time, and none is taken away."""

    model_config = ConfigDict(frozen=True)


T = TypeVar("T", bound=Resource)


class Page(Resource, Generic[T]):
    """A part of a list; `next` is the cursor of what follows, if anything does."""

    items: list[T]
    next: str | None = None


class ProblemOut(Resource):
    """Why BotMaker stopped trying."""

    code: str
    message: str
    hint: str
    at: datetime


class CrashOut(Resource):
    """An end of the bot's process that nobody wished for."""

    at: datetime
    exit_code: int | None
    out_of_memory: bool


class BotOut(Resource):
    """A bot: what is wished of it, and how it was seen last."""

    id: str
    name: str
    phase: Phase
    since: datetime | None
    wish: Wish
    template: str
    provider: str
    model: str
    channel: str
    limits: dict[str, str]  # its own: memory, cpus, pids; the rest is as its template says
    image: str
    created_at: datetime | None
    role: RoleWord  # what you may do to it
    seen: bool  # whether it was looked at since the controller started
    missing_secrets: list[str]
    held_up: str  # what the way to the wish waits for; empty while it goes on
    problem: ProblemOut | None
    release: int  # the newest that has proved itself; 0: none yet
    candidate: int  # the release that is being tried; 0: none
    setback: ProblemOut | None  # why the last change was taken back, until somebody acts
    crashes: int
    last_crash: CrashOut | None
    health: Literal["none", "starting", "healthy", "unhealthy"]
    health_says: str  # the last failed health check's own words
    degraded: list[str]  # what its log, or its files, say that it can't do
    restarts: int  # of its present container
    source: str  # `file:NAME` where the files of that fleet created it; else empty
    outside: str  # what somebody did to its container outside BotMaker a short while ago


class BotName(Resource):
    """Which bot."""

    id: str
    name: str


class Who(Resource):
    """Who asked."""

    kind: Literal["user", "system", "console", "service"]
    id: str
    name: str


class OperationOut(Resource):
    """A request that changes something, as the journal has it."""

    id: str
    act: str
    state: Literal["running", "done", "refused", "unknown", "failed", "cut-short"]
    bot: BotName | None
    by: Who
    asked_at: datetime
    ended_at: datetime | None
    code: str  # of the error that ended it, if one did
    outcome: dict[str, Any]  # the bot's phase at its end, names of what was changed


class EngineOut(Resource):
    """Whether the engine answers, since when, and why not."""

    reachable: bool
    since: datetime | None
    reason: str


class LineOut(Resource):
    """A line, redacted."""

    at: datetime
    stream: Literal["stdout", "stderr"]
    text: str


def moment(seconds: float) -> datetime | None:
    """A time in seconds since the epoch; none for 0."""
    return at(seconds) if seconds else None


def at(seconds: float) -> datetime:
    """A time in seconds since the epoch."""
    return datetime.fromtimestamp(seconds, UTC)


def role_word(role: Role) -> RoleWord:
    """The role as people read it."""
    words: dict[Role, RoleWord] = {
        Role.NONE: "none",
        Role.VIEWER: "viewer",
        Role.OPERATOR: "operator",
        Role.ADMIN: "admin",
    }
    return words[role]


def problem_out(problem: Problem | None) -> ProblemOut | None:
    """A problem as it is answered."""
    if problem is None:
        return None
    return ProblemOut(
        code=problem.code, message=problem.message, hint=problem.hint, at=at(problem.at)
    )


def _fails(container: Observation) -> bool:
    return container.health is Health.UNHEALTHY


def bot_out(view: View, role: Role) -> BotOut:
    """A view as it is answered to somebody with that role."""
    bot, crash = view.bot, view.last_crash
    container = view.world.container
    return BotOut(
        id=bot.id,
        name=bot.name,
        phase=view.phase,
        since=moment(view.since),
        wish=bot.wish,
        template=bot.template,
        provider=bot.provider,
        model=bot.model,
        channel=bot.channel,
        limits=dict(bot.limits),
        image=bot.image,
        created_at=moment(bot.created_at),
        role=role_word(role),
        seen=view.seen,
        missing_secrets=list(view.world.missing),
        held_up=view.held_up,
        problem=problem_out(bot.problem),
        release=bot.release,
        candidate=bot.candidate,
        setback=problem_out(bot.setback),
        crashes=len(view.crashes),
        last_crash=CrashOut(
            at=at(crash.at), exit_code=crash.exit_code, out_of_memory=crash.oom_killed
        )
        if crash
        else None,
        health=container.health.value if container else "none",
        health_says=container.probe_output if container and _fails(container) else "",
        degraded=[*view.world.degraded, *view.world.faults],
        restarts=container.restart_count if container else 0,
        source=bot.source,
        outside=view.by_hand.what if view.by_hand else "",
    )


def who_out(principal: Principal) -> Who:
    """A principal as it is answered."""
    return Who(kind=principal.kind, id=principal.id, name=principal.name)


def operation_out(event: Event) -> OperationOut:
    """A request and its outcome as they are answered."""
    entry, outcome = event.entry, event.outcome
    data = dict(outcome.data) if outcome else {}
    result = str(data.pop("result", Result.DONE.value))
    data.pop("act", None)
    code = str(data.pop("code", ""))
    return OperationOut.model_validate(
        {
            "id": str(entry.seq),
            "act": str(entry.data.get("act", "")),
            "state": result if outcome else "running",
            "bot": BotName(id=entry.bot_id, name=entry.bot_name) if entry.bot_id else None,
            "by": who_out(entry.author.principal),
            "asked_at": at(entry.at),
            "ended_at": at(outcome.at) if outcome else None,
            "code": code,
            "outcome": data,
        }
    )


class BotPages:
    """Bots as JSON, each made once for a view and a role; and the last pages of them.

    A dashboard or a program asks for the same page again and again, mostly with nothing changed.
    """

    def __init__(self) -> None:
        self._made: dict[tuple[str, Role], tuple[View, bytes]] = {}
        self._pages: dict[Hashable, tuple[Seen, bytes]] = {}

    def page(self, wanted: Hashable, seen: Seen, make: Callable[[], bytes]) -> bytes:
        """What `make` makes of the bots that somebody may see: made anew once those changed."""
        last = self._pages.pop(wanted, None)
        kept = last if last is not None and last[0] == seen else (seen, make())
        self._pages[wanted] = kept
        if len(self._pages) > PAGES_KEPT:
            del self._pages[next(iter(self._pages))]
        return kept[1]

    def json(self, view: View, role: Role) -> bytes:
        """The bot as JSON."""
        key = (view.bot.id, role)
        known = self._made.get(key)
        if known is None or known[0] is not view:
            known = view, bot_out(view, role).model_dump_json().encode()
            self._made[key] = known
        return known[1]

    def tidy(self, bots: int) -> None:
        """Forget all of it where most is of bots that are gone; there are so many now."""
        if len(self._made) > SPARE + ROLES * bots:
            self._made.clear()

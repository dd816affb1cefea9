"""Webhooks: which events one is sent, and what follows from a receiver's answer.

The addresses are judged in `webhook_urls`; what is sent is in `webhook_bodies`.
"""

from __future__ import annotations

import random
import re
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import Enum, StrEnum

from controller.domain.errors import BadInput
from controller.domain.journal import Kind

WEBHOOKS_MOST = 50
DEFAULT_EVENTS = ("bot.*",)
EVENTS: Mapping[Kind, str] = {
    Kind.ASKED: "request.asked",
    Kind.OUTCOME: "request.outcome",
    Kind.REFUSED: "request.refused",
    Kind.CREATED: "bot.created",
    Kind.REMOVED: "bot.removed",
    Kind.RENAMED: "bot.renamed",
    Kind.WISH: "bot.wish",
    Kind.SETTINGS: "bot.settings",
    Kind.SECRETS: "bot.secrets",
    Kind.IMAGE: "bot.image",
    Kind.NEW_IMAGE: "bot.new-image",
    Kind.CRASH: "bot.crash",
    Kind.PROBLEM: "bot.problem",
    Kind.RELOAD: "bot.reload",
    Kind.UNCHECKED: "bot.unchecked",
    Kind.BY_HAND: "bot.by-hand",
    Kind.GRANT: "access.grant",
    Kind.REVOKE: "access.revoke",
    Kind.WEBHOOK: "webhook.trouble",
    Kind.RESTORED: "fleet.restored",
    Kind.HEALTH: "fleet.health",
    Kind.WORKER: "edge.worker",
    Kind.EDGE_WISH: "edge.wish",
    Kind.RELEASE: "bot.release",
    Kind.PROVED: "bot.release-good",
    Kind.TAKEN_BACK: "bot.release-failed",
    Kind.SNAPSHOT: "bot.snapshot",
    Kind.MISSED: "bot.schedule-missed",
    Kind.BATCH: "fleet.batch",
    Kind.NOTED: "request.noted",
    Kind.INCIDENT: "incident.opened",
    Kind.INCIDENT_OVER: "incident.over",
    Kind.ALERT: "incident.alert",
    Kind.ORPHANS: "fleet.orphans-removed",
}
TEST_EVENT = "webhook.test"  # sent by a test only; no entry of the journal
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")


class Format(StrEnum):
    """In which form events are sent."""

    STANDARD = "standard"  # Standard Webhooks: JSON with a signature
    DISCORD = "discord"
    SLACK = "slack"
    NTFY = "ntfy"
    EDGE = "edge"  # to our own Worker: the settings say where, and it goes in batches

    @property
    def signed(self) -> bool:
        """Whether its receiver can check a signature."""
        return self is Format.STANDARD


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """A webhook and how far it has come. Its URL and its key are in files, never here."""

    id: str
    name: str
    format: Format
    host: str  # what may be shown of its URL
    fingerprint: str  # of the whole URL
    plain: bool = False  # whether plain http to another machine was allowed
    events: tuple[str, ...]
    created_at: float
    created_by: str
    cursor: int = 0  # entries up to this number are settled
    delivered_at: float | None = None
    failures: int = 0  # in a row
    failing_since: float | None = None
    reason: str = ""  # of the last failure
    stopped: bool = False  # the receiver said that it is gone; nothing is sent until a replay
    dead: int = 0  # events that were given up, in all
    dead_at: float | None = None  # when the last of them was
    lost: int = 0  # entries that were no longer in the journal when their turn came

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """The journal's kinds that it is sent."""
        return kinds_of(self.events)


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """An event that was given up: the number of its entry, when, and why."""

    seq: int
    at: float
    reason: str


def kinds_of(events: Iterable[str]) -> tuple[Kind, ...]:
    """The kinds that these events mean; `bot.*` means all that begin so, `*` means everything."""
    chosen = tuple(events)
    return tuple(kind for kind, name in EVENTS.items() if any(_means(one, name) for one in chosen))


def _means(chosen: str, name: str) -> bool:
    return chosen == name or (chosen.endswith("*") and name.startswith(chosen[:-1]))


def check_events(chosen: Iterable[str]) -> tuple[str, ...]:
    """The events in order, each once; BadInput (`bad-event`) for one that doesn't exist."""
    groups = sorted({f"{name.partition('.')[0]}.*" for name in EVENTS.values()})
    known = {"*", *groups, *EVENTS.values()}
    found = tuple(dict.fromkeys(one.strip().lower() for one in chosen)) or DEFAULT_EVENTS
    for one in found:
        if one not in known:
            raise BadInput(
                "There is no such event.",
                hint=f"Choose from {', '.join(['*', *groups, *sorted(EVENTS.values())])}.",
                code="bad-event",
            )
    return found


def check_webhook_name(typed: str) -> str:
    """The name that was meant; BadInput (`bad-name`) if no webhook can be called that."""
    name = typed.strip().lower()
    if not _NAME.fullmatch(name):
        raise BadInput(
            "A webhook's name can only have letters a–z, digits, and dashes inside, 32 at most.",
            hint="Name it for who listens, like `ops`.",
            code="bad-name",
        )
    return name


# --- the receiver's answer ---------------------------------------------------------------------


class Verdict(Enum):
    """What follows from one attempt."""

    DELIVERED = "delivered"
    AGAIN = "again"  # the receiver is in trouble: the same event again, later
    REFUSED = "refused"  # this event is refused, and others may not be: give up after some tries
    GONE = "gone"  # the receiver wants nothing more


_ABOUT_THE_EVENT = {400, 405, 406, 411, 413, 414, 415, 422, 431}
REFUSALS_MOST = 5  # tries of an event that its receiver refuses


def judge(status: int, form: Format) -> Verdict:
    """What a status means. A redirect isn't followed, so it is no delivery."""
    if 200 <= status < 300:
        return Verdict.DELIVERED
    # Discord and Slack say 404 for a webhook that somebody deleted, and block who goes on asking.
    if status == 410 or (status == 404 and form in {Format.DISCORD, Format.SLACK}):
        return Verdict.GONE
    return Verdict.REFUSED if status in _ABOUT_THE_EVENT else Verdict.AGAIN


def reason_of(status: int) -> str:
    """Why an answer with that status is no delivery, in words."""
    if 300 <= status < 400:
        return f"it answered {status}: a redirect, which isn't followed"
    if status == 429:
        return "it asked BotMaker to wait (429)"
    return f"it answered {status}"


@dataclass(frozen=True, slots=True)
class Pace:
    """How often an event is tried, and for how long. Times are seconds."""

    first: float = 1.0
    most: float = 300.0
    asked_most: float = 3600.0  # that a receiver can make us wait
    keep: float = 7 * 86_400.0  # that an event is tried before it is given up

    def pause(self, failures: int, asked: float, chance: float) -> float:
        """How long to wait after so many failures in a row; `chance` is from 0 to 1.

        Anywhere between nothing and a limit that doubles, so that receivers who come back aren't
        met by everybody at once; never less than what the receiver asked for.
        """
        limit = min(self.most, self.first * 2.0 ** min(failures, 16))
        return max(limit * chance, min(asked, self.asked_most))

    def is_over(self, at: float, failing_since: float, now: float) -> bool:
        """Whether an entry of that time has been tried for long enough. One that is sent again
        counts from the receiver's first failure, however old it is."""
        return now - max(at, failing_since) > self.keep


@dataclass(frozen=True, slots=True)
class Timing:
    """The clock and the pace of deliveries. `chance` is from 0 to 1."""

    clock: Callable[[], float] = time.time
    chance: Callable[[], float] = random.random
    pace: Pace = field(default_factory=Pace)

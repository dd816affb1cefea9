"""What the journal holds: typed entries about everything that happened. The edges word them.

An entry is a fact with a number, a time, a bot and a principal. Facts hold plain data (before and
after, codes, names), never a sentence to be parsed and never the value of a secret.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from controller.domain.access import SYSTEM, Grant, Principal
from controller.domain.announcing import Alert, hours_words
from controller.domain.bot import Bot, Crash, Problem
from controller.domain.errors import ControllerError, OutcomeUnknown
from controller.domain.incident import Incident
from controller.domain.orphan import Removal
from controller.domain.snapshot import Snapshot


class Kind(StrEnum):
    """The kinds of entries. A new one needs its fact below and its words in each edge."""

    ASKED = "asked"  # act: somebody asked for it, and it was let through
    OUTCOME = "outcome"  # how the request that is the entry's cause ended
    # act, code: somebody asked for it, and it was not let through; times, bots: further refusals,
    # counted in one entry
    REFUSED = "refused"
    CREATED = "created"  # a bot's row came
    REMOVED = "removed"  # a bot's row went, with all that was left of the bot
    RENAMED = "renamed"  # before, after: its name
    WISH = "wish"  # before, after, again: what the admins want of the bot changed
    SETTINGS = "settings"  # before, after: plain fields, or the model
    SECRETS = "secrets"  # names of the secrets that were written
    IMAGE = "image"  # before, after, ref_before, ref_after: what the bot is pinned to
    NEW_IMAGE = "new-image"  # the same, in place of another image
    CRASH = "crash"  # exit_code, oom_killed
    PROBLEM = "problem"  # code, message, hint: the controller stopped trying
    RELOAD = "reload"  # ok, reason: the program was told to read its replaced secrets
    UNCHECKED = "unchecked"  # exit_code: the image could not check the bot's config
    BY_HAND = "by-hand"  # what: stopped, paused, renamed or removed past BotMaker, and undone
    GRANT = "grant"  # whom, subject, role
    REVOKE = "revoke"  # whom, subject
    WEBHOOK = "webhook"  # name, what (stopped, gave-up, lost), count, reason: events didn't arrive
    RESTORED = "restored"  # made_at, version, bots, held: the installation came from a backup
    MISSED = "missed"  # schedule, chore, due, times: runs that weren't made; BotMaker was away
    BATCH = "batch"  # batch, verb, done, failed, left_out: an act on many bots came to its end
    HEALTH = "health"  # state, parts: how the controller itself is, while it is told to a Worker
    WORKER = "worker"  # what (deployed, rolled-back, failed), version, before, reason: the Worker
    EDGE_WISH = "edge-wish"  # wish, action, result, code, message: how a wish from there ended
    NOTED = "noted"  # act, words: by a version that had no journal yet
    RELEASE = "release"  # number, why: a new release is to be tried
    PROVED = "release-good"  # number: it proved itself
    TAKEN_BACK = "release-failed"  # number, to, code, message: the one before it came back
    # number, trouble; with `again`: it had seemed over
    INCIDENT = "incident"
    INCIDENT_OVER = "incident-over"  # number, trouble, ending, seconds
    SNAPSHOT = "snapshot"  # what (taken, restored), number, size in bytes: of a bot's state
    ALERT = "alert"  # whom, subject, hours, on: who is pinged
    # removed, failed (kinds and names): what belonged to no bot
    ORPHANS = "orphans-removed"


class Result(StrEnum):
    """How a request ended."""

    DONE = "done"
    REFUSED = "refused"  # by a rule or by what the engine said; nothing is half-done
    UNKNOWN = "unknown"  # the answer was lost: whether it happened shows at the next look
    FAILED = "failed"  # a fault of BotMaker's own
    CUT_SHORT = "cut-short"  # the controller ended before it was known


@dataclass(frozen=True, slots=True)
class Fact:
    """What happened, without when, to whom and by whom."""

    kind: Kind
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Author:
    """By whom a change is written down: a principal and, where one was asked, the request."""

    principal: Principal = SYSTEM
    request: str = ""
    cause: int = 0  # the number of the ASKED entry that the change belongs to


BY_ITSELF = Author()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry, as it is in the journal."""

    seq: int = 0  # counted from 1 without gaps; 0 before it is written
    at: float  # seconds since the epoch, the controller's clock
    kind: Kind
    bot_id: str = ""
    bot_name: str = ""
    author: Author = BY_ITSELF
    data: Mapping[str, Any] = field(default_factory=dict)


def entry_of(fact: Fact, at: float, *, bot: Bot | None = None, by: Author = BY_ITSELF) -> Entry:
    """The fact as an entry that has yet to get its number."""
    return Entry(
        at=at,
        kind=fact.kind,
        bot_id=bot.id if bot else "",
        bot_name=bot.name if bot else "",
        author=by,
        data=fact.data,
    )


def changes(before: Bot, after: Bot) -> list[Fact]:
    """The facts that tell one state of a bot's row from the next."""
    found: list[Fact] = []
    again = after.run.to_end != before.run.to_end and bool(after.run.to_end)
    if before.wish is not after.wish:
        found.append(Fact(Kind.WISH, {"before": before.wish.value, "after": after.wish.value}))
    elif again:
        data = {"before": before.wish.value, "after": after.wish.value, "again": True}
        found.append(Fact(Kind.WISH, data))
    if before.name != after.name:
        found.append(Fact(Kind.RENAMED, {"before": before.name, "after": after.name}))
    if before.fields != after.fields:
        found.append(Fact(Kind.SETTINGS, _differing(before.fields, after.fields)))
    old, new = _choices(before), _choices(after)
    if old != new:
        found.append(Fact(Kind.SETTINGS, _differing(old, new)))
    if before.image != after.image:
        data = {"before": before.image, "after": after.image}
        data |= {"ref_before": before.image_ref, "ref_after": after.image_ref}
        found.append(Fact(Kind.NEW_IMAGE if before.image and after.image else Kind.IMAGE, data))
    if after.problem is not None and after.problem != before.problem:
        found.append(problem(after.problem))
    return found


def _choices(bot: Bot) -> dict[str, str]:
    """What was chosen for the bot beside its fields."""
    chosen = {"provider": bot.provider, "model": bot.model, "channel": bot.channel}
    return chosen | bot.limits


def _differing(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, dict[str, str]]:
    names = sorted(n for n in {*before, *after} if before.get(n) != after.get(n))
    return {
        "before": {name: before[name] for name in names if name in before},
        "after": {name: after[name] for name in names if name in after},
    }


def release(number: int, why: str) -> Fact:
    """That a new release is to be tried, as a fact."""
    return Fact(Kind.RELEASE, {"number": number, "why": why})


def proved(number: int) -> Fact:
    """That a release proved itself, as a fact."""
    return Fact(Kind.PROVED, {"number": number})


def taken_back(number: int, to: int, why: Problem) -> Fact:
    """That a release failed, and that the one of number `to` came back, as a fact."""
    data = {"number": number, "to": to, "code": why.code, "message": why.message}
    return Fact(Kind.TAKEN_BACK, data)


def snapshot_taken(found: Snapshot) -> Fact:
    """That a bot's state was copied, as a fact."""
    data = {"what": "taken", "number": found.number, "why": found.why, "size": found.size}
    return Fact(Kind.SNAPSHOT, data)


def snapshot_restored(number: int) -> Fact:
    """That a snapshot is the bot's state now, as a fact."""
    return Fact(Kind.SNAPSHOT, {"what": "restored", "number": number})


def crash(found: Crash) -> Fact:
    """A crash as a fact; `ended` is the engine's time."""
    data = {"ended": found.at, "exit_code": found.exit_code, "oom_killed": found.oom_killed}
    return Fact(Kind.CRASH, data)


def by_hand(what: str) -> Fact:
    """What somebody did to a bot's container past BotMaker, as a fact."""
    return Fact(Kind.BY_HAND, {"what": what})


def problem(found: Problem) -> Fact:
    """A problem as a fact."""
    return Fact(Kind.PROBLEM, {"code": found.code, "message": found.message, "hint": found.hint})


def grant(given: Grant) -> Fact:
    """A granted role as a fact."""
    data = {"whom": given.kind, "subject": str(given.subject), "role": given.role.word}
    if given.source != "granted":
        data["source"] = given.source
    return Fact(Kind.GRANT, data)


def revoke(whom: str, subject: int) -> Fact:
    """A revoked role as a fact."""
    return Fact(Kind.REVOKE, {"whom": whom, "subject": str(subject)})


def missed(schedule: int, chore: str, due: float, times: int) -> Fact:
    """That runs of a schedule weren't made, as a fact; `due` is when the last of them was."""
    data = {"schedule": schedule, "chore": chore, "due": due, "times": times}
    return Fact(Kind.MISSED, data)


def batch_ended(batch: int, verb: str, done: int, failed: list[str], left_out: int) -> Fact:
    """How an act on many bots ended, as a fact; `failed` are names."""
    data = {"batch": batch, "verb": verb, "done": done, "failed": failed, "left_out": left_out}
    return Fact(Kind.BATCH, data)


def webhook_trouble(name: str, what: str, count: int, reason: str) -> Fact:
    """What keeps a webhook's events from its receiver, as a fact."""
    data = {"name": name, "what": what, "count": count, "reason": reason}
    return Fact(Kind.WEBHOOK, data)


def health(state: str, parts: Mapping[str, str]) -> Fact:
    """How the controller itself is, as a fact."""
    return Fact(Kind.HEALTH, {"state": state, "parts": dict(parts)})


def worker(what: str, version: str, before: str = "", reason: str = "") -> Fact:
    """What became of the Worker, as a fact; versions are hashes."""
    data = {"what": what, "version": version, "before": before, "reason": reason}
    return Fact(Kind.WORKER, data)


def incident(found: Incident, *, again: bool) -> Fact:
    """That something went wrong, as a fact."""
    data = {"number": found.id, "trouble": found.trouble.value}
    return Fact(Kind.INCIDENT, data | ({"again": True} if again else {}))


def incident_over(found: Incident) -> Fact:
    """That an incident is over, as a fact."""
    ending = found.ending.value if found.ending else ""
    seconds = round(found.over_at - found.opened_at, 3)
    data = {"number": found.id, "trouble": found.trouble.value}
    return Fact(Kind.INCIDENT_OVER, data | {"ending": ending, "seconds": seconds})


def alert(given: Alert, *, on: bool) -> Fact:
    """Who is pinged from now on, or no longer, as a fact."""
    data = {"whom": given.kind, "subject": str(given.subject), "on": on}
    return Fact(Kind.ALERT, data | {"hours": hours_words(given)})


def orphans_removed(found: Sequence[Removal]) -> Fact:
    """What was removed because it belonged to no bot, as a fact."""
    removed = [one.orphan.key for one in found if one.done]
    failed = [one.orphan.key for one in found if not one.done]
    return Fact(Kind.ORPHANS, {"removed": removed[:50], "failed": failed[:50]})


def failure(error: ControllerError) -> dict[str, Any]:
    """How a request that ended in an error ended: the data of its OUTCOME."""
    result = Result.UNKNOWN if isinstance(error, OutcomeUnknown) else Result.REFUSED
    return {"result": result.value, "code": error.code}

"""Releases: what a bot's runs are made of, and when a new one has proved itself. Pure.

The row of a bot says what is wished for: while a release is tried, that is the candidate's content.
`plan` decides the steps; a release that fails gives way to the one before it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from controller.domain.bot import Bot, Problem
from controller.domain.journal import Author
from controller.domain.observation import ContainerState, Health, Observation, Proof, World
from controller.domain.run import PRESENT, Run

KEPT_RELEASES = 3  # earlier good ones whose images are kept, to go back to


class Outcome(StrEnum):
    """How a release ended."""

    TRYING = "trying"  # it has yet to prove itself
    GOOD = "good"
    FAILED = "failed"  # the one before it came back, or it never worked
    REPLACED = "replaced"  # somebody wanted something else before it had proved itself


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What is wished for: together with its template, everything that a run is made of."""

    template: str
    provider: str
    model: str
    channel: str
    fields: Mapping[str, str] = field(default_factory=dict)
    image: str = ""  # pinned; empty until it was resolved
    image_ref: str = ""
    secret_set: int = 0
    held: str = ""
    limits: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One release of a bot. It never changes, but for how it ended.

    `snapshot` is its template's whole text; empty where that isn't known.
    """

    bot_id: str
    number: int
    content: Content
    snapshot: str = ""
    why: str = ""  # create, settings, secrets, image, template, update or rollback
    author: Author = field(default_factory=Author)
    at: float = 0.0  # seconds since the epoch
    outcome: Outcome = Outcome.TRYING
    ended_at: float = 0.0
    problem: Problem | None = None  # why it failed
    tail: tuple[str, ...] = ()  # its last log lines then, redacted


@dataclass(frozen=True, slots=True)
class Gate:
    """What a release has to do to prove itself. In seconds."""

    healthy_for: float = 20.0  # without a break
    deadline: float = 100.0  # from the start of its first run on


def content_of(bot: Bot) -> Content:
    """The content of the bot's row."""
    return Content(
        template=bot.template,
        provider=bot.provider,
        model=bot.model,
        channel=bot.channel,
        fields=dict(bot.fields),
        image=bot.image,
        image_ref=bot.image_ref,
        secret_set=bot.secret_set,
        held=bot.held,
        limits=dict(bot.limits),
    )


def with_content(bot: Bot, content: Content) -> Bot:
    """The bot made of that. Its secrets stay those that are on the disk."""
    return replace(
        bot,
        template=content.template,
        provider=content.provider,
        model=content.model,
        channel=content.channel,
        fields=dict(content.fields),
        image=content.image,
        image_ref=content.image_ref,
        held=content.held,
        limits=dict(content.limits),
    )


def is_same_wish(one: Bot, other: Bot) -> bool:
    """Whether both rows wish for the same content, whatever its image turned out to be."""
    first, second = content_of(one), content_of(other)
    return first == replace(second, image=first.image, image_ref=first.image_ref)


def reason_for(before: Bot, after: Bot) -> str:
    """Why the change of a row makes a new release; an empty text where it makes none.

    A candidate whose image becomes known, or known anew, stays the same one. So does the first one
    of a bot that never had a container, whatever is entered for it.
    """
    old, new = content_of(before), content_of(after)
    resolved = replace(old, image=new.image, image_ref=new.image_ref)
    if new == resolved:
        changed = bool(new.image) and new.image != old.image and not before.candidate
        return "image" if changed else ""
    if not before.release and not before.image:
        return ""
    if new == replace(resolved, secret_set=new.secret_set):
        return "secrets"
    return "settings"


def images_kept(current: Content, earlier: Iterable[Release]) -> dict[str, str]:
    """The images of a bot that are kept, each by the reference that it was pinned from.

    `earlier` are the good releases before the current one that one may want to go back to.
    """
    found = {current.image: current.image_ref}
    for one in earlier:
        found.setdefault(one.content.image, one.content.image_ref)
    return {image: ref for image, ref in found.items() if image and ref}


def judge(
    container: Observation | None,
    gate: Gate,
    *,
    well: float,
    age: float,
    ailing: bool,
    replaces: bool,
) -> tuple[Proof, str]:
    """Whether the run has proved its release, and if it failed, why.

    `well` are the seconds for which it has been well without a break, `age` those since its first
    run began. `ailing` says that its own log tells of something that it can't do. `replaces` says
    that a former container waits: then an end of the program is one too many.
    """
    if container is None or not container.started:
        return Proof.WAITING, ""
    if replaces and container.restart_count:
        return Proof.FAILED, "Its program ended and had to be started again."
    if is_well(container) and not ailing and well >= gate.healthy_for:
        return Proof.PASSED, ""
    if age <= gate.deadline:
        return Proof.WAITING, ""
    return Proof.FAILED, f"It wasn't healthy for {gate.healthy_for:g} s within {gate.deadline:g} s."


def is_well(container: Observation | None) -> bool:
    """Whether it runs and its health check, if it has one, says that all is well."""
    return (
        container is not None
        and container.state is ContainerState.RUNNING
        and container.health in {Health.NONE, Health.HEALTHY}
    )


def is_proven(bot: Bot, container: Observation) -> bool:
    """Whether that container ran a release that proved itself: one to come back to."""
    return bool(bot.release) and container.release <= bot.release


def is_leaving(bot: Bot, world: World) -> bool:
    """Whether the container is of a release that isn't wished for any more, beside a parked one."""
    if world.previous is None or world.container is None:
        return False
    return world.container.release != bot.wanted


def taken_back(
    now: Bot, former: Content | None, problem: Problem, *, kept: bool = False, parked: bool = False
) -> Bot:
    """The row once its candidate has failed: the former release's content, and why.

    Where nothing new was tried only the wish for another run goes. `kept` says that the former set
    of secrets comes back: a run that may have read the failed one has to end then, unless another
    container is `parked` to come back. Otherwise a run that has yet to use replaced secrets goes on
    owing that.
    """
    restored = now if former is None else with_content(now, former)
    if former is not None and kept:
        restored = replace(restored, secret_set=former.secret_set)
    run = _owed_after(now, former, kept=kept, parked=parked)
    return replace(restored, candidate=0, problem=None, setback=problem, run=run)


def _owed_after(now: Bot, former: Content | None, *, kept: bool, parked: bool) -> Run:
    nothing = replace(now.run, to_end="", to_reload="")
    if former is None or former.secret_set == now.secret_set:
        return nothing
    if not kept:
        return now.run
    return nothing if parked else nothing.end(PRESENT)

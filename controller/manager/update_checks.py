"""Which bots' images have newer versions: asked of the registries by the engine, on a schedule.

Whoever approves what was found has those bots updated one at a time, the first one as a canary; the
first failure ends it. Each update is a release of its own, so a bot whose update fails goes on as
it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from controller.domain.acts import FLEET_UPDATES
from controller.domain.bot import Bot, Wish
from controller.domain.errors import Conflict, ControllerError, EngineUnavailable, NotReady
from controller.fleet.blueprint import Blueprints
from controller.fleet.journal import Caller, Journal
from controller.fleet.views import Fleet, View
from controller.manager.access import Access
from controller.manager.releases import Releases
from controller.runtime import Runtime
from controller.store import Store

log = logging.getLogger(__name__)
FAILURES_MOST = 3  # checks in a row of which nothing came; then only a person begins another one
DECIDED_SECONDS = 900.0  # for one bot: a pull, its start, and its proof


@dataclass(frozen=True, slots=True)
class Offer:
    """A bot whose image has a newer version."""

    bot: Bot
    image: str  # the newer one, pinned


@dataclass(frozen=True, slots=True)
class Rollout:
    """How updating a group of bots goes, or went."""

    names: tuple[str, ...]
    done: int = 0
    running: bool = True
    failed: str = ""  # the bot whose update ended it
    why: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is known of newer images. `mark` names it: it's the same while this is offered."""

    offers: tuple[Offer, ...]
    silent: tuple[str, ...]  # references of which nobody could say what they mean now
    checked_at: float  # seconds since the epoch; 0: never yet
    paused: bool
    rollout: Rollout | None

    @property
    def mark(self) -> str:
        """The same while the same is offered."""
        text = "\0".join(f"{offer.bot.id} {offer.image}" for offer in self.offers)
        return hashlib.sha256(text.encode()).hexdigest()[:12]


class UpdateChecks:
    """Checks, tells, and updates what somebody approved."""

    def __init__(  # noqa: PLR0913 - a use-case over many parts
        self,
        *,
        store: Store,
        fleet: Fleet,
        blueprints: Blueprints,
        runtime: Runtime,
        releases: Releases,
        journal: Journal,
        access: Access,
        every: float,
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._blueprints = blueprints
        self._runtime = runtime
        self._releases = releases
        self._journal = journal
        self._access = access
        self._every = every  # seconds; 0: only when somebody asks
        self._newest: dict[str, str] = {}  # what each reference means now
        self._silent: tuple[str, ...] = ()
        self._checked_at = 0.0
        self._failures = 0
        self._rollout: Rollout | None = None
        self._work: asyncio.Task[None] | None = None
        self._listeners: set[Callable[[], None]] = set()

    async def run(self) -> None:
        """Check on schedule, until cancelled. What fails three times waits for a person."""
        while self._every:
            await asyncio.sleep(self._every)
            if self._failures < FAILURES_MOST:
                try:
                    await self._check()
                except ControllerError as error:
                    log.warning("newer images can't be looked for: %s", error)
                for listener in tuple(self._listeners):
                    listener()

    async def close(self) -> None:
        """Begin no further update; one that is under way is the loop's."""
        if self._work is not None:
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)

    @contextlib.contextmanager
    def hearing(self, listener: Callable[[], None]) -> Iterator[None]:
        """Call `listener()` after each check on schedule, while the block runs."""
        self._listeners.add(listener)
        try:
            yield
        finally:
            self._listeners.discard(listener)

    async def known(self) -> Found:
        """What the last check found, for the edges' own upkeep."""
        return await self._found()

    async def find(self, caller: Caller) -> Found:
        """Check now, and say what is found. That ends a pause. Raises EngineUnavailable."""
        await self._access.require(caller, FLEET_UPDATES)
        await self._check()
        return await self._found()

    async def approve(self, caller: Caller, mark: str) -> Rollout:
        """Begin to update what was offered under that mark, one bot at a time.

        Raises Conflict (`changed-meanwhile`) when something else is offered by now, and NotReady
        (`up-to-date`, `update-running`).
        """
        await self._access.require(caller, FLEET_UPDATES)
        async with self._journal.request(caller, FLEET_UPDATES, None) as deed:
            found = await self._found()
            if self._work is not None and not self._work.done():
                raise NotReady(
                    "Bots are being updated already.",
                    hint="/fleet updates shows how far that is.",
                    code="update-running",
                )
            if not found.offers:
                raise NotReady("There is nothing to update.", code="up-to-date")
            if mark != found.mark:
                raise Conflict(
                    "Something else is offered by now.",
                    hint="Look again: /fleet updates.",
                    code="changed-meanwhile",
                )
            names = tuple(offer.bot.name for offer in found.offers)
            deed.ended(bots=list(names))
            self._rollout = Rollout(names)
            work = self._update_all(caller, [offer.bot for offer in found.offers])
            self._work = asyncio.create_task(work, name="updates")
            return self._rollout

    async def _check(self) -> None:
        wanted = {view.bot.image_ref: self._pull_of(view.bot) for view in self._eligible()}
        newest: dict[str, str] = {}
        silent: list[str] = []
        for ref, pull in sorted(wanted.items()):
            try:
                newest[ref] = await self._runtime.newest_image(ref, pull)
            except EngineUnavailable:
                raise
            except ControllerError as error:
                log.info("what the image %s means now is unknown: %s", ref, error)
                silent.append(ref)
        self._newest, self._silent, self._checked_at = newest, tuple(silent), time.time()
        self._failures = self._failures + 1 if silent and not newest else 0

    def _pull_of(self, bot: Bot) -> str:
        if bot.image.startswith("sha256:"):
            return "never"  # built on this machine: no registry knows of it
        template = self._blueprints.known(bot)
        return template.image.pull if template else "never"

    def _eligible(self) -> list[View]:
        """Bots that run what their template's reference meant once."""
        return [
            view
            for view in sorted(self._fleet, key=lambda view: view.bot.name)
            if view.bot.wish is Wish.RUN
            and view.bot.image
            and view.bot.image_ref
            and view.bot.release
            and not view.bot.candidate
            and not view.bot.held
            and view.bot.problem is None
        ]

    async def _found(self) -> Found:
        newer = [
            Offer(view.bot, self._newest[view.bot.image_ref])
            for view in self._eligible()
            if self._newest.get(view.bot.image_ref, view.bot.image) != view.bot.image
        ]
        failed = await self._store.images_that_failed() if newer else frozenset()
        return Found(
            offers=tuple(offer for offer in newer if offer.image not in failed),
            silent=self._silent,
            checked_at=self._checked_at,
            paused=self._failures >= FAILURES_MOST,
            rollout=self._rollout,
        )

    async def _update_all(self, caller: Caller, bots: Sequence[Bot]) -> None:
        rollout = Rollout(tuple(bot.name for bot in bots))
        for count, bot in enumerate(bots, 1):
            why = await self._update(replace(caller, request=""), bot)
            if why:
                log.warning("the updates end with %s: %s", bot.name, why)
                self._rollout = replace(rollout, running=False, failed=bot.name, why=why)
                return
            rollout = self._rollout = replace(rollout, done=count)
        self._rollout = replace(rollout, running=False)

    async def _update(self, caller: Caller, bot: Bot) -> str:
        """Update one bot and wait until that is decided. Why it failed, or an empty text."""
        try:
            await self._releases.update(caller, bot)
            view = await self._fleet.wait_for(bot.id, _decided, DECIDED_SECONDS)
        except ControllerError as error:
            return "" if error.code == "up-to-date" else error.message
        if view is None or not _decided(view):
            return "" if view is None else "It isn't known yet whether the update works."
        trouble = view.bot.setback or view.bot.problem
        return trouble.message if trouble else ""


def _decided(view: View | None) -> bool:
    return view is None or not view.bot.candidate or view.bot.problem is not None

"""One look at a bot: observers ask the engine, the disk, the log and the clock, and make a World.

Words from inside a container are hostile. They are redacted here, whole, before anything else sees
them, and cut afterwards.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from controller.domain.bot import Bot, Wish
from controller.domain.errors import Conflict, StorageTrouble
from controller.domain.observation import Health, Observation, World
from controller.fleet.blueprint import Blueprints
from controller.fleet.threads import Threads
from controller.loop.former_secrets import FormerSecrets
from controller.loop.proofs import Proofs
from controller.loop.queue import loop_time
from controller.loop.signs import Signs
from controller.runtime import Runtime
from controller.vault import LONG_TEXT, Redactor

SAID_MAX = 1000  # characters of what a failed health check said


@dataclass(frozen=True, slots=True)
class _Secrets:
    """What is wrong with a bot's secret files; `trouble` where nobody can tell."""

    missing: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()
    trouble: StorageTrouble | None = None


class Looker:
    """Looks at bots."""

    def __init__(
        self,
        *,
        runtime: Runtime,
        blueprints: Blueprints,
        threads: Threads,
        redactor: Redactor,
        former: FormerSecrets,
        clock: Callable[[], float] = loop_time,
    ) -> None:
        self._runtime = runtime
        self._blueprints = blueprints
        self._threads = threads
        self._redactor = redactor
        self._former = former
        self.clock = clock
        self.signs = Signs(runtime, blueprints, threads)
        self.proofs = Proofs(clock, runtime.engine_time)
        # The bots that may have a parked container; None until the engine was asked, once for all.
        self._parked: set[str] | None = None
        self._asking = asyncio.Lock()
        # When each bot's run began, by a clock that nobody sets.
        self._first_seen: dict[str, tuple[str, float]] = {}

    async def __call__(self, bot: Bot) -> tuple[World, StorageTrouble | None]:
        """What exists of the bot, and why its secret files can't be looked at, if they can't."""
        container, hidden = await self._container(bot)
        previous = await self._previous(bot)
        secrets = await self._secrets(bot)
        removing = bot.wish is Wish.REMOVE
        degraded = await self.signs(bot, container)
        former_secrets = self._former.waits(bot)
        proof, failure = self.proofs(
            bot,
            container,
            self._blueprints.gate(bot),
            ailing=bool(degraded),
            replaces=previous is not None or former_secrets,
        )
        world = World(
            container=container,
            previous=previous,
            proof=proof,
            failure=failure,
            former_secrets=former_secrets,
            hidden=hidden,
            volume=removing and await self._runtime.has_volume(bot.id),
            folder=removing
            and container is None
            and await self._threads.secrets(lambda: self._blueprints.has_files(bot.id)),
            missing=secrets.missing,
            faults=secrets.faults,
            degraded=degraded,
            late=self._late(bot, container),
            spec=self._blueprints.digest(bot),
        )
        return world, secrets.trouble

    def time_left(self, bot: Bot) -> float | None:
        """Seconds until the present run should be healthy; None when that time is over."""
        template = self._blueprints.known(bot)
        if template is None or bot.id not in self._first_seen:
            return None
        left = self._first_seen[bot.id][1] + template.run.start_timeout - self.clock()
        return left if left > 0 else None

    def forget(self, bot_id: str) -> None:
        """The bot is gone."""
        self.signs.forget(bot_id)
        self.proofs.forget(bot_id)
        if self._parked is not None:
            self._parked.discard(bot_id)
        self._first_seen.pop(bot_id, None)

    async def _container(self, bot: Bot) -> tuple[Observation | None, bool]:
        """The bot's container, and whether somebody else's hides it."""
        try:
            seen = await self._runtime.observe(bot.id)
        except Conflict:
            # Somebody else's, so none of our business. A create will say that it is in the way.
            return None, True
        return None if seen is None else await self._redacted(seen), False

    async def _previous(self, bot: Bot) -> Observation | None:
        """The bot's parked container. There may be one while a release is tried, and until the
        first look afterwards that shows none."""
        parked = await self._may_be_parked()
        settled = not bot.candidate and bot.wish is not Wish.REMOVE
        if settled and bot.id not in parked:
            return None
        try:
            seen = await self._runtime.observe_previous(bot.id)
        except Conflict:
            return None  # somebody else's; parking will say that it is in the way
        if seen is None and not bot.candidate:
            parked.discard(bot.id)
        else:
            parked.add(bot.id)
        return seen

    async def _may_be_parked(self) -> set[str]:
        async with self._asking:
            if self._parked is None:
                self._parked = set(await self._runtime.list_parked())
            return self._parked

    async def _redacted(self, seen: Observation) -> Observation:
        def hide() -> Observation:
            said = self._redactor(seen.probe_output, ends=not seen.probe_cut)
            return replace(seen, probe_output=said[:SAID_MAX], error=self._redactor(seen.error))

        short = len(seen.probe_output) < LONG_TEXT and not seen.probe_cut
        return hide() if short else await self._threads(hide)

    async def _secrets(self, bot: Bot) -> _Secrets:
        try:
            return _Secrets(
                *await self._threads.secrets(lambda: self._blueprints.secret_trouble(bot))
            )
        except StorageTrouble as error:
            return _Secrets(trouble=error)

    def _late(self, bot: Bot, container: Observation | None) -> bool:
        """Whether the run has had its time to become healthy and isn't: by a clock that nobody
        sets. Of one that is, that time's end would be no news."""
        template = self._blueprints.known(bot)
        if template is None or container is None or not container.started:
            return False
        run, first = self._first_seen.get(bot.id, ("", 0.0))
        if run != container.started_at:
            # It may have run for a while already, which its engine's clock tells.
            age = max(0.0, self._runtime.engine_time() - container.started)
            first = self.clock() - age
            self._first_seen[bot.id] = (container.started_at, first)
        waits = container.health is Health.STARTING
        return waits and self.clock() - first > template.run.start_timeout

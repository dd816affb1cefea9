"""Copying a bot's state before an update, and putting such a copy back. Neither while it runs.

Each can be done again at any time: a snapshot is whole or not there, and what a restore replaces is
a snapshot itself before the volume is touched.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

from controller.catalog import State
from controller.domain.bot import Bot
from controller.domain.errors import ControllerError, NotReady
from controller.domain.journal import snapshot_restored, snapshot_taken
from controller.domain.snapshot import BEFORE, RESTORE, Snapshot, before, too_many
from controller.domain.spec import ContainerSpec
from controller.fleet.blueprint import Blueprints
from controller.fleet.snapshot_files import SnapshotFiles
from controller.fleet.threads import Threads
from controller.fleet.wishes import Wishes
from controller.runtime import Runtime
from controller.store import Store

log = logging.getLogger(__name__)


class SnapshotSteps:
    """Takes and restores snapshots for the loop."""

    def __init__(
        self,
        *,
        files: SnapshotFiles,
        runtime: Runtime,
        store: Store,
        wishes: Wishes,
        blueprints: Blueprints,
        threads: Threads,
    ) -> None:
        self._files = files
        self._runtime = runtime
        self._store = store
        self._wishes = wishes
        self._blueprints = blueprints
        self._threads = threads

    async def before_change(self, bot: Bot) -> None:
        """Take the snapshot that the bot's template wants before its candidate's first run.

        Raises NotReady (`state-too-large`) or StorageTrouble, and the candidate isn't tried.
        """
        state = self._state_of(bot)
        if not bot.candidate or state is None or not state.snapshot:
            return
        release = await self._store.release(bot.id, bot.candidate)
        if release is None or release.why not in BEFORE or await self.before(bot) is not None:
            return
        await self._take(bot, release.why, bot.candidate, state)

    async def before(self, bot: Bot) -> Snapshot | None:
        """The snapshot that was taken before the bot's candidate."""
        known = await self._threads(lambda: self._files.listed(bot.id))
        return before(known, bot.candidate)

    async def restore(self, bot: Bot) -> None:
        """Put the wanted snapshot in place of the bot's state. The bot has no container.

        Until its present state is a snapshot itself, what fails leaves everything as it was.
        """
        number = bot.restoring
        spec, archive = await self._ready(bot, number)
        await self._runtime.remove_volume(bot.id)
        await self._runtime.fill_state(spec, archive)

        def done(now: Bot) -> Bot:
            return replace(now, restoring=0, state_kept=False) if now.restoring == number else now

        await self._wishes.change(bot.id, done, facts=[snapshot_restored(number)])

    async def drop(self, bot_id: str) -> None:
        """The bot is gone: so are its snapshots."""
        await self._threads(lambda: self._files.drop(bot_id))

    async def _ready(self, bot: Bot, number: int) -> tuple[ContainerSpec, Path]:
        """Everything that a restore needs, with the present state kept. If that fails for good, the
        bot goes on with the state that it has."""

        def kept(now: Bot) -> Bot:
            return replace(now, state_kept=True) if now.restoring == number else now

        def given_up(now: Bot) -> Bot:
            return replace(now, restoring=0, state_kept=False) if now.restoring == number else now

        try:
            spec, archive = self._blueprints.spec(bot), await self._archive(bot, number)
            state = self._state_of(bot)
            if not bot.state_kept and state is not None:
                await self._take(bot, RESTORE, bot.release, state)
        except ControllerError as error:
            if not error.retryable:
                await self._wishes.change(bot.id, given_up)
            raise
        if not bot.state_kept:
            await self._wishes.change(bot.id, kept)
        return spec, archive

    async def _archive(self, bot: Bot, number: int) -> Path:
        found = await self._threads(lambda: self._files.archive(bot.id, number))
        if found is None:
            raise NotReady(
                f"Snapshot {number} of {bot.name} is gone or damaged.",
                hint=f"/bot snapshots {bot.name} shows those that are there.",
                code="no-such-snapshot",
            )
        return found

    async def _take(self, bot: Bot, why: str, release: int, state: State) -> None:
        if not await self._runtime.has_volume(bot.id):
            return
        most = state.snapshot_bytes
        spec = self._blueprints.spec(bot)
        archive = await self._threads(lambda: self._files.begin(bot.id, why, release, most))
        try:
            await self._runtime.save_state(bot.id, spec, archive.write, pause=False)
            taken = await self._threads(archive.finish)
        finally:
            await self._threads(archive.discard)
        log.info("bot %s (%s): snapshot %d, %d bytes", bot.name, bot.id, taken.number, taken.size)
        await self._wishes.change(bot.id, lambda now: now, facts=[snapshot_taken(taken)])
        await self._threads(lambda: self._prune(bot, state.snapshots))

    def _prune(self, bot: Bot, keep: int) -> None:
        for one in too_many(self._files.listed(bot.id), keep, bot.restoring):
            self._files.remove(bot.id, one)

    def _state_of(self, bot: Bot) -> State | None:
        template = self._blueprints.known(bot)
        return template.state if template else None

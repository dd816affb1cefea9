"""Removes what belongs to no bot, once somebody has asked for it and confirmed it.

People queue it through `manager/orphans.py`; only the loop removes, so it stays the one writer.
Nothing here outlives the controller: whoever still waits then is told so, and can look again.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass

from controller.domain.errors import ControllerError, OutcomeUnknown
from controller.domain.orphan import Leftover, Orphan, Removal
from controller.fleet.blueprint import Blueprints
from controller.fleet.threads import Threads
from controller.fleet.views import Fleet
from controller.runtime import Runtime

log = logging.getLogger(__name__)
GRACE_SECONDS = 10  # for a container that still runs
_ORDER = list(Leftover)


@dataclass(slots=True)
class _Wanted:
    orphans: list[Orphan]
    end: asyncio.Future[list[Removal]]


class Clearance:
    """What is to be removed, and who waits for it."""

    def __init__(
        self, *, runtime: Runtime, fleet: Fleet, blueprints: Blueprints, threads: Threads
    ) -> None:
        self._runtime = runtime
        self._fleet = fleet
        self._blueprints = blueprints
        self._threads = threads
        self._waiting: asyncio.Queue[_Wanted] = asyncio.Queue()

    async def ask(self, orphans: Sequence[Orphan]) -> list[Removal]:
        """Have them removed, and wait for the end; what became of each, in the order of removal.

        Raises OutcomeUnknown if the controller ends meanwhile.
        """
        ordered = sorted(orphans, key=lambda one: (_ORDER.index(one.kind), one.name))
        wanted = _Wanted(ordered, asyncio.get_running_loop().create_future())
        # Whoever gave up waiting doesn't ask how it ended.
        wanted.end.add_done_callback(lambda end: end.cancelled() or end.exception())
        self._waiting.put_nowait(wanted)
        return await asyncio.shield(wanted.end)

    async def run(self) -> None:
        """Remove what is asked for, one after the other, until cancelled."""
        while True:
            wanted = await self._waiting.get()
            try:
                found = [await self._remove(one) for one in wanted.orphans]
            except BaseException:
                _give_up(wanted)
                raise
            if not wanted.end.done():
                wanted.end.set_result(found)

    def close(self) -> None:
        """The controller ends."""
        while not self._waiting.empty():
            _give_up(self._waiting.get_nowait())

    async def _remove(self, orphan: Orphan) -> Removal:
        if self._fleet.get(orphan.bot_id) is not None:
            return Removal(orphan, "it belongs to a bot by now")
        try:
            await self._take(orphan)
        except ControllerError as error:
            log.warning("%s %s of no bot stays: %s", orphan.kind, orphan.name, error)
            return Removal(orphan, str(error))
        log.warning("removed %s %s, which belonged to no bot", orphan.kind, orphan.name)
        return Removal(orphan)

    async def _take(self, orphan: Orphan) -> None:
        bot_id = orphan.bot_id
        match orphan.kind:
            case Leftover.CONTAINER:
                await self._runtime.remove(bot_id, GRACE_SECONDS)
                await self._runtime.let_go(bot_id)
            case Leftover.PARKED:
                await self._runtime.remove_previous(bot_id)
            case Leftover.VOLUME:
                await self._runtime.remove_volume(bot_id)
            case Leftover.FOLDER:
                await self._threads.secrets(lambda: self._blueprints.drop_files(bot_id))


def _give_up(wanted: _Wanted) -> None:
    if not wanted.end.done():
        why = "BotMaker ended meanwhile, so it isn't known what was removed."
        wanted.end.set_exception(OutcomeUnknown(why, hint="Look for orphans again."))

"""What is ours and belongs to no bot: reported, and removed only when somebody confirms it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Collection
from pathlib import Path

from controller.domain import journal as facts
from controller.domain.acts import FLEET_ORPHANS, ORPHANS_REMOVE
from controller.domain.disk_words import storage
from controller.domain.errors import ControllerError, NotReady
from controller.domain.orphan import Leftover, Orphan, Removal
from controller.fleet.journal import Caller, append_all
from controller.loop import Tools
from controller.manager.access import Access
from controller.runtime import Sizes


class Orphans:
    """Finds leftovers by comparing the world with the fleet, and has them removed."""

    def __init__(self, tools: Tools, access: Access) -> None:
        self._tools = tools
        self._runtime = tools.runtime
        self._threads = tools.threads
        self._access = access

    async def find(self, caller: Caller) -> list[Orphan]:
        """Every leftover of this installation, with its age and its size where they are known.

        The world is listed before the rows, so a bot that is created in between is no orphan.
        """
        await self._access.require(caller, FLEET_ORPHANS)
        return await self._find()

    async def remove(self, caller: Caller, keys: Collection[str]) -> list[Removal]:
        """Remove exactly the orphans of these keys; what became of each.

        NotReady (`orphans-changed`) with nothing done if one of them isn't an orphan any more.
        """
        await self._access.require(caller, ORPHANS_REMOVE)
        found = {one.key: one for one in await self._find()}
        async with self._tools.journal.request(caller, ORPHANS_REMOVE, None, _named(keys)) as deed:
            if not keys or not found.keys() >= set(keys):
                raise NotReady(
                    "What is left over has changed since it was listed. Nothing was removed.",
                    hint="Look again: /fleet orphans.",
                    code="orphans-changed",
                )
            done = await self._tools.clearance.ask([found[key] for key in sorted(set(keys))])
            fact = facts.orphans_removed(done)
            deed.ended(removed=fact.data["removed"], failed=fact.data["failed"])
            async with self._tools.store.transaction() as write:
                await append_all(write, [fact], None, deed.author)
        return done

    async def _find(self) -> list[Orphan]:
        containers = await self._runtime.list_containers()
        parked = await self._runtime.list_parked()
        volumes = await self._runtime.list_volumes()
        folders = await self._threads.secrets(self._tools.vault.bots)
        known = {view.bot.id for view in self._tools.fleet}
        lost = [row for row in containers if row.bot_id not in known]
        unowned = [volume for volume in volumes if volume.bot_id not in known]
        aside = [bot_id for bot_id in parked if bot_id not in known]
        secrets = [folder for folder in folders if folder not in known]
        sizes = await self._sizes() if lost or unowned or aside else Sizes()
        return [
            *(
                Orphan(
                    Leftover.CONTAINER,
                    row.name,
                    row.status,
                    row.bot_id,
                    self._age(row.created),
                    sizes.containers.get(row.name),
                )
                for row in lost
            ),
            *await asyncio.gather(*(self._parked(bot_id, sizes) for bot_id in aside)),
            *(
                Orphan(
                    Leftover.VOLUME,
                    one.name,
                    "",
                    one.bot_id,
                    self._age(one.created),
                    sizes.volumes.get(one.name),
                )
                for one in unowned
            ),
            *[await self._folder(bot_id) for bot_id in secrets],
        ]

    async def _parked(self, bot_id: str, sizes: Sizes) -> Orphan:
        name = f"botmaker-{bot_id}-previous"
        seen = await self._runtime.observe_previous(bot_id)
        state, age = (seen.state.value, self._age(seen.started)) if seen else ("", 0.0)
        return Orphan(Leftover.PARKED, name, state, bot_id, age, sizes.containers.get(name))

    async def _folder(self, bot_id: str) -> Orphan:
        place = self._tools.vault.root / bot_id

        def look() -> tuple[float, int]:
            with storage(f"The secrets folder {bot_id} couldn't be looked at"):
                return max(0.0, time.time() - place.stat().st_mtime), _bytes_in(place)

        age, size = await self._threads.secrets(look)
        return Orphan(Leftover.FOLDER, bot_id, "", bot_id, age, size)

    async def _sizes(self) -> Sizes:
        try:
            return await self._runtime.sizes()
        except ControllerError:  # an engine with much on its disk takes long: then without
            return Sizes()

    def _age(self, created: float) -> float:
        """By the engine's clock, which `created` is from."""
        return max(0.0, self._runtime.engine_time() - created) if created else 0.0


def _bytes_in(folder: Path) -> int:
    with os.scandir(folder) as entries:
        return sum(entry.stat(follow_symlinks=False).st_size for entry in entries)


def _named(keys: Collection[str]) -> dict[str, object]:
    return {"things": sorted(keys)[:50], "count": len(keys)}

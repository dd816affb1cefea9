"""What is ours and belongs to no bot: reported, never removed automatically."""

from __future__ import annotations

from dataclasses import dataclass

from controller.domain.acts import FLEET_ORPHANS
from controller.fleet.journal import Caller
from controller.fleet.threads import Threads
from controller.fleet.views import Fleet
from controller.manager.access import Access
from controller.runtime import Runtime
from controller.vault import Vault


@dataclass(frozen=True, slots=True)
class Orphan:
    """One thing without a bot: what it is, its name, and its state."""

    kind: str  # container, volume, secrets folder
    name: str
    state: str = ""


class Orphans:
    """Finds leftovers by comparing the world with the fleet."""

    def __init__(
        self, runtime: Runtime, fleet: Fleet, vault: Vault, threads: Threads, access: Access
    ) -> None:
        self._runtime = runtime
        self._fleet = fleet
        self._vault = vault
        self._threads = threads
        self._access = access

    async def find(self, caller: Caller) -> list[Orphan]:
        """Every leftover of this installation.

        The world is listed before the rows, so a bot that is created in between is no orphan.
        """
        await self._access.require(caller, FLEET_ORPHANS)
        containers = await self._runtime.list_containers()
        volumes = await self._runtime.list_volumes()
        folders = await self._threads.secrets(self._vault.bots)
        known = {view.bot.id for view in self._fleet}
        return [
            *(
                Orphan("container", row.name, row.status)
                for row in containers
                if row.bot_id not in known
            ),
            *(Orphan("volume", item.name) for item in volumes if item.bot_id not in known),
            *(Orphan("secrets folder", folder) for folder in folders if folder not in known),
        ]

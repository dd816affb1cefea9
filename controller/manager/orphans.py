"""What is ours and belongs to no bot: reported, never removed by itself."""

from __future__ import annotations

from dataclasses import dataclass

from controller.manager.disk import Disk
from controller.manager.fleet import Fleet
from controller.runtime import Runtime
from controller.vault import Vault


@dataclass(frozen=True, slots=True)
class Orphan:
    """One thing without a bot: what it is, its name, and how it stands."""

    kind: str  # container, volume, secrets folder
    name: str
    state: str = ""


class Orphans:
    """Finds leftovers by comparing the world with the fleet."""

    def __init__(self, runtime: Runtime, fleet: Fleet, vault: Vault, disk: Disk) -> None:
        self._runtime = runtime
        self._fleet = fleet
        self._vault = vault
        self._disk = disk

    async def find(self) -> list[Orphan]:
        """Every leftover of this installation. World first, rows after: a bot that is made in
        between is no orphan."""
        containers = await self._runtime.list_containers()
        volumes = await self._runtime.list_volumes()
        folders = await self._disk(self._vault.bots)
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

"""States that a restore left in the data folder, until each bot's volume is filled with its own.

A state's archive goes when the bot's container exists. Before its volume is filled for the first
time that is noted: a volume that was there before is somebody's, and is never written over.
"""

from __future__ import annotations

from pathlib import Path

from controller.domain.disk_words import storage
from controller.domain.errors import Conflict
from controller.domain.spec import ContainerSpec
from controller.fleet.threads import Threads
from controller.runtime import Runtime


class RestoredStates:
    """The archives, by bot."""

    def __init__(self, folder: Path, runtime: Runtime, threads: Threads) -> None:
        self._folder = folder
        self._runtime = runtime
        self._threads = threads

    async def fill(self, spec: ContainerSpec) -> None:
        """Fill the bot's new volume, if a state waits for it.

        Raises Conflict (`volume-exists`), and leaves that volume alone.
        """
        archive, begun = self._archive(spec.bot_id), self._begun(spec.bot_id)
        waits, again = await self._threads(lambda: (archive.exists(), begun.exists()))
        if not waits or not spec.state_path:
            return
        if not again and await self._runtime.has_volume(spec.bot_id):
            raise Conflict(
                f"The volume {spec.name} exists already, so the bot's state isn't restored into "
                "it.",
                hint=f"To use that volume, delete {archive}. To restore the state, remove the "
                f"volume with `docker volume rm {spec.name}`. Then start the bot.",
                code="volume-exists",
            )
        with storage("The bot's state can't be restored"):
            await self._threads(lambda: begun.touch(mode=0o600))
        await self._runtime.fill_state(spec, archive)

    async def drop(self, bot_id: str) -> None:
        """The bot has its state, or is gone: the archive goes, and the folder with the last one."""
        with storage("A restored state can't be removed"):
            await self._threads(lambda: self._drop(bot_id))

    def _drop(self, bot_id: str) -> None:
        if not self._folder.exists():
            return
        self._archive(bot_id).unlink(missing_ok=True)
        self._begun(bot_id).unlink(missing_ok=True)
        if not any(self._folder.iterdir()):
            self._folder.rmdir()

    def _archive(self, bot_id: str) -> Path:
        return self._folder / f"{bot_id}.tar"

    def _begun(self, bot_id: str) -> Path:
        return self._folder / f"{bot_id}.begun"

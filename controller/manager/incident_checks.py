"""What is looked at from time to time because nothing tells of it: the disk, and secrets' ages."""

from __future__ import annotations

import asyncio
import logging
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from controller.domain.disk_words import storage
from controller.domain.errors import ControllerError
from controller.domain.incident import DISK, SECRETS
from controller.domain.upkeep import look_at_ages, look_at_disk
from controller.fleet.threads import Threads
from controller.fleet.views import Fleet
from controller.manager.incident_keeper import IncidentKeeper
from controller.vault import Vault

log = logging.getLogger(__name__)
EVERY = 60.0  # seconds between two looks at the disk
AGES_EVERY = 60  # looks at the disk for one at the secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckTools:
    """What the checks work with."""

    fleet: Fleet
    vault: Vault
    threads: Threads
    data_dir: Path
    reminder: float  # seconds after which a secret is due to be replaced; 0: never
    clock: Callable[[], float]


class IncidentChecks:
    """Looks, and hands what it sees to the keeper."""

    def __init__(self, tools: CheckTools, keeper: IncidentKeeper) -> None:
        self._tools = tools
        self._keeper = keeper
        self._low = False

    async def run(self) -> None:
        """Look until cancelled."""
        count = 0
        while True:
            try:
                await self.disk()
                if count % AGES_EVERY == 0:
                    await self.ages()
            except ControllerError as error:
                log.warning("not checked: %s", error)
            count += 1
            await asyncio.sleep(EVERY)

    async def disk(self) -> None:
        """Whether there is room under the data folder."""
        folder = self._tools.data_dir

        def free() -> int:
            with storage(f"{folder} can't be looked at"):
                return shutil.disk_usage(folder).free

        look = look_at_disk(await self._tools.threads(free), was_low=self._low)
        self._low = look.trouble is not None
        self._keeper.check(DISK, look)

    async def ages(self) -> None:
        """Which secrets are due to be replaced."""
        tools = self._tools
        if not tools.reminder:
            self._keeper.check(SECRETS, look_at_ages({}, 0.0, 0.0))
            return
        bots = {view.bot.id: view.bot.name for view in tools.fleet}
        found = await tools.threads.secrets_of_each(tools.vault.written_at, list(bots))
        written: dict[str, Mapping[str, float]] = {
            name: times
            for name, times in zip(bots.values(), found, strict=True)
            if not isinstance(times, ControllerError)
        }
        self._keeper.check(SECRETS, look_at_ages(written, tools.reminder, tools.clock()))

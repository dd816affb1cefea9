"""The set of secrets that a bot's last good release ran on, kept sealed while a new one is tried.

A set is kept before the first value of the next one is written. The row's number says which set is
wished for: a release that fails takes its number back, and the set with it; one that proves itself
destroys the former. So a kill at any moment leaves either set whole.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from functools import partial

from controller.catalog import Template
from controller.domain.bot import Bot
from controller.domain.errors import ControllerError, StorageTrouble
from controller.fleet.blueprint import Blueprints
from controller.fleet.threads import Threads
from controller.fleet.views import Fleet
from controller.vault import Redactor, SealedSets, Vault

log = logging.getLogger(__name__)


class FormerSecrets:
    """Keeps, puts back and destroys former sets: at most one a bot."""

    def __init__(
        self,
        *,
        sets: SealedSets,
        vault: Vault,
        fleet: Fleet,
        blueprints: Blueprints,
        redactor: Redactor,
        threads: Threads,
    ) -> None:
        self._sets = sets
        self._vault = vault
        self._fleet = fleet
        self._blueprints = blueprints
        self._redactor = redactor
        self._threads = threads
        self._kept: dict[str, int] = {}  # the number of the set, of bots that are being tried
        self._writing = asyncio.Lock()  # a set is put back, or the next one written, never both

    async def load(self, bots: Mapping[str, Bot]) -> None:
        """Find what the last controller kept, and destroy what nobody waits for any more."""

        def wanted(bot_id: str, number: int) -> bool:
            bot = bots.get(bot_id)
            return bot is not None and (bool(bot.candidate) or bot.secret_set == number)

        self._kept = await self._threads.secrets(lambda: self._sets.sweep(wanted))
        for bot_id, number in self._kept.items():
            values = await self._threads.secrets(partial(self._sets.read, bot_id, number))
            self._redactor.learn(bot_id, (values or {}).values())

    def waits(self, bot: Bot) -> bool:
        """Whether a former set would come back if the bot's candidate failed."""
        return bool(bot.candidate) and self._kept.get(bot.id, bot.secret_set) != bot.secret_set

    def has(self, bot_id: str, number: int) -> bool:
        """Whether the bot's set of that number is kept."""
        return self._kept.get(bot_id) == number

    @asynccontextmanager
    async def changing(self, bot_id: str, *, secrets: bool = True) -> AsyncIterator[None]:
        """Keep the present set while the block writes the next one and the row tells of it.

        Without `secrets` the block writes none. A block that fails before the row told of the new
        set leaves the former one, whole.
        """
        if not secrets:
            yield
            return
        async with self._writing:
            view = self._fleet.get(bot_id)
            if view is not None:
                await self._keep(view.bot)
            try:
                yield
            except ControllerError:
                with suppress(ControllerError):  # else the next start of the bot does it
                    await self._put_back(bot_id)
                raise

    async def _keep(self, bot: Bot) -> None:
        # A set that has yet to prove itself is nothing to come back to; nor is half of one.
        if not bot.release or bot.id in self._kept:
            return
        number = bot.secret_set

        def keep() -> bool:
            if self._blueprints.secret_trouble(bot)[0]:
                return False
            self._sets.keep(bot.id, number, self._blueprints.secret_values(bot))
            return True

        if await self._threads.secrets(keep):
            self._kept[bot.id] = number

    async def put_back(self, bot_id: str) -> None:
        """Put the set that the row wishes for back on the disk, if another one is there.

        Raises StorageTrouble: it's still owed then.
        """
        if bot_id not in self._kept:
            return
        async with self._writing:
            await self._put_back(bot_id)

    async def _put_back(self, bot_id: str) -> None:
        view = self._fleet.get(bot_id)
        if view is None or not self.has(bot_id, view.bot.secret_set):
            return
        bot, template = view.bot, self._blueprints.known(view.bot)
        if template is not None:
            await self._threads.secrets(partial(self._write, bot, template))
            log.info("bot %s (%s): its former secrets are back", bot.name, bot.id)
            await self.destroy(bot_id)

    def _write(self, bot: Bot, template: Template) -> None:
        values = self._sets.read(bot.id, bot.secret_set)
        if values is None:  # sealed with a key that is gone
            return
        self._vault.write(bot.id, values, self._blueprints.owner(template))
        rendered = self._blueprints.rendered_names(template)
        self._vault.discard(bot.id, set(self._vault.names(bot.id)) - set(values) - rendered)

    async def destroy(self, bot_id: str) -> None:
        """The former set isn't needed any more."""
        if self._kept.pop(bot_id, None) is None:
            return
        try:
            await self.drop(bot_id)
        except StorageTrouble as error:  # the next start does it
            log.warning("bot %s: its former secrets stay sealed for now: %s", bot_id, error)

    async def drop(self, bot_id: str) -> None:
        """Nothing of the bot is to be left. Raises StorageTrouble."""
        self._kept.pop(bot_id, None)
        await self._threads.secrets(partial(self._sets.drop, bot_id))

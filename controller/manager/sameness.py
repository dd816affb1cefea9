"""Whether values are the secrets that a bot has already, for whoever keeps the fleet in files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from controller.catalog import tidy
from controller.domain.acts import BOT_SECRETS
from controller.domain.bot import Bot
from controller.domain.errors import BadInput
from controller.fleet.blueprint import Blueprints
from controller.fleet.journal import Caller
from controller.fleet.threads import Threads
from controller.manager.access import Access
from controller.manager.sealed_entry import SealedEntry
from controller.vault import Fingerprints

Found = Literal["same", "other", "missing"]


class Sameness:
    """Compares, and tells nothing else. It needs the right to write what it compares."""

    def __init__(
        self,
        blueprints: Blueprints,
        fingerprints: Fingerprints,
        access: Access,
        threads: Threads,
        sealed: SealedEntry,
    ) -> None:
        self._blueprints = blueprints
        self._fingerprints = fingerprints
        self._access = access
        self._threads = threads
        self._sealed = sealed

    async def of(self, caller: Caller, bot: Bot, values: Mapping[str, str]) -> dict[str, Found]:
        """For each secret, whether the bot has this value, another one, or none yet.

        Raises BadInput (`bad-secret-name`) for what isn't a secret that somebody enters.
        """
        await self._access.require(caller, BOT_SECRETS, bot)
        template = self._blueprints.template(bot)
        specs = {
            spec.name: spec
            for spec in template.secrets_for(bot.provider, bot.channel)
            if not spec.generated
        }
        strange = sorted(values.keys() - specs.keys())
        if strange:
            raise BadInput(
                f"{bot.name} has no such secrets: {', '.join(strange)[:200]}.",
                hint=f"It has these: {', '.join(specs) or 'none'}.",
                code="bad-secret-name",
            )
        stored = await self._threads.secrets(lambda: self._blueprints.secret_values(bot))
        return {
            name: self._compared(
                name, tidy(specs[name], self._sealed.compared(bot, name, value)), stored
            )
            for name, value in values.items()
        }

    def _compared(self, name: str, value: str, stored: Mapping[str, str]) -> Found:
        if name not in stored:
            return "missing"
        same = self._fingerprints(name, value) == self._fingerprints(name, stored[name])
        return "same" if same else "other"

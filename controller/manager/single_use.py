"""Secrets that may exist once only: two programs on one bot token take each other's messages.

Values are compared as keyed hashes, which last no longer than the question. BotMaker's own token
comes in as such a hash and is refused for every secret of every bot. Whoever enters secrets is
admin and may see all bots, so a refusal names the other one.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from controller.catalog import SecretSpec
from controller.domain.bot import Bot
from controller.domain.errors import BadInput, ControllerError
from controller.fleet.blueprint import Blueprints
from controller.fleet.threads import Threads
from controller.fleet.views import Fleet
from controller.manager.submission import OpenForm
from controller.store import Store
from controller.vault import Fingerprints

CODE = "secret-in-use"


@dataclass(frozen=True, slots=True)
class _Use:
    """A bot that has a value, or whose open form has it."""

    bot_id: str
    print: str
    unique: bool  # whether its template says that nobody else may have it
    form_id: str = ""


class SingleUse:
    """Says which of the values on a page somebody else already has."""

    def __init__(
        self,
        *,
        store: Store,
        fleet: Fleet,
        blueprints: Blueprints,
        fingerprints: Fingerprints,
        threads: Threads,
        own: frozenset[str],
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._blueprints = blueprints
        self._fingerprints = fingerprints
        self._threads = threads
        self._own = own
        self._entering: list[_Use] = []  # by submits that are under way

    @contextlib.asynccontextmanager
    async def taken(
        self, page: OpenForm, given: Mapping[str, str]
    ) -> AsyncIterator[dict[str, BadInput]]:
        """Those of the given secrets that can't be taken, by name, with the reason.

        The others are this bot's until the block ends: a submit for another bot at the same time
        is refused.
        """
        specs = {s.name: s for s in page.inputs if isinstance(s, SecretSpec) and s.name in given}
        mine = {
            name: _Use(page.bot.id, self._fingerprints.of_value(given[name]), spec.only_once)
            for name, spec in specs.items()
        }
        others = [use for use in self._entering if use.bot_id != page.bot.id]
        added = list(mine.values())
        self._entering += added
        try:
            others += await self._uses(page.bot.id) if mine else []
            found = {name: self._reason(specs[name], use, others) for name, use in mine.items()}
            yield {name: reason for name, reason in found.items() if reason is not None}
        finally:
            for use in added:
                self._entering.remove(use)

    def _reason(self, spec: SecretSpec, mine: _Use, others: list[_Use]) -> BadInput | None:
        if mine.print in self._own:
            words = f"The {spec.label} is the token that BotMaker itself runs on."
            return BadInput(
                words,
                hint="Create another application for this bot in Discord's Developer Portal.",
                code=CODE,
                inputs={spec.name: words},
            )
        for other in others:
            if other.print == mine.print and (other.unique or mine.unique):
                return self._used_by(spec, other)
        return None

    def _used_by(self, spec: SecretSpec, other: _Use) -> BadInput:
        view = self._fleet.get(other.bot_id)
        name = view.bot.name if view is not None else "another bot"
        doing = "is being entered for" if other.form_id else "is already used by"
        words = f"The {spec.label} {doing} {name}."
        return BadInput(
            words,
            hint="Two bots can't share it: create one of its own for this bot.",
            code=CODE,
            inputs={spec.name: words},
        )

    async def _uses(self, but: str) -> list[_Use]:
        """What all other bots have, and what is typed into their open forms."""
        bots = [view.bot for view in self._fleet if view.bot.id != but]
        found = await self._threads(lambda: self._read(bots))
        return [use for use in found if not use.form_id or await self._is_open(use.form_id)]

    def _read(self, bots: list[Bot]) -> list[_Use]:
        """Blocking. What can't be read is nothing that could be compared."""
        places: list[tuple[str, str, Mapping[str, str]]] = []
        for bot in bots:
            with contextlib.suppress(ControllerError):
                places.append((bot.id, "", self._blueprints.secret_values(bot)))
        with contextlib.suppress(ControllerError):
            staged = self._blueprints.staging.everything()
            places += [(bot_id, form_id, one.secrets) for bot_id, form_id, one in staged]
        unique = {bot.id: self._unique_names(bot) for bot in bots}
        return [
            _Use(bot_id, self._fingerprints.of_value(value), name in unique[bot_id], form_id)
            for bot_id, form_id, values in places
            if bot_id in unique
            for name, value in values.items()
        ]

    def _unique_names(self, bot: Bot) -> frozenset[str]:
        template = self._blueprints.known(bot)
        if template is None:
            return frozenset()
        with contextlib.suppress(BadInput):  # its provider or channel is no longer known
            secrets = template.secrets_for(bot.provider, bot.channel)
            return frozenset(spec.name for spec in secrets if spec.only_once)
        return frozenset()

    async def _is_open(self, form_id: str) -> bool:
        form = await self._store.form(form_id)
        return form is not None and form.used_at is None and form.expires_at > time.time()

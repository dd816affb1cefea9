"""What the Worker knows of the fleet while the controller is away: its state, told at times."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from controller.domain import journal as facts
from controller.domain.webhooks import Webhook
from controller.fleet.journal import Journal
from controller.manager import Manager
from controller.store import Store

LOOK_SECONDS = 30.0  # between two looks at the fleet
SAME_SECONDS = 300.0  # after which the same state is told again, so that its age means something


class Report:
    """The fleet's state, and when to tell it. Notes in the journal when our health changes."""

    def __init__(
        self,
        manager: Manager,
        store: Store,
        journal: Journal,
        connected: Callable[[], bool],
        monotonic: Callable[[], float],
    ) -> None:
        self._manager = manager
        self._store = store
        self._journal = journal
        self._connected = connected
        self._monotonic = monotonic
        self._looked = float("-inf")
        self._told_at = float("-inf")
        self._told: Mapping[str, Any] = {}
        self._health = "ok"

    async def due(self, webhook: Webhook) -> Mapping[str, Any] | None:
        """The state if it is to be told now: at most every half minute, and where it is the same
        as before, every five minutes."""
        now = self._monotonic()
        if now - self._looked < LOOK_SECONDS:
            return None
        self._looked = now
        state = await self._state(webhook)
        if state == self._told and now - self._told_at < SAME_SECONDS:
            return None
        return state

    def told(self, state: Mapping[str, Any]) -> None:
        """The Worker took it."""
        self._told, self._told_at = state, self._monotonic()

    def failed(self) -> None:
        """It didn't: it is due again."""
        self._looked = float("-inf")

    async def _state(self, webhook: Webhook) -> Mapping[str, Any]:
        parts, health = self.parts(), self.health()
        if health != self._health:
            self._health = health
            await self._journal.note(facts.health(health, parts), None)
        bots = [
            {"id": view.bot.id, "name": view.bot.name, "phase": view.phase.value}
            for view in self._manager.bots
        ]
        waiting = await self._store.waiting(webhook.cursor, webhook.kinds)
        outbox = {"waiting": waiting, "given_up": webhook.dead, "lost": webhook.lost}
        return {"health": health, "parts": parts, "bots": bots, "outbox": outbox}

    def parts(self) -> dict[str, str]:
        """Each part of the controller: `ok` or `down`."""
        manager = self._manager
        return {
            "discord": _word(well=self._connected()),
            "engine": _word(well=manager.bots.engine.reachable),
            "secrets": _word(well=manager.secrets_answer()),
        }

    def health(self) -> str:
        """`ok` where every part is, else `degraded`."""
        return "ok" if set(self.parts().values()) == {"ok"} else "degraded"

    def counts(self) -> dict[str, int]:
        """How many bots are in each phase."""
        return dict(Counter(view.phase.value for view in self._manager.bots))


def _word(*, well: bool) -> str:
    return "ok" if well else "down"


def encoded(value: Mapping[str, Any]) -> bytes:
    """As JSON, on one line; half characters become question marks."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace")

"""What bots use, for people: the newest figures with their age, and how it went before."""

from __future__ import annotations

import time
from dataclasses import dataclass

from controller.domain.acts import BOT_STATS, FLEET_STATS
from controller.domain.bot import Bot
from controller.domain.errors import BadInput
from controller.domain.usage import COARSE, COARSE_KEPT, FINE, FINE_KEPT, Figures, Point
from controller.fleet.journal import Caller
from controller.fleet.views import View
from controller.manager.access import Access
from controller.manager.sampling import Sampler
from controller.store import Store

HOURS_MOST = COARSE_KEPT // 3600
RECENT_HOURS = 1 / 12  # below which the last minutes are shown as they were measured


@dataclass(frozen=True, slots=True)
class Measured:
    """A bot with its newest figures, if there are any, and how many seconds old these are."""

    view: View
    figures: Figures | None = None
    age: float = 0.0


@dataclass(frozen=True, slots=True)
class BotUsage:
    """A bot's figures now, and points of the time before, each `step` seconds long."""

    now: Measured
    hours: float
    step: int
    points: tuple[Point, ...]


class Stats:
    """The use-cases. None asks the engine: what was measured last is what is told."""

    def __init__(self, sampler: Sampler, store: Store, access: Access) -> None:
        self._sampler = sampler
        self._store = store
        self._access = access

    async def of_bot(self, caller: Caller, view: View, hours: float = 24.0) -> BotUsage:
        """What one bot uses, and used in the last hours. BadInput for more than 90 days."""
        bot: Bot = view.bot
        await self._access.require(caller, BOT_STATS, bot)
        if not 0 < hours <= HOURS_MOST:
            raise BadInput(f"It must be from 1 to {HOURS_MOST} hours.", hint="Leave it out for 24.")
        now, step = time.time(), FINE if hours * 3600 <= FINE_KEPT else COARSE
        points = await self._store.points(bot.id, step, now - hours * 3600)
        if not points:
            points, step = self._sampler.recent(bot.id, now), 0
        return BotUsage(self._measured(view), hours, step, tuple(points))

    async def of_fleet(self, caller: Caller) -> list[Measured]:
        """The bots that the caller may see and that run: the nearest to their limit first."""
        await self._access.require(caller, FLEET_STATS)
        found = [self._measured(view) for view in self._access.allowed(caller.principal, BOT_STATS)]
        known = [one for one in found if one.figures is not None]
        return sorted(known, key=_weight, reverse=True)

    def _measured(self, view: View) -> Measured:
        found = self._sampler.now(view.bot.id)
        return Measured(view) if found is None else Measured(view, *found)


def _weight(one: Measured) -> tuple[bool, float]:
    assert one.figures is not None
    return one.view.flood > 0, max(one.figures.share, min(1.0, one.figures.cpu))

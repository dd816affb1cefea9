"""What people ask about incidents: which there are, to look after one, to hear no more of it; and
who is pinged."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from controller.domain import journal as facts
from controller.domain.access import Principal
from controller.domain.acts import (
    ALERTS_GIVE,
    ALERTS_LIST,
    ALERTS_OWN,
    BOT_SHOW,
    INCIDENT_ACKNOWLEDGE,
    INCIDENT_LIST,
    INCIDENT_MUTE,
    Act,
)
from controller.domain.announcing import Alert, Plan, announced, plan
from controller.domain.bot import Bot
from controller.domain.errors import BadInput, NotFound, NotReady
from controller.domain.incident import Incident, acknowledged, muted
from controller.fleet.journal import Caller, Journal, append_all
from controller.fleet.views import Fleet
from controller.manager.access import Access
from controller.manager.incident_checks import IncidentChecks
from controller.manager.incident_keeper import IncidentKeeper
from controller.store import Store

MUTE_MOST = 7 * 86_400.0  # seconds
ALERTS_MOST = 200


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which incidents: only the open ones, or all before a number; newest first."""

    open_only: bool = False
    before: int = 0
    limit: int = 50


class Incidents:
    """The use-cases, and what the edge that announces incidents needs."""

    def __init__(
        self,
        keeper: IncidentKeeper,
        checks: IncidentChecks,
        store: Store,
        fleet: Fleet,
        journal: Journal,
        access: Access,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keeper = keeper
        self._checks = checks
        self._store = store
        self._fleet = fleet
        self._journal = journal
        self._access = access
        self._clock = clock
        self._alerts: tuple[Alert, ...] = ()

    async def load(self) -> None:
        """Read what is open, and who is pinged."""
        await self._keeper.load()
        self._alerts = tuple(await self._store.incidents.alerts())

    async def run(self) -> None:
        """Keep the incidents until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._keeper.run(), name="incident-keeper")
            group.create_task(self._checks.run(), name="incident-checks")

    # By somebody, with their rights

    async def listed(self, caller: Caller, wanted: Wanted) -> tuple[list[Incident], int]:
        """The incidents that the caller may see, and before which number more of them may be; 0:
        these are all."""
        await self._access.require(caller, INCIDENT_LIST)
        if wanted.open_only:
            found = self._keeper.open_ones[::-1]
        else:
            found = await self._store.incidents.newest(wanted.before, wanted.limit)
        seen = [one for one in found if self._may(caller.principal, BOT_SHOW, one)]
        whole = wanted.open_only or len(found) < wanted.limit
        return seen, 0 if whole else found[-1].id

    async def acknowledge(self, caller: Caller, number: int) -> Incident:
        """Note that the caller looks after it: it isn't announced again, unless it gets worse.

        NotFound (`no-such-incident`), or NotReady (`incident-over`).
        """
        await self._access.require(caller, INCIDENT_ACKNOWLEDGE)
        known, bot = await self._open(caller, INCIDENT_ACKNOWLEDGE, number)
        who = caller.principal.name or caller.principal.id
        detail = {"incident": known.id}
        async with self._journal.request(caller, INCIDENT_ACKNOWLEDGE, bot, detail):
            at = self._clock()
            return _found(await self._keeper.change(number, lambda now: acknowledged(now, who, at)))

    async def mute(self, caller: Caller, number: int, seconds: float | None = None) -> Incident:
        """Tell nobody of it for so long; without `seconds`, until it's over. Raises the same."""
        await self._access.require(caller, INCIDENT_MUTE)
        known, bot = await self._open(caller, INCIDENT_MUTE, number)
        if seconds is not None and not 60 <= seconds <= MUTE_MOST:
            raise BadInput("An incident can be muted for a minute to a week.", code="bad-input")
        until = math.inf if seconds is None else self._clock() + seconds
        detail = {"incident": known.id, "seconds": seconds or 0}
        async with self._journal.request(caller, INCIDENT_MUTE, bot, detail):
            return _found(await self._keeper.change(number, lambda now: muted(now, until)))

    async def alerts(self, caller: Caller) -> list[Alert]:
        """Who is pinged, for the bots that the caller may see."""
        await self._access.require(caller, ALERTS_LIST)
        return [one for one in self._alerts if self._sees(caller.principal, one.bot_id)]

    async def set_own_alert(self, caller: Caller, alert: Alert, *, on: bool) -> None:
        """Ping the caller from now on, or no longer. BadInput if it isn't about them."""
        await self._access.require(caller, ALERTS_OWN)
        if (alert.kind, str(alert.subject)) != (caller.principal.kind, caller.principal.id):
            raise BadInput("That is somebody else.", code="bad-input")
        if alert.bot_id and not self._sees(caller.principal, alert.bot_id):
            raise NotFound("That bot is gone.", code="no-such-bot")
        await self._set(caller, ALERTS_OWN, alert, on=on)

    async def give_alert(self, caller: Caller, alert: Alert, *, on: bool) -> None:
        """Ping somebody else, or a role, from now on, or no longer."""
        await self._access.require(caller, ALERTS_GIVE)
        await self._set(caller, ALERTS_GIVE, alert, on=on)

    async def _set(self, caller: Caller, act: Act, alert: Alert, *, on: bool) -> None:
        alert = replace(alert, since=self._clock())
        view = self._fleet.get(alert.bot_id)
        bot = view.bot if view else None
        fact = facts.alert(alert, on=on)
        async with self._journal.request(caller, act, bot, fact.data) as deed:
            if on and len(self._alerts) >= ALERTS_MOST:
                raise NotReady("Too many are pinged already.", code="too-many-alerts")
            async with self._store.transaction() as write:
                if on:
                    done = True
                    await write.incidents.save_alert(alert)
                else:
                    key = alert.kind, alert.subject, alert.bot_id
                    done = await write.incidents.drop_alert(*key)
                if done:
                    await append_all(write, [fact], bot, deed.author)
            if not done:
                raise NotFound("Nobody is pinged for that.", code="no-such-alert")
        self._alerts = tuple(await self._store.incidents.alerts())

    async def _open(self, caller: Caller, act: Act, number: int) -> tuple[Incident, Bot | None]:
        known = await self._keeper.get(number)
        if known is None or not self._may(caller.principal, act, known):
            raise NotFound("There is no such incident.", code="no-such-incident")
        if known.is_over:
            raise NotReady("That incident is over.", code="incident-over")
        view = self._fleet.get(known.bot_id)
        return known, view.bot if view else None

    def _may(self, principal: Principal, act: Act, incident: Incident) -> bool:
        """Whether they have the act's role for what it is about: a bot, or all of them."""
        view = self._fleet.get(incident.bot_id)
        return self._access.role(principal, view.bot if view else None) >= act.role

    def _sees(self, principal: Principal, bot_id: str) -> bool:
        view = self._fleet.get(bot_id)
        if bot_id and view is None:
            return False
        return not bot_id or self._access.may(principal, BOT_SHOW, view.bot if view else None)

    # For the edge that announces them

    def hearing(self, listener: Callable[[int], None]) -> AbstractContextManager[None]:
        """Call `listener(number)` when an incident changed, while the block runs."""
        return self._keeper.hearing(listener)

    async def to_show(self) -> list[int]:
        """The numbers of those whose message may not be up to date."""
        over = await self._store.incidents.unshown()
        return [one.id for one in (*self._keeper.open_ones, *over)]

    async def get(self, number: int) -> Incident | None:
        """The incident of that number as it is now."""
        return await self._keeper.get(number)

    def plan(self, incident: Incident) -> Plan:
        """Whether to announce it now, and to whom."""
        return plan(incident, self._alerts, self._clock(), self._keeper.pace)

    async def announce(self, incident: Incident, made: Plan) -> Incident:
        """Note that the plan is about to be carried out: whoever ends in between posts nothing
        twice, and pings nobody twice."""
        at = self._clock()
        return _found(await self._keeper.change(incident.id, lambda now: announced(now, made, at)))

    async def placed(self, number: int, channel_id: int, message_id: int, version: int) -> None:
        """Note where its message is, and which version that shows."""

        def edit(now: Incident) -> Incident:
            place = replace(now, channel_id=channel_id, message_id=message_id)
            return replace(place, shown=version, owed=frozenset())

        await self._keeper.change(number, edit)


def _found(incident: Incident | None) -> Incident:
    if incident is None:
        raise NotFound("There is no such incident.", code="no-such-incident")
    return incident

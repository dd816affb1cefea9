"""What happened: the journal, read for people. The edges put it into words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.domain.access import Principal, Target
from controller.domain.acts import BOT_HISTORY, FLEET_HISTORY
from controller.domain.bot import Bot
from controller.domain.errors import NotFound
from controller.domain.journal import Entry, Kind
from controller.domain.roles import Role
from controller.fleet.journal import Caller, Journal
from controller.fleet.threads import Threads
from controller.fleet.views import Fleet
from controller.manager.access import Access
from controller.store import Store, archive, chain

# What a request changed is told by the request's own entry. Every other kind is shown.
TOLD_BY_REQUEST = {
    Kind.OUTCOME,
    Kind.CREATED,
    Kind.REMOVED,
    Kind.WISH,
    Kind.SETTINGS,
    Kind.SECRETS,
    Kind.IMAGE,
    Kind.RELEASE,
    Kind.PROVED,
    Kind.GRANT,
    Kind.REVOKE,
    Kind.ALERT,
    # What went wrong is told by its own entries, and as incidents.
    Kind.INCIDENT,
    Kind.INCIDENT_OVER,
}
SHOWN = tuple(kind for kind in Kind if kind not in TOLD_BY_REQUEST)
BATCH = 2000


@dataclass(frozen=True, slots=True)
class Event:
    """One entry, with how it ended where it is a request. No `outcome`: it is still under way."""

    entry: Entry
    outcome: Entry | None = None


@dataclass(frozen=True, slots=True)
class Choice:
    """Which events: those before or after an entry's number, with refusals or not, by whom."""

    before: int = 0  # 0: from the newest on
    after: int = 0  # the oldest ones behind it; 0: no such bound
    refusals: bool = False
    by: str = ""  # the principal's id; empty for everybody
    limit: int = 20


EVERYTHING = Choice(refusals=True)


class History:
    """Reads the journal."""

    def __init__(self, store: Store, fleet: Fleet, journal: Journal, access: Access) -> None:
        self._store = store
        self._fleet = fleet
        self._journal = journal
        self._access = access

    async def of_bot(self, caller: Caller, bot: Bot, choice: Choice | None = None) -> list[Event]:
        """What happened to a bot, newest first."""
        await self._access.require(caller, BOT_HISTORY, bot)
        return await self._chosen(bot.id, choice or Choice())

    async def of_everything(self, caller: Caller, choice: Choice | None = None) -> list[Event]:
        """The same for all bots, also removed ones, and for what concerns no bot, as grants."""
        await self._access.require(caller, FLEET_HISTORY)
        return await self._chosen("", choice or Choice())

    async def of_request(self, caller: Caller, number: int) -> Event:
        """The request of that number, for whoever asked it or may read the history it is in.

        NotFound (`no-such-operation`) when there is none.
        """
        entry = await self._store.asked(seq=number)
        if entry is None or not _is_own(caller.principal, entry):
            view = self._fleet.get(entry.bot_id) if entry else None
            act = BOT_HISTORY if view or not entry else FLEET_HISTORY
            await self._access.require(caller, act, view.bot if view else None)
        if entry is None:
            raise NotFound("There is no such operation.", code="no-such-operation")
        outcomes = await self._store.outcomes([entry.seq])
        return Event(entry, outcomes.get(entry.seq))

    def may_see(self, principal: Principal, asked: Entry) -> bool:
        """Whether they may know of that request, by the same rule; no refusal is noted."""
        if _is_own(principal, asked):
            return True
        view = self._fleet.get(asked.bot_id)
        if view is not None:
            return self._access.may(principal, BOT_HISTORY, view.bot)
        return self._access.may(principal, FLEET_HISTORY)

    async def _chosen(self, bot_id: str, choice: Choice) -> list[Event]:
        if choice.refusals:
            await self._journal.write_refusals()
        return await events(self._store, bot_id, choice)


def _is_own(principal: Principal, entry: Entry) -> bool:
    """Whether they asked that; a token sees no more than what it is for."""
    by = entry.author.principal
    limit = principal.limit
    within = limit is None or limit.on(Target(entry.bot_id)) > Role.NONE
    return within and (principal.kind, principal.id) == (by.kind, by.id)


async def events(store: Store, bot_id: str = "", choice: Choice = EVERYTHING) -> list[Event]:
    """What happened to one bot, or to everything, newest first."""
    kinds = [kind for kind in SHOWN if choice.refusals or kind is not Kind.REFUSED]
    entries = await store.entries(
        bot_id,
        kinds,
        before=choice.before,
        after=choice.after,
        by=choice.by,
        limit=choice.limit,
    )
    asked = [entry.seq for entry in entries if entry.kind is Kind.ASKED]
    outcomes = await store.outcomes(asked)
    return [Event(entry, outcomes.get(entry.seq)) for entry in entries]


async def verify(store: Store, folder: Path, key: bytes, threads: Threads) -> chain.Checked:
    """Check the chain from the first entry to the newest, through the monthly files."""
    # The table first: what a controller beside us moves to a file meanwhile is then read twice.
    kept: list[tuple[Any, ...]] = []
    more = await store.chained(limit=BATCH)
    while more:
        kept += more
        more = await store.chained(after=more[-1][0], limit=BATCH)
    archived = await threads(lambda: list(archive.read(folder)))
    filed = {row[0]: row for row in archived}
    rows = [*archived, *(row for row in kept if filed.get(row[0]) != row)]
    return await threads(lambda: chain.check(key, rows))

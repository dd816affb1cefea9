"""What happened: the journal, read for people. The edges put it into words."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.domain.acts import BOT_HISTORY
from controller.domain.bot import Bot
from controller.domain.journal import Entry, Kind
from controller.fleet.journal import Caller
from controller.fleet.threads import Threads
from controller.manager.access import Access
from controller.store import Store, archive, chain

# What stands for itself. Wishes, settings and secrets belong to the request that made them.
SHOWN = (
    Kind.ASKED,
    Kind.REFUSED,
    Kind.CRASH,
    Kind.PROBLEM,
    Kind.RELOAD,
    Kind.UNCHECKED,
    Kind.BY_HAND,
    Kind.NEW_IMAGE,
    Kind.NOTED,
)
BATCH = 2000


@dataclass(frozen=True, slots=True)
class Event:
    """One entry, with how it ended where it is a request. No `outcome`: it is still under way."""

    entry: Entry
    outcome: Entry | None = None


class History:
    """Reads the journal."""

    def __init__(self, store: Store, access: Access) -> None:
        self._store = store
        self._access = access

    async def of_bot(
        self, caller: Caller, bot: Bot, *, before: int = 0, limit: int = 20
    ) -> list[Event]:
        """What happened to a bot, newest first; `before` is the number of the last entry shown."""
        await self._access.require(caller, BOT_HISTORY, bot)
        return await events(self._store, bot.id, before=before, limit=limit)


async def events(
    store: Store, bot_id: str = "", *, before: int = 0, limit: int = 20
) -> list[Event]:
    """What happened to one bot, or to everything, newest first."""
    entries = await store.entries(bot_id, SHOWN, before=before, limit=limit)
    asked = [entry.seq for entry in entries if entry.kind is Kind.ASKED]
    outcomes = await store.outcomes(asked)
    return [Event(entry, outcomes.get(entry.seq)) for entry in entries]


async def verify(store: Store, folder: Path, key: bytes, threads: Threads) -> chain.Checked:
    """Check the chain from the first entry to the newest, through the monthly files."""
    # The table first: what a controller beside us moves to a file meanwhile is then read twice.
    kept: list[tuple[Any, ...]] = []
    while more := await store.chained(after=kept[-1][0] if kept else 0, limit=BATCH):
        kept += more
    archived = await threads(lambda: list(archive.read(folder)))
    last = archived[-1][0] if archived else 0
    rows = [*archived, *(row for row in kept if row[0] > last)]
    return await threads(lambda: chain.check(key, rows))

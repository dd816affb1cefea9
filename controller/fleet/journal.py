"""Who asked for what and how it ended: written down before anything is done, and again after.

Changes of a bot's row write their own entries, in the same transaction (`wishes`). Here is what is
about a request as a whole, and what happens to old entries.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from controller.domain.access import Principal
from controller.domain.acts import Act
from controller.domain.bot import Bot
from controller.domain.errors import ControllerError
from controller.domain.journal import (
    BY_ITSELF,
    Author,
    Entry,
    Fact,
    Kind,
    Result,
    entry_of,
    failure,
)
from controller.fleet.refusals import Refusals
from controller.fleet.threads import Threads
from controller.store import Owed, Store, Transaction, archive, finish

log = logging.getLogger(__name__)
MONTHS_KEPT = 2  # whole months before the present one whose entries stay in the database
BATCH = 2000  # entries that go into a file at once


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks, and by which request.

    A request acts once, however often it is delivered. `reply_via` names the edge that can give its
    answer later, when it can't be given now; without it no answer is owed. `on_asked` is called
    with the number of the entry once it is written down that they asked.
    """

    principal: Principal
    request: str = ""
    reply_via: str = ""
    on_asked: Callable[[int], None] = field(default=lambda _: None, repr=False, compare=False)


@dataclass(slots=True)
class Deed:
    """A request that is being carried out: its author for the entries it makes, and its outcome."""

    author: Author
    result: Result = Result.DONE
    outcome: dict[str, Any] = field(default_factory=dict)

    def ended(self, **outcome: object) -> None:
        """Note how it ended, in data: codes, names, phases."""
        self.outcome.update(outcome)


class Journal:
    """Writes requests and their outcomes; moves what is old to monthly files."""

    def __init__(self, store: Store, folder: Path, threads: Threads) -> None:
        self._store = store
        self.folder = folder  # of the monthly files
        self._threads = threads
        self._refusals = Refusals()

    @contextlib.asynccontextmanager
    async def request(
        self,
        caller: Caller,
        act: Act,
        bot: Bot | None = None,
        detail: Mapping[str, Any] | None = None,
    ) -> AsyncIterator[Deed]:
        """Write the request down, let it be carried out, write down how it ended.

        Raises Conflict (`duplicate`) when this very request was already written down. What was
        written down gets its outcome, also when the caller is cancelled at any moment.
        """
        fact = Fact(Kind.ASKED, {"act": act.id, **(detail or {})})
        deed = Deed(Author(caller.principal, caller.request))
        written: list[Entry] = []

        async def begin() -> None:
            async with self._store.transaction() as write:
                asked = await write.append(entry_of(fact, time.time(), bot=bot, by=deed.author))
                if caller.request and caller.reply_via:
                    await write.owe(_owed(caller, act, asked))
            deed.author = replace(deed.author, cause=asked.seq)
            written.append(asked)
            caller.on_asked(asked.seq)

        try:
            await finish(begin())
            yield deed
        except ControllerError as error:
            deed.outcome = failure(error)
            raise
        except asyncio.CancelledError:
            deed.outcome = {"result": Result.CUT_SHORT.value}
            raise
        except Exception:  # a bug of ours ends a request as well; it is raised again
            deed.outcome = {"result": Result.FAILED.value}
            raise
        finally:
            outcome = {"result": deed.result.value, **deed.outcome}
            for asked in written:
                await finish(self._end(asked, outcome, deed.author))

    async def refused(
        self, caller: Caller, act: str, bot: Bot | None, code: str, message: str = ""
    ) -> None:
        """Write down a request that was not let through; repeated ones are counted (`refusals`)."""
        await self.write_refusals(every=False)
        fact = Fact(Kind.REFUSED, {"act": act, "code": code, "message": message})
        by = Author(caller.principal, caller.request)
        if not self._refusals.count(fact, bot, by):
            await self.note(fact, bot, by)

    async def write_refusals(self, *, every: bool = True) -> None:
        """Write down how often something was refused: all that was counted, or what is old."""
        for merged in self._refusals.take(every=every):
            await self.note(merged.summary(), merged.bot, merged.by)

    async def note(self, fact: Fact, bot: Bot | None, by: Author = BY_ITSELF) -> None:
        """Write down something that changes no row."""
        async with self._store.transaction() as write:
            await write.append(entry_of(fact, time.time(), bot=bot, by=by))

    async def end_open(self) -> int:
        """End the requests that a dead controller left open; how many. At the start only."""
        open_ones = await self._store.unended()
        for asked in open_ones:
            author = Author(asked.author.principal, asked.author.request, asked.seq)
            await self._end(asked, {"result": Result.CUT_SHORT.value}, author)
        return len(open_ones)

    async def _end(self, asked: Entry, outcome: Mapping[str, Any], by: Author) -> None:
        ended = Entry(
            at=time.time(),
            kind=Kind.OUTCOME,
            bot_id=asked.bot_id,
            bot_name=asked.bot_name,
            author=by,
            data={"act": asked.data.get("act", ""), **outcome},
        )
        async with self._store.transaction() as write:
            await write.append(ended)

    async def archive(self) -> int:
        """Move the entries of old months to compressed files; how many.

        The newest entry always stays: the next one is chained to it.
        """
        now = time.time()
        moved = 0
        while rows := _old(await self._store.chained(limit=BATCH), now):
            await self._threads(lambda rows=rows: archive.add(self.folder, rows))  # type: ignore[misc]
            async with self._store.transaction() as write:
                await write.drop_archived(rows[-1][0])
            moved += len(rows)
        return moved


def _old(rows: Sequence[tuple[Any, ...]], now: float) -> Sequence[tuple[Any, ...]]:
    """The entries at the beginning that are older than what is kept, never the last of all.

    One from the future was written while a clock was wrong: it goes when an old one follows it.
    Otherwise nothing behind it would ever leave the table.
    """
    limit = archive.months_before(now, MONTHS_KEPT)
    count = 0
    for number, row in enumerate(rows[:-1], 1):
        if limit <= row[1] <= now:
            break
        if row[1] < limit:
            count = number
    return rows[:count]


def _owed(caller: Caller, act: Act, asked: Entry) -> Owed:
    return Owed(
        request=caller.request,
        reply_via=caller.reply_via,
        recipient=caller.principal.id,
        act=act.id,
        bot_id=asked.bot_id,
        bot_name=asked.bot_name,
        asked_at=asked.at,
    )


async def append_all(
    write: Transaction, facts: Sequence[Fact], bot: Bot | None, by: Author = BY_ITSELF
) -> None:
    """Write these facts about a bot down, in a transaction that is under way."""
    for fact in facts:
        await write.append(entry_of(fact, time.time(), bot=bot, by=by))

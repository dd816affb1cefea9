"""What changes, for all who watch: bots, the engine, requests. Each watcher has a set of what it
has to look at again, not a queue: whoever is slow sees the latest state.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
import secrets
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass

from controller.domain.errors import ControllerError
from controller.domain.journal import Entry, Kind
from controller.fleet.views import Fleet
from controller.manager.access import Access
from controller.manager.history import Event
from controller.store import Store

log = logging.getLogger(__name__)
REQUESTS = (Kind.ASKED, Kind.OUTCOME)
REPLAYED_MOST = 500  # entries; whoever was away for longer begins anew
REMEMBERED_MOST = 5000  # bots whose last change is known, those that are gone among them
_PLACE = re.compile(r"([0-9a-f]{8})-(\d{1,15})\.(\d{1,15})", re.ASCII)


@dataclass(frozen=True, slots=True)
class FeedPlace:
    """How far somebody has seen: of the journal, and of the changes since this start."""

    boot: str
    seq: int  # the journal's number, which goes on across starts
    change: int

    def __str__(self) -> str:
        return f"{self.boot}-{self.seq}.{self.change}"


def feed_place_of(text: str) -> FeedPlace | None:
    """The place that was written down so; None for anything else."""
    found = _PLACE.fullmatch(text)
    return FeedPlace(found[1], int(found[2]), int(found[3])) if found else None


@dataclass(frozen=True, eq=False)
class Told:
    """A request that was written down, or its end."""

    seq: int  # of the entry
    event: Event


class FeedWatch:
    """What one watcher has yet to see."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self.bots: set[str] = set()
        self.engine = False
        self.anew = False  # too much was missed: begin with a snapshot
        self.requests: deque[Told] = deque()

    def note_bot(self, bot_id: str) -> None:
        """That bot changed."""
        self.bots.add(bot_id)
        self._wake()

    def note_engine(self) -> None:
        """The engine went or came back."""
        self.engine = True
        self._wake()

    def note_request(self, told: Told) -> None:
        """Something was asked for, or has ended."""
        self.requests.append(told)
        if len(self.requests) > REPLAYED_MOST:
            self.requests.clear()
            self.anew = True
        self._wake()


class Feed:
    """Hears of every change once, and tells all who watch."""

    def __init__(self, fleet: Fleet, store: Store, access: Access) -> None:
        self._fleet = fleet
        self._access = access
        self._store = store
        self._boot = secrets.token_hex(4)
        self._count = 0
        self._changes: OrderedDict[str, int] = OrderedDict()  # the last change of each bot
        self._forgotten = 0  # changes up to this one may not be known any more
        self._seq = 0  # entries up to this one were told
        self._watches: set[FeedWatch] = set()
        self._listening = contextlib.ExitStack()
        self._telling: asyncio.Task[None] | None = None
        self._more = False  # whether the journal may have entries that weren't told
        self._opening = asyncio.Lock()

    async def load(self) -> None:
        """Listen from now on."""
        self._seq = await self._store.newest()
        self._listening.enter_context(self._fleet.listening(self._note_bot))
        self._listening.enter_context(self._fleet.hearing_engine(self._note_engine))
        self._listening.enter_context(self._store.listening(self._note_entry))
        self._listening.enter_context(self._access.listening(self._note_rights))

    async def close(self) -> None:
        """Listen no longer."""
        self._listening.close()
        if self._telling is not None:
            self._telling.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._telling

    @property
    def place(self) -> FeedPlace:
        """How far those have seen who have taken everything."""
        return FeedPlace(self._boot, self._seq, self._count)

    @property
    def watchers(self) -> int:
        """How many watch."""
        return len(self._watches)

    def change_of(self, bot_id: str) -> int:
        """The number of the bot's last change."""
        return self._changes.get(bot_id, 0)

    @contextlib.asynccontextmanager
    async def watching(self, watch: FeedWatch) -> AsyncIterator[None]:
        """Tell this watcher too, while the block runs."""
        async with self._opening:
            if not self._watches:
                await self._skip()
            self._watches.add(watch)
        self._tell_soon()
        try:
            yield
        finally:
            self._watches.discard(watch)

    async def resume(self, watch: FeedWatch, place: FeedPlace | None) -> bool:
        """Give a watcher what came behind that place; whether its bots can go on from there.

        Requests go on across starts; where too many were missed, `watch.anew` says so.
        """
        if place is None or place.seq > self._seq:
            return False
        entries = await self._store.entries(
            kinds=REQUESTS, after=place.seq, limit=REPLAYED_MOST + 1
        )
        if len(entries) > REPLAYED_MOST:
            return False
        missed = await self._requests(entries[::-1])
        known = {told.seq for told in watch.requests}
        watch.requests.extendleft(t for t in reversed(missed) if t.seq not in known)
        if place.boot != self._boot or not self._forgotten <= place.change <= self._count:
            return False
        watch.bots.update(
            bot_id for bot_id, change in self._changes.items() if change > place.change
        )
        watch.engine = True
        return True

    async def _requests(self, entries: Sequence[Entry]) -> list[Told]:
        """The entries as requests: under way, or with their outcome."""
        asked = {entry.seq: entry for entry in entries if entry.kind is Kind.ASKED}
        found = []
        for entry in entries:
            if entry.kind is Kind.ASKED:
                found.append(Told(entry.seq, Event(entry)))
                continue
            cause = entry.author.cause
            known = asked.get(cause) or await self._store.asked(seq=cause)
            if known is not None:
                found.append(Told(entry.seq, Event(known, entry)))
        return found

    def _note_bot(self, bot_id: str) -> None:
        self._count += 1
        self._changes[bot_id] = self._count
        self._changes.move_to_end(bot_id)
        if len(self._changes) > REMEMBERED_MOST:
            _, self._forgotten = self._changes.popitem(last=False)
        for watch in tuple(self._watches):
            watch.note_bot(bot_id)

    def _note_engine(self) -> None:
        for watch in tuple(self._watches):
            watch.note_engine()

    def _note_rights(self) -> None:
        """Who sees what has changed: nobody can go on from before it without a snapshot."""
        self._count += 1
        self._forgotten = self._count
        for watch in tuple(self._watches):
            for view in self._fleet:
                watch.note_bot(view.bot.id)

    async def _skip(self) -> None:
        """Nobody watched for a while: what the journal got meanwhile is told to nobody."""
        if self._telling is not None:
            await asyncio.wait({self._telling})
        self._more = False
        self._seq = await self._store.newest()

    def _note_entry(self) -> None:
        self._more = True
        self._tell_soon()

    def _tell_soon(self) -> None:
        idle = self._telling is None or self._telling.done()
        if self._more and self._watches and idle:
            self._telling = asyncio.create_task(self._tell(), name="feed")

    async def _tell(self) -> None:
        """Read what is new in the journal, once for all who watch."""
        while self._more:
            self._more = False
            try:
                entries = await self._store.entries(kinds=REQUESTS, after=self._seq, limit=200)
                for told in await self._requests(entries[::-1]):
                    for watch in tuple(self._watches):
                        watch.note_request(told)
            except ControllerError as error:  # the next entry tells of these too
                log.warning("the journal can't be read for those who watch: %s", error)
                return
            if entries:
                self._seq = entries[0].seq
                self._more = True

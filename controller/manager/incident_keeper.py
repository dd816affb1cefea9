"""Keeps the incidents: looks at what changed, and writes down what follows from it.

Something that happened comes from the journal, behind a cursor that moves in the same transaction;
what lasts comes from the views. So an end of the controller repeats nothing and loses nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from functools import partial

from controller.domain import journal as facts
from controller.domain.backup_times import Backed
from controller.domain.bot import Bot
from controller.domain.errors import ControllerError
from controller.domain.incident import (
    BACKUP,
    CHANGES_MOST,
    DISK,
    ENGINE,
    SECRETS,
    Change,
    Condition,
    Details,
    Incident,
    Look,
    News,
    Pace,
    Trouble,
    advance,
    due_in,
    is_of_a_crash,
    look_at,
    with_tail,
)
from controller.domain.incident_changes import CHANGING, change_of
from controller.domain.journal import Entry, Kind
from controller.fleet.journal import append_all
from controller.fleet.views import Fleet, View
from controller.store import Store, Transaction

log = logging.getLogger(__name__)
CURSOR = "incidents"
NEWS_MOST = 500  # entries of the journal in one pass
_NEWS = (Kind.CRASH, Kind.BY_HAND)
_NO_BOTS = {ENGINE, DISK, SECRETS, BACKUP}
_UNHARMED = {"renamed"}  # by hand, and the bot ran on


@dataclass(frozen=True, slots=True, kw_only=True)
class KeeperTools:
    """What the keeper works with."""

    store: Store
    fleet: Fleet
    memory: Callable[[Bot], int]  # a bot's limit in bytes
    tail: Callable[[Bot], Awaitable[tuple[str, ...]]]  # the last lines of a bot's log, redacted
    backup: Callable[[], Backed]
    hearing_backup: Callable[[Callable[[], None]], AbstractContextManager[None]]
    clock: Callable[[], float]
    pace: Pace = field(default_factory=Pace)


@dataclass(frozen=True, slots=True)
class _Next:
    """What becomes of one subject."""

    before: Incident | None
    after: Incident
    bot: Bot | None


class IncidentKeeper:
    """The one writer of incidents."""

    def __init__(self, tools: KeeperTools) -> None:
        self._tools = tools
        self._store, self._fleet = tools.store, tools.fleet
        self._open: dict[str, Incident] = {}  # by subject
        self._dirty: set[str] = set()
        self._changed = asyncio.Event()
        self._writing = asyncio.Lock()
        self._listeners: set[Callable[[int], None]] = set()
        self._cursor = 0
        self._was_away = False
        self._checks: dict[str, Look] = {}  # of what is looked at from time to time

    @property
    def pace(self) -> Pace:
        """How patient incidents are."""
        return self._tools.pace

    async def load(self) -> None:
        """Read what is open, and how far the journal was read."""
        self._open = {one.subject: one for one in await self._store.incidents.open_ones()}
        kept = await self._store.recall(CURSOR)
        self._cursor = int(kept) if kept.isdecimal() else await self._store.newest()

    @property
    def open_ones(self) -> list[Incident]:
        """Those that aren't over, oldest first."""
        return sorted(self._open.values(), key=lambda one: one.id)

    async def get(self, number: int) -> Incident | None:
        """The incident of that number as it is now."""
        found = next((one for one in self._open.values() if one.id == number), None)
        return found or await self._store.incidents.get(number)

    @contextlib.contextmanager
    def hearing(self, listener: Callable[[int], None]) -> Iterator[None]:
        """Call `listener(number)` when an incident changed, while the block runs."""
        self._listeners.add(listener)
        try:
            yield
        finally:
            self._listeners.discard(listener)

    # What has to be looked at

    async def run(self) -> None:
        """Keep them until cancelled."""
        tools = self._tools
        with (
            self._fleet.listening(self._note),
            self._fleet.hearing_engine(self._note_engine),
            tools.hearing_backup(lambda: self._wake(BACKUP)),
        ):
            for subject in (*self._open, ENGINE, BACKUP, *(view.bot.id for view in self._fleet)):
                self._wake(subject)
            while True:
                await self._wait()
                try:
                    await self._pass()
                except ControllerError as error:
                    log.warning("incidents can't be written down: %s", error)
                    await asyncio.sleep(tools.pace.trouble)
                    self._changed.set()
                await asyncio.sleep(tools.pace.batch)

    def check(self, subject: str, look: Look) -> None:
        """How something is that is no bot, and of which nothing else tells."""
        before = self._checks.get(subject)
        self._checks[subject] = look
        if look != before and (look.trouble is not None or subject in self._open):
            self._wake(subject)

    def _note(self, bot_id: str) -> None:
        """A bot changed. Of one that is well and always was, nothing has to be looked at."""
        view = self._fleet.get(bot_id)
        if bot_id in self._open or (view is not None and _is_suspicious(view)):
            self._wake(bot_id)

    def _note_engine(self) -> None:
        self._was_away = self._was_away or self._fleet.engine.away
        self._wake(ENGINE)

    def _wake(self, subject: str) -> None:
        self._dirty.add(subject)
        self._changed.set()

    async def _wait(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._next_due()):
                await self._changed.wait()
        self._changed.clear()

    def _next_due(self) -> float | None:
        now, pace = self._tools.clock(), self._tools.pace
        due = [due_in(one, now, self._steady(one.subject)) for one in self._open.values()]
        if self._dirty - _NO_BOTS:
            due.append(self._bots_wait(now) or None)
        engine = self._fleet.engine
        if engine.away and ENGINE not in self._open:
            due.append(max(0.0, engine.since + pace.patience - now))
        return min((seconds for seconds in due if seconds is not None), default=None)

    def _bots_wait(self, now: float) -> float:
        """Seconds for which no bot is judged: what is wrong with it may be the engine's doing."""
        engine, pace = self._fleet.engine, self._tools.pace
        if engine.away or not engine.since:
            return 3600.0  # its return wakes us
        return max(0.0, engine.since + pace.grace - now) if self._was_away else 0.0

    def _steady(self, subject: str) -> float:
        return self._tools.pace.steady if self._fleet.get(subject) else 0.0

    # One pass

    async def _pass(self) -> None:
        now = self._tools.clock()
        due = {
            one.subject
            for one in self._open.values()
            if due_in(one, now, self._steady(one.subject)) == 0.0
        }
        subjects = self._dirty | due
        if self._fleet.engine.away:
            subjects.add(ENGINE)
        wait = bool(self._bots_wait(now))
        here = {one for one in subjects if not wait or one in _NO_BOTS}
        self._dirty -= here
        try:
            told = await self._take(here, now, bots=not wait)
        except BaseException:
            self._dirty |= here
            raise
        await self._add_tails(told)
        if not wait:
            self._was_away = False

    async def _take(self, subjects: set[str], now: float, *, bots: bool) -> list[Incident]:
        async with self._writing:
            entries = await self._news() if bots and self._may_have_news(subjects) else []
            news = _by_bot(entries)
            found = [
                one
                for subject in sorted(subjects | news.keys())
                if (one := await self._next(subject, news.get(subject, ()), now)) is not None
            ]
            cursor = max((entry.seq for entry in entries), default=self._cursor)
            return await self._save(found, cursor)

    def _may_have_news(self, subjects: Iterable[str]) -> bool:
        views = (self._fleet.get(subject) for subject in subjects)
        return any(view is not None and (view.crashes or view.by_hand) for view in views)

    async def _news(self) -> list[Entry]:
        found = await self._store.entries(kinds=_NEWS, after=self._cursor, limit=NEWS_MOST)
        if len(found) == NEWS_MOST:
            self._changed.set()
        return found[::-1]

    async def _next(self, subject: str, news: Sequence[News], now: float) -> _Next | None:
        view = self._fleet.get(subject)
        look = self._look(subject, view, tuple(news))
        if look is None:
            return None
        known = self._open.get(subject)
        if known is None and (look.trouble or look.news):
            known = await self._store.incidents.last_of(subject)
        after = advance(known, look, now, self._tools.pace, steady=self._steady(subject))
        if after is None or after == known:
            return None
        bot = view.bot if view else None
        if not after.subject:
            after = replace(after, subject=subject)
        if bot is not None:
            after = replace(after, bot_id=bot.id, bot_name=bot.name)
            began = known is None or known.id != after.id or (known.is_over and not after.is_over)
            if began:
                after = replace(after, changes=await self._changes(bot.id, now))
        return _Next(known if known and known.id == after.id else None, after, bot)

    async def _save(self, found: Sequence[_Next], cursor: int) -> list[Incident]:
        """Write it down, with its entries in the journal, and tell of it."""
        if not found and cursor == self._cursor:
            return []
        saved = []
        async with self._store.transaction() as write:
            for one in found:
                saved.append(await self._save_one(write, one))
            if cursor != self._cursor:
                await write.remember(CURSOR, str(cursor))
        self._cursor = cursor
        for incident in saved:
            self._show(incident)
        return saved

    async def _save_one(self, write: Transaction, one: _Next) -> Incident:
        saved = await write.incidents.save(one.after)
        was_open = one.before is not None and not one.before.is_over
        if not was_open and not saved.is_over:
            again = one.before is not None
            await append_all(write, [facts.incident(saved, again=again)], one.bot)
        elif was_open and saved.is_over:
            await append_all(write, [facts.incident_over(saved)], one.bot)
        return saved

    def _show(self, incident: Incident) -> None:
        if incident.is_over:
            self._open.pop(incident.subject, None)
        else:
            self._open[incident.subject] = incident
        for listener in tuple(self._listeners):
            listener(incident.id)

    async def _add_tails(self, told: Sequence[Incident]) -> None:
        """The last lines of the logs, where they aren't known: after the incident was told."""
        for incident in told:
            view = self._fleet.get(incident.bot_id)
            if view is not None and not incident.is_over and not incident.details.tail:
                tail = await self._tools.tail(view.bot) or view.tail
                await self.change(incident.id, partial(with_tail, tail=tail))

    # Changes by others

    async def change(
        self,
        number: int,
        edit: Callable[[Incident], Incident],
        also: Callable[[Transaction], Awaitable[object]] | None = None,
    ) -> Incident | None:
        """Apply a pure edit to an incident as it is now; None if there is none of that number.

        `also` writes more in the same transaction.
        """
        async with self._writing:
            known = await self.get(number)
            if known is None:
                return None
            after = edit(known)
            if after == known and also is None:
                return known
            async with self._store.transaction() as write:
                await write.incidents.save(after)
                if also is not None:
                    await also(write)
            if after.version != known.version:
                self._show(after)
            elif not after.is_over:
                self._open[after.subject] = after
            return after

    def _look(self, subject: str, view: View | None, news: tuple[News, ...]) -> Look | None:
        if subject == ENGINE:
            return self._look_at_engine()
        if subject == BACKUP:
            state = self._tools.backup()
            return _lasting(Trouble.BACKUP, state.bad, Details(cause=state.why))
        if subject in {DISK, SECRETS}:
            return self._checks.get(subject)
        if view is None:
            return Look(condition=Condition.GONE)
        if not view.seen:
            return None  # its first look wakes us
        memory = self._tools.memory(view.bot)
        found = look_at(view.bot, view.world, view.phase, view.held_up, memory)
        crash = view.last_crash
        if crash is not None and is_of_a_crash(found) and not news:
            ended = replace(
                found.details, exit_code=crash.exit_code, oom_killed=crash.oom_killed, ended=True
            )
            found = replace(found, details=ended)
        return replace(found, news=news, details=replace(found.details, memory=memory))

    def _look_at_engine(self) -> Look | None:
        engine, pace = self._fleet.engine, self._tools.pace
        if engine.away and self._tools.clock() < engine.since + pace.patience:
            return None
        bots = sum(view.bot.wish.value == "run" for view in self._fleet)
        return _lasting(Trouble.ENGINE, engine.away, Details(cause=engine.reason, bots=bots))

    async def _changes(self, bot_id: str, now: float) -> tuple[Change, ...]:
        found = await self._store.entries(bot_id, CHANGING, limit=CHANGES_MOST)
        return tuple(change_of(one) for one in found if now - one.at < self._tools.pace.before)


def _is_suspicious(view: View) -> bool:
    """Whether something may be wrong with a bot, or was a short while ago."""
    return bool(view.phase.bad or view.held_up or view.crashes or view.by_hand)


def _lasting(trouble: Trouble, ill: bool, details: Details) -> Look:
    if not ill:
        return Look(condition=Condition.WELL)
    return Look(condition=Condition.ILL, trouble=trouble, details=details)


def _by_bot(entries: Sequence[Entry]) -> dict[str, list[News]]:
    found: dict[str, list[News]] = defaultdict(list)
    for entry in entries:
        data = entry.data
        if entry.kind is Kind.CRASH:
            code, oom = data.get("exit_code"), bool(data.get("oom_killed"))
            one = News(at=entry.at, trouble=Trouble.CRASHED, exit_code=code, oom_killed=oom)
            found[entry.bot_id].append(one)
        elif data.get("what") not in _UNHARMED:
            what = str(data.get("what", ""))
            found[entry.bot_id].append(News(at=entry.at, trouble=Trouble.BY_HAND, what=what))
    return found

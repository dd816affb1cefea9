"""One reading of a bot's log, across its runs: redacted lines with their places, as they come."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import cached_property

from controller.domain.errors import ControllerError, NotFound
from controller.domain.events import LogBatch, LogLine, LogQuery
from controller.domain.log_place import RUN_LENGTH, Numbering, Place
from controller.domain.observation import Observation
from controller.fleet.threads import Threads
from controller.fleet.views import Fleet, View
from controller.runtime import LogStream, Runtime
from controller.vault import CONTEXT_LINES, HeldBack, Redactor

log = logging.getLogger(__name__)
GATHER_SECONDS = 0.03  # lines that come within this time are redacted together
QUIET_SECONDS = 0.25  # without a line after which those that are held back are shown
AGAIN_SECONDS = 2.0  # until a log is asked for again that ended while the bot's program runs
ORDER_SECONDS = 1.0  # by which lines may be out of order: the two pipes take turns


@dataclass(frozen=True, eq=False)
class Lines:
    """Lines, redacted, oldest first, and the place of each."""

    places: tuple[Place, ...]
    lines: tuple[LogLine, ...]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.lines)

    @cached_property
    def size(self) -> int:
        """About what they take where they wait, in bytes."""
        return sum(len(line.text) + 160 for line in self.lines)

    def behind(self, place: Place) -> Lines | None:
        """Those behind that place; None where it isn't one of these."""
        for index, one in enumerate(self.places, 1):
            if one.key == place.key:
                return Lines(self.places[index:], self.lines[index:])
        return None

    def since(self, oldest: float) -> Lines | None:
        """Those that aren't older; None where all are."""
        kept = [pair for pair in zip(self.places, self.lines, strict=True) if pair[1].at >= oldest]
        return Lines(tuple(p for p, _ in kept), tuple(one for _, one in kept)) if kept else None


@dataclass(frozen=True, eq=False)
class Gap:
    """Lines are missing here: so many, or nobody knows how many (None)."""

    dropped: int | None
    count = 0
    size = 40


@dataclass(frozen=True, eq=False)
class RunBegan:
    """What follows is of another run of the bot's program."""

    run: str  # the beginning of the container's id
    started: float  # seconds since the epoch, by the engine
    count = 0
    size = 80


Said = Lines | Gap | RunBegan


@dataclass(frozen=True, slots=True)
class ReadingTools:
    """What a reading works with."""

    runtime: Runtime
    redactor: Redactor
    threads: Threads
    fleet: Fleet


@dataclass(frozen=True, slots=True)
class _Placed:
    """A line as it is in the log, not redacted yet."""

    place: Place
    line: LogLine
    shown: bool


class LogReader:
    """Reads one bot's log from a place on, or its last lines, and says what comes."""

    def __init__(
        self,
        tools: ReadingTools,
        bot_id: str,
        say: Callable[[Said], None],
        *,
        start: Place | None = None,
        lines: int = 1,
        ready: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.looked = asyncio.Event()  # it's known what the log held at the beginning:
        self.first: list[float] = []  # the times of its last lines then, as many as are wanted
        self.begun = asyncio.Event()  # those were said
        self._ready = ready  # waited for before more is read
        self._tools = tools
        self._bot_id = bot_id
        self._say = say
        self._start = start  # nothing up to this place is shown
        self._lines = lines
        self._held = HeldBack(tools.redactor)
        self._marks: deque[tuple[Place, bool]] = deque()  # of the lines that are held back
        self._numbering = Numbering()
        self._last: Place | None = None  # of the last line that was read
        self._shown_from = 0.0
        self._run: tuple[str, str] | None = None  # container and beginning of what is read

    async def run(self) -> None:
        """Say what the log says. Ends when the bot is gone."""
        if _container(self._tools.fleet.get(self._bot_id)) is None:
            self.looked.set()
            self.begun.set()
        while True:
            seen = await self._next_run(self._run)
            if seen is None:
                return
            now = (seen.container_id, seen.started_at)
            self._tell_run(seen, self._run, now)
            self._run = now
            try:
                since = await self._beginning(seen)
                async with aclosing(self._tools.runtime.follow(self._bot_id, since)) as stream:
                    await self._read(stream)
            except ControllerError as error:  # the next look shows what became of it
                level = logging.DEBUG if isinstance(error, NotFound) else logging.INFO
                log.log(level, "a log that is followed broke off: %s", error)
            await self._show([], quiet=True)

    def _tell_run(
        self, seen: Observation, before: tuple[str, str] | None, now: tuple[str, str]
    ) -> None:
        away = self._start is not None and self._start.run != seen.container_id[:RUN_LENGTH]
        if before is None and away:
            self._say(Gap(None))  # what the former container's log held is gone with it
        if before not in (None, now) or (before is None and away):
            self._say(RunBegan(seen.container_id[:RUN_LENGTH], seen.started))

    async def _next_run(self, run: tuple[str, str] | None) -> Observation | None:
        """The bot's container once it has another run than that; or the same, after a while."""

        def other(view: View | None) -> bool:
            seen = _container(view)
            return view is None or (
                seen is not None
                and bool(seen.started_at)
                and (seen.container_id, seen.started_at) != run
            )

        while True:
            view = await self._tools.fleet.wait_for(self._bot_id, other, AGAIN_SECONDS)
            if view is None:
                return None
            seen = _container(view)
            if seen is not None and (other(view) or seen.state.active):
                return seen

    async def _beginning(self, seen: Observation) -> float:
        """From when on to read: early enough to know what the first lines continue."""
        floor, run = self._floor(), seen.container_id[:RUN_LENGTH]
        if self._last is not None and self._last.run == run:
            self._start = self._last
            return self._last.at - ORDER_SECONDS
        place = self._start
        if self._last is not None or (place is not None and place.run != run):
            self._start, self._shown_from = None, 0.0
            return floor  # another container: all of its log is news
        if place is not None:
            query = LogQuery(lines=CONTEXT_LINES, until=place.at, since=floor)
        else:
            query = LogQuery(lines=CONTEXT_LINES + self._lines, since=floor)
        part = await self._tools.runtime.logs(self._bot_id, query)
        if place is None:
            self.first = [line.at for line in part[-self._lines :]]
            self._shown_from = self.first[0] if self.first else 0.0
        self.looked.set()
        oldest = part[0].at if part else floor
        return oldest if place is None else min(oldest or place.at, place.at - ORDER_SECONDS)

    def _floor(self) -> float:
        view = self._tools.fleet.get(self._bot_id)
        return view.bot.run.log_floor if view else 0.0

    async def _read(self, stream: LogStream) -> None:
        """Say what one stream says, until it ends."""
        begun, self._start = Beginning(self._start), None
        self._numbering = Numbering()  # a stream begins with all lines of a moment
        try:
            await self._read_from(begun, stream)
        finally:
            if begun.start is not None:  # it broke off before it was there
                self._start, self._last = begun.start, None

    async def _read_from(self, begun: Beginning, stream: LogStream) -> None:
        ended = busy = False
        while not ended:
            batch, ended = await self._next(stream, waiting=begun.undecided)
            if batch is not None and batch.dropped:
                await self._show([], quiet=True)
                self._held.cut()
                self._say(Gap(batch.dropped))
            lines = begun.decided(self._placed(batch) if batch else [], final=batch is None)
            if begun.missed:
                begun.missed = False
                self._say(Gap(None))
            await self._show_by_run(lines, quiet=batch is None)
            if batch is None or busy:
                self.begun.set()
            busy = True
            if not ended:
                await asyncio.sleep(GATHER_SECONDS)
            if self._ready is not None:
                await self._ready()

    async def _next(self, stream: LogStream, *, waiting: bool) -> tuple[LogBatch | None, bool]:
        """The next lines, or none where the log is quiet; and whether it has ended."""
        due = waiting or self._held.holds or not self.begun.is_set()
        try:
            async with asyncio.timeout(QUIET_SECONDS if due else None):
                return await anext(stream), False
        except TimeoutError:
            return None, False
        except StopAsyncIteration:
            return None, True

    def _placed(self, batch: LogBatch) -> list[_Placed]:
        from_then = max(self._floor(), self._shown_from)
        found = []
        for line in batch.lines:
            self._last = self._numbering.place(batch.container, line.at)
            found.append(_Placed(self._last, line, line.at >= from_then))
        return found

    async def _show_by_run(self, fresh: list[_Placed], *, quiet: bool) -> None:
        """Show lines; where another run began within them, say so there.

        A stream can outlive its run: the engine goes on with a program that is back within a
        moment, and a stream that was opened anew may be ahead of the last look.
        """
        seen = _container(self._tools.fleet.get(self._bot_id))
        run = self._run
        if seen and run and seen.container_id == run[0] and seen.started_at not in ("", run[1]):
            later = [one for one in fresh if one.line.at >= seen.started]
            if later:
                await self._show([one for one in fresh if one not in later], quiet=True)
                self._tell_run(seen, run, (seen.container_id, seen.started_at))
                self._run, fresh = (seen.container_id, seen.started_at), later
        await self._show(fresh, quiet=quiet)

    async def _show(self, fresh: Sequence[_Placed], *, quiet: bool) -> None:
        """Say which lines can be shown by now."""
        if not fresh and not self._held.holds:
            return
        self._marks.extend((one.place, one.shown) for one in fresh)
        lines = [one.line for one in fresh]
        redacted = await self._tools.threads(lambda: self._held.take(lines, quiet=quiet))
        marked = [(*self._marks.popleft(), line) for line in redacted]
        shown = [(place, line) for place, is_shown, line in marked if is_shown]
        if shown:
            self._say(Lines(tuple(one[0] for one in shown), tuple(one[1] for one in shown)))


@dataclass
class Beginning:
    """Finds the place behind which lines are shown. Until then it keeps them."""

    start: Place | None
    missed: bool = False  # whether lines are missing before the first one that is shown
    _kept: list[_Placed] = field(default_factory=list)

    @property
    def undecided(self) -> bool:
        """Whether lines are kept."""
        return bool(self._kept)

    def decided(self, fresh: list[_Placed], *, final: bool) -> list[_Placed]:
        """Lines of which it's known whether they are shown. `final`: no more come for now."""
        if self.start is None:
            return fresh
        self._kept += fresh
        place = self.start
        for index, one in enumerate(self._kept):
            if one.place.key == place.key:
                return self._end(index + 1)
        late = any(one.place.at > place.at + ORDER_SECONDS for one in self._kept)
        if not late and not (final and self._kept):
            return []
        # It isn't in the log any more: what is newer is shown.
        self.missed = True
        self._kept.sort(key=lambda one: one.place.at > place.at)
        return self._end(sum(one.place.at <= place.at for one in self._kept))

    def _end(self, hidden: int) -> list[_Placed]:
        kept, self._kept, self.start = self._kept, [], None
        return [_Placed(one.place, one.line, shown=False) for one in kept[:hidden]] + kept[hidden:]


def _container(view: View | None) -> Observation | None:
    return view.world.container if view is not None and view.seen else None

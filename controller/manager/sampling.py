"""Measures all bots that run, again and again, beside everything else: one sampler for all.

What it keeps in memory is small: of each bot the last reading, and the figures of the last minutes.
Longer whiles are points in the database.
"""

from __future__ import annotations

import asyncio
import logging
import time
from array import array
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TypeVar

from controller.domain.errors import ControllerError
from controller.domain.events import LogQuery
from controller.domain.observation import ContainerState
from controller.domain.usage import (
    COARSE,
    FINE,
    Counters,
    Figures,
    Point,
    between,
    floods,
    point_of,
)
from controller.fleet.views import Fleet
from controller.runtime import Runtime
from controller.store import Store

T = TypeVar("T")
log = logging.getLogger(__name__)
EVERY = 15.0  # seconds from one measurement to the next
KEPT = FINE // int(EVERY)  # figures of each bot: those of one fine point
BUSY = 0.02  # cores; who uses less can't flood a log
LOGS_MOST = 20  # logs that are looked at with each measurement, of the busiest bots
LOG_LINES = 200  # of each
TOGETHER = 100  # bots that are worked on before others get their turn
WRITTEN_TOGETHER = 25  # bots whose points are one transaction: nobody else reads meanwhile
_FIELDS = 9  # of a kept row: when, and the figures
_NONE = -1.0


class Track:
    """What is kept of one bot: a kilobyte."""

    __slots__ = ("_last", "_next", "_rows", "run")

    def __init__(self, run: str) -> None:
        self.run = run  # whose counters these are
        self._last = array("d")
        self._rows = array("f")
        self._next = 0

    def last(self) -> Counters | None:
        """The last reading."""
        if not self._last:
            return None
        at, cpu, memory, limit, *rest = self._last
        received, sent, read, written = (None if one < 0 else int(one) for one in rest)
        return Counters(
            at=at,
            cpu=cpu,
            memory=int(memory),
            limit=int(limit),
            received=received,
            sent=sent,
            read=read,
            written=written,
        )

    def note(self, now: Counters) -> None:
        """Keep a reading."""
        optional = (now.received, now.sent, now.read, now.written)
        rest = [_NONE if one is None else float(one) for one in optional]
        self._last = array("d", [now.at, now.cpu, float(now.memory), float(now.limit), *rest])

    def add(self, since: float, one: Figures) -> None:
        """Keep figures; the oldest give way. `since` is when, in seconds of the sampler's life."""
        row = array(
            "f",
            [
                *(since, one.cpu, one.memory, one.limit, one.received, one.sent),
                *(one.read, one.written, one.lines),
            ],
        )
        if len(self._rows) < KEPT * _FIELDS:
            self._rows.extend(row)
        else:
            self._rows[self._next * _FIELDS : (self._next + 1) * _FIELDS] = row
        self._next = (self._next + 1) % KEPT

    def rows(self) -> Iterator[tuple[float, Figures]]:
        """All that is kept, oldest first."""
        count = len(self._rows) // _FIELDS
        first = self._next if count == KEPT else 0
        for step in range(count):
            yield self._row((first + step) % count)

    def newest(self) -> tuple[float, Figures] | None:
        """The figures that came last."""
        return self._row((self._next - 1) % KEPT) if self._rows else None

    def point(self, at: int, oldest: float) -> Point | None:
        """The figures since then as one point. Quick: a thousand bots are summed up at once."""
        times = self._rows[::_FIELDS]
        fresh = [number for number, time_ in enumerate(times) if time_ >= oldest]
        if not fresh:
            return None

        def column(field: int) -> list[float]:
            values = self._rows[field::_FIELDS]
            return [values[number] for number in fresh]

        def rate(*fields: int) -> float:
            return sum(max(0.0, one) for field in fields for one in column(field)) / len(fresh)

        cpu, memory = column(1), column(2)
        return Point(
            at=at,
            cpu=sum(cpu) / len(fresh),
            cpu_most=max(cpu),
            memory=sum(memory) / len(fresh),
            memory_most=max(memory),
            network=rate(4, 5),
            disk=rate(6, 7),
        )

    def _row(self, number: int) -> tuple[float, Figures]:
        start = number * _FIELDS
        at, cpu, memory, limit, received, sent, read, written, lines = self._rows[
            start : start + _FIELDS
        ]
        return at, Figures(
            cpu=cpu,
            memory=memory,
            limit=limit,
            received=received,
            sent=sent,
            read=read,
            written=written,
            lines=lines,
        )


class Sampler:
    """Keeps the figures. A failure of the engine only makes them older."""

    def __init__(self, runtime: Runtime, fleet: Fleet, store: Store) -> None:
        self._runtime = runtime
        self._fleet = fleet
        self._store = store
        self._began = time.perf_counter()
        self._tracks: dict[str, Track] = {}
        self._fine = int(time.time()) // FINE
        self.took = 0.0  # seconds that the last measurement took

    async def run(self) -> None:
        """Measure until cancelled."""
        while True:
            began = time.perf_counter()
            try:
                await self.sample()
                await self._keep(time.time())
            except ControllerError as error:
                log.info("what bots use can't be measured now: %s", error)
            self.took = time.perf_counter() - began
            # An engine that takes its time for each container isn't asked all the time.
            await asyncio.sleep(max(EVERY - self.took, self.took))

    async def sample(self) -> None:
        """Measure once all bots whose program runs."""
        running = self._running()
        for bot_id in [one for one in self._tracks if one not in running]:
            del self._tracks[bot_id]
            self._fleet.show_flood(bot_id, 0.0)
        wanted = {bot_id: container for bot_id, (container, _) in running.items()}
        found = await self._runtime.measure(wanted)
        fresh: dict[str, tuple[Counters, Counters]] = {}
        for number, (bot_id, now) in enumerate(found.items(), 1):
            if number % TOGETHER == 0:
                await asyncio.sleep(0)  # others get their turn
            before = self._noted(bot_id, running[bot_id][1], now)
            if before is not None:
                fresh[bot_id] = before, now
        lines = await self._lines(fresh)
        for number, (bot_id, (before, now)) in enumerate(fresh.items(), 1):
            if number % TOGETHER == 0:
                await asyncio.sleep(0)
            figures = between(before, now, lines.get(bot_id, 0.0))
            if figures is not None:
                self._tracks[bot_id].add(time.perf_counter() - self._began, figures)
                self._fleet.show_flood(bot_id, self._flood(bot_id, figures.lines))

    def _running(self) -> dict[str, tuple[str, str]]:
        """Each bot whose program runs: its container and its run."""
        return {
            view.bot.id: (view.world.container.container_id, view.world.container.started_at)
            for view in self._fleet
            if view.world.container is not None
            and view.world.container.state is ContainerState.RUNNING
        }

    def _noted(self, bot_id: str, run: str, now: Counters) -> Counters | None:
        """Keep a reading; the one before it, if that was of the same run."""
        track = self._tracks.get(bot_id)
        if track is None or track.run != run:
            track = self._tracks[bot_id] = Track(run)
        before = track.last()
        track.note(now)
        return before

    def _flood(self, bot_id: str, lines: float) -> float:
        view = self._fleet.get(bot_id)
        return lines if floods(view is not None and view.flood > 0, lines) else 0.0

    async def _lines(self, fresh: Mapping[str, tuple[Counters, Counters]]) -> dict[str, float]:
        """How many lines a second the busiest bots write. The rest can't write many."""

        def cores(bot_id: str) -> float:
            before, now = fresh[bot_id]
            return (now.cpu - before.cpu) / max(0.001, now.at - before.at)

        busiest = sorted((one for one in fresh if cores(one) > BUSY), key=cores, reverse=True)
        found = {}
        for bot_id in busiest[:LOGS_MOST]:
            try:
                found[bot_id] = await self._rate(bot_id)
            except ControllerError:  # its log can't be read now: nothing is known
                found[bot_id] = _NONE
        return found

    async def _rate(self, bot_id: str) -> float:
        part = await self._runtime.logs(bot_id, LogQuery(lines=LOG_LINES))
        if len(part) < LOG_LINES:
            return 0.0
        # Up to now, not to the last line: a burst that is over isn't a flood.
        return len(part) / max(0.001, self._runtime.engine_time() - part[0].at)

    # What is known

    def now(self, bot_id: str) -> tuple[Figures, float] | None:
        """A bot's newest figures, and how many seconds old they are."""
        track = self._tracks.get(bot_id)
        found = track.newest() if track else None
        if found is None:
            return None
        at, figures = found
        return figures, max(0.0, time.perf_counter() - self._began - at)

    def recent(self, bot_id: str, now: float) -> list[Point]:
        """The last minutes as points."""
        track = self._tracks.get(bot_id)
        shift = now - (time.perf_counter() - self._began)
        return [point_of(int(at + shift), [one]) for at, one in (track.rows() if track else ())]

    async def _keep(self, now: float) -> None:
        """Write down what has become a whole fine point, and once an hour the coarse ones."""
        fine = int(now) // FINE
        if fine == self._fine:
            return
        began, self._fine = self._fine * FINE, fine
        oldest = time.perf_counter() - self._began - FINE
        points = {}
        for number, (bot_id, track) in enumerate(list(self._tracks.items()), 1):
            point = track.point(began, oldest)
            if point is not None:
                points[bot_id] = point
            if number % TOGETHER == 0:
                await asyncio.sleep(0)
        for some in _batches(points):
            async with self._store.transaction() as write:
                await write.usage.add(some)
        over = began + FINE
        if over % COARSE == 0:
            for all_of_some in _batches(dict.fromkeys(view.bot.id for view in self._fleet)):
                async with self._store.transaction() as write:
                    await write.usage.sum_up(list(all_of_some), over - COARSE)


def _batches(things: Mapping[str, T]) -> Iterator[dict[str, T]]:
    rest = iter(things.items())
    while some := dict(islice(rest, WRITTEN_TOGETHER)):
        yield some

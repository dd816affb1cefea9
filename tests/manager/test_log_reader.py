"""One reading of a log whose stream breaks off, is out of order, or no longer has its beginning."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, field, replace

from controller.domain.bot import Bot, Wish
from controller.domain.errors import ControllerError, EngineUnavailable
from controller.domain.events import LogBatch, LogLine, LogPart, LogQuery
from controller.domain.log_place import Numbering, Place, place_of
from controller.domain.names import new_bot_id
from controller.domain.observation import ContainerState, Observation, World
from controller.domain.run import Run
from controller.fleet.threads import Threads
from controller.fleet.views import Fleet
from controller.manager.following import WAITING_BYTES, Watch
from controller.manager.log_reader import Gap, Lines, LogReader, ReadingTools, RunBegan, Said
from controller.vault import Redactor
from tests.manager.rig import eventually

RUN = "a" * 64


def lines(*texts: str, first: float = 1000.0) -> list[LogLine]:
    """Lines a second apart."""
    return [LogLine(first + number, "stdout", text) for number, text in enumerate(texts)]


@dataclass
class Script:
    """A runtime of which a log is all there is: what each stream says, and how it ends."""

    log: list[LogLine]
    streams: list[tuple[Sequence[LogLine], ControllerError | None]]
    container: str = RUN
    dropped: int = 0
    asked: list[float] = field(default_factory=list)

    async def logs(self, _: str, query: LogQuery) -> LogPart:
        return LogPart([one for one in self.log if not query.until or one.at <= query.until])

    def follow(self, _: str, since: float) -> AsyncIterator[LogBatch]:
        self.asked.append(since)
        return self._said(since)

    async def _said(self, since: float) -> AsyncIterator[LogBatch]:
        if not self.streams:
            await asyncio.Event().wait()
        said, error = self.streams.pop(0)
        wanted = tuple(one for one in said if one.at >= since)
        if wanted:
            yield LogBatch(self.container, wanted, self.dropped)
        if error is not None:
            raise error
        await asyncio.Event().wait()


class Lasting:
    """A stream that goes on, however long it is quiet; it says what it is given."""

    def __init__(self, script: Script) -> None:
        self._script = script
        self._given: asyncio.Queue[Sequence[LogLine]] = asyncio.Queue()
        self.give = self._given.put_nowait

    def __aiter__(self) -> Lasting:
        return self

    async def __anext__(self) -> LogBatch:
        return LogBatch(self._script.container, tuple(await self._given.get()))

    async def aclose(self) -> None:
        pass


@dataclass
class Endless(Script):
    """A runtime whose log has one stream that never ends."""

    def __post_init__(self) -> None:
        self.stream = Lasting(self)

    def follow(self, _: str, since: float) -> Lasting:  # type: ignore[override]
        return self.stream


def place(line: LogLine, number: int = 1, run: str = RUN) -> Place:
    return Place(run[:12], line.at, number)


async def read(
    script: Script,
    start: Place | None,
    enough: Callable[[list[Said]], bool],
    *,
    wanted: int = 1,
    floor: float = 0.0,
    once: tuple[str, Callable[[Fleet, Bot, Observation], None]] | None = None,
) -> list[Said]:
    """What a reading says, until that is enough."""
    fleet, threads = Fleet(), Threads()
    bot = Bot(
        id=new_bot_id(), name="shop", template="plain", provider="", model="", channel="",
        wish=Wish.RUN, created_at=1.0, created_by=1, run=Run(log_floor=floor),
    )  # fmt: skip
    seen = Observation(
        container_id=script.container, state=ContainerState.RUNNING, started_at="now", started=1.0
    )
    fleet.add(bot, World(container=seen))
    said: list[Said] = []
    tools = ReadingTools(script, Redactor(), threads, fleet)  # type: ignore[arg-type]
    reader = LogReader(tools, bot.id, said.append, start=start, lines=wanted)
    task = asyncio.create_task(reader.run())
    try:
        if once is not None:
            await eventually(lambda: once[0] in told(said), "the first lines were said")
            once[1](fleet, bot, seen)
        await eventually(lambda: enough(said), "all was said")
    finally:
        task.cancel()
        threads.close()
    return said


def told(said: list[Said]) -> list[str]:
    """The lines, and the names of what else was said."""
    found: list[str] = []
    for one in said:
        if isinstance(one, Lines):
            found += [line.text for line in one.lines]
        else:
            found.append(f"gap {one.dropped}" if isinstance(one, Gap) else "run")
    return found


async def test_a_stream_that_breaks_before_the_place_is_found_is_begun_again() -> None:
    """What was read before it isn't shown, and nothing behind it is lost or said twice."""
    log = lines("one", "two", "three", "four")
    script = Script(log, [(log[:1], EngineUnavailable("Away.")), (log, None)])
    said = await read(script, place(log[1]), lambda said: "four" in told(said))
    assert told(said) == ["three", "four"]
    assert script.asked == [log[0].at] * 2


async def test_a_stream_that_breaks_behind_it_goes_on_where_it_was() -> None:
    """From a second before the last line on: the other pipe's lines may be out of order."""
    log = lines("one", "two", "three", "four")
    script = Script(log[:2], [(log[:3], EngineUnavailable("Away.")), (log, None)])
    said = await read(script, place(log[0]), lambda said: "four" in told(said))
    assert told(said) == ["two", "three", "four"]
    assert script.asked == [log[0].at - 1, log[2].at - 1]


async def test_lines_that_are_held_back_are_shown_though_the_engine_stays_away() -> None:
    """Nothing more comes that they could belong to."""
    log, away = lines("one", "two"), EngineUnavailable("Away.")
    script = Script(log[:1], [(log, away), *(((), away) for _ in range(50))])
    said = await read(script, place(log[0]), lambda said: "two" in told(said))
    assert told(said) == ["two"]


async def test_lines_from_before_a_secret_was_replaced_stay_hidden() -> None:
    """Also for whoever comes back to a place before that."""
    log = lines("one", "two", "three", "four")
    script = Script(log, [(log, None)])
    floor = log[2].at
    said = await read(script, place(log[0]), lambda said: "four" in told(said), floor=floor)
    assert told(said) == ["three", "four"]


async def test_lines_of_one_moment_are_told_apart_by_their_number() -> None:
    """Also where the other pipe's are between them, a moment out of order."""
    log = [
        LogLine(1000.0, "stdout", "a"),
        LogLine(1000.0, "stdout", "b"),
        LogLine(999.9999, "stderr", "oh"),
        LogLine(1000.0, "stdout", "c"),
        LogLine(1000.1, "stdout", "d"),
    ]
    script = Script(log, [(log, None)])
    said = await read(script, place(log[0], number=2), lambda said: "d" in told(said))
    assert told(said) == ["oh", "c", "d"]
    places = [str(one) for part in said if isinstance(part, Lines) for one in part.places]
    assert places == [
        f"{RUN[:12]}:999999900000:1", f"{RUN[:12]}:1000000000000:3", f"{RUN[:12]}:1000100000000:1",
    ]  # fmt: skip


async def test_a_place_that_is_gone_is_a_gap_and_all_newer_lines() -> None:
    """Nobody knows how many are missing."""
    log = lines("one", "two", first=2000.0)
    script = Script(log, [(log, None)])
    missing = Place(RUN[:12], 1999.5, 1)
    said = await read(script, missing, lambda said: "two" in told(said))
    assert told(said) == ["gap None", "one", "two"]


async def test_another_container_is_said_with_all_of_its_log() -> None:
    """What the former one's log still held is gone with it."""
    log = lines("one", "two")
    script = Script(log, [(log, None)])
    said = await read(script, place(log[1], run="b" * 64), lambda said: "two" in told(said))
    assert told(said) == ["gap None", "run", "one", "two"]
    assert isinstance(said[1], RunBegan)
    assert said[1].run == RUN[:12]


async def test_a_stream_that_outlives_its_run_says_where_the_next_one_began() -> None:
    """The look that shows the new run can come after the stream's lines of it."""
    log = lines("one", "two", "three", "four", "five")
    script = Endless(log[:2], [])
    script.stream.give(log[:2])

    def restarted(fleet: Fleet, bot: Bot, seen: Observation) -> None:
        began = replace(seen, started_at="later", started=log[3].at)
        fleet.show_world(bot.id, World(container=began))
        script.stream.give(log[2:])

    enough = lambda said: "five" in told(said)  # noqa: E731
    said = await read(script, None, enough, wanted=2, once=("two", restarted))
    assert told(said) == ["one", "two", "three", "run", "four", "five"]


async def test_lines_that_were_dropped_are_counted_in_their_place() -> None:
    """What comes behind them doesn't continue what was before."""
    log = lines("one", "two")
    script = Script(log, [(log, None)], dropped=7)
    said = await read(script, None, lambda said: "two" in told(said), wanted=10)
    assert told(said) == ["gap 7", "one", "two"]


def test_what_waits_for_one_reader_is_bounded_and_what_is_dropped_is_counted() -> None:
    """The oldest lines go; the rest comes in its order."""
    watch = Watch(lambda: None)
    for number in range(1000):
        one = LogLine(float(number + 1), "stdout", f"{number:04}" + "x" * 996)
        watch.put(Lines((place(one),), (one,)))
    found: list[Said] = []
    while (said := watch.take()) is not None:
        found.append(said)
    gap, *rest = found
    assert isinstance(gap, Gap)
    assert sum(one.size for one in rest) <= WAITING_BYTES
    assert gap.dropped == 1000 - len(rest)
    assert [text[:4] for text in told(rest)] == [f"{n:04}" for n in range(gap.dropped, 1000)]


def test_a_place_is_read_as_it_was_written() -> None:
    """And nothing else is one."""
    numbering = Numbering()
    for at in (1795831202.000000001, 0.0, 1795831202.123456789):
        for number in (1, 2):
            found = numbering.place(RUN, at)
            again = place_of(str(found))
            assert again is not None
            assert again.key == found.key
            assert found.number == number
    for text in ("", "x", "1:2:3", f"{RUN}:1:1", f"{RUN[:12]}:-1:1", f"{RUN[:12]}:1:1\n"):
        assert place_of(text) is None

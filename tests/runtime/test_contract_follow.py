"""The promise of `runtime.protocol` about a log that is followed, for every runtime."""

from __future__ import annotations

import asyncio
from contextlib import aclosing
from typing import Any

import pytest

from controller.domain.errors import BadInput, EngineUnavailable, NotFound
from controller.domain.events import LogLine, LogQuery
from controller.domain.names import new_bot_id
from controller.runtime import LogStream
from tests.runtime.rig import Rig


async def some(stream: LogStream, count: int) -> list[LogLine]:
    """The next lines, so many."""
    found: list[LogLine] = []
    async with asyncio.timeout(20):
        while len(found) < count:
            found += (await anext(stream)).lines
    assert len(found) == count
    return found


async def rest(stream: LogStream) -> list[LogLine]:
    """All lines up to the end of the stream."""
    async with asyncio.timeout(20):
        return [line async for batch in stream for line in batch.lines]


async def test_what_is_there_comes_first_and_then_each_line(rig: Rig) -> None:
    """Both pipes, in the log's order, from the container that is said."""
    spec = await rig.running()
    await rig.print(spec.bot_id, "first", "stdout")
    await rig.print(spec.bot_id, "oh no: äöü ✓", "stderr")
    container = (await rig.runtime.list_containers())[0].container_id
    async with aclosing(rig.runtime.follow(spec.bot_id, 0)) as stream:
        batch = await anext(stream)
        assert batch.container == container
        assert batch.dropped == 0
        found = [*batch.lines, *(await some(stream, 2 - len(batch.lines)))]
        await rig.print(spec.bot_id, "third", "stdout")
        found += await some(stream, 1)
        assert [(line.text, line.stream) for line in found] == [
            ("first", "stdout"), ("oh no: äöü ✓", "stderr"), ("third", "stdout"),
        ]  # fmt: skip
        part = await rig.runtime.logs(spec.bot_id, LogQuery())
        assert [line.at for line in found] == [line.at for line in part]


async def test_who_asks_again_from_a_line_on_gets_the_same_lines(rig: Rig) -> None:
    """`since` sends nothing older, and that line itself: by its time nothing is lost."""
    spec = await rig.running()
    for number in range(6):
        await rig.print(spec.bot_id, f"Line {number}", "stdout")
    async with aclosing(rig.runtime.follow(spec.bot_id, 0)) as stream:
        whole = await some(stream, 6)
    async with aclosing(rig.runtime.follow(spec.bot_id, whole[3].at)) as stream:
        again = await some(stream, 3)
    assert [(line.at, line.text) for line in again] == [(line.at, line.text) for line in whole[3:]]


async def test_it_ends_with_the_program_and_what_was_written_last(rig: Rig) -> None:
    """Nothing that the program wrote before its end is missing; the next run's log is longer."""
    spec = await rig.running(restart="no")
    await rig.print(spec.bot_id, "good", "stdout")
    stream = rig.runtime.follow(spec.bot_id, 0)
    following = asyncio.ensure_future(rest(stream))
    await rig.print(spec.bot_id, "bye", "stderr")
    await rig.crash(spec.bot_id, 3)
    assert [line.text for line in await asyncio.wait_for(following, 20)] == ["good", "bye"]
    assert await rest(stream) == []
    await rig.runtime.start(spec.bot_id)
    await rig.print(spec.bot_id, "back", "stdout")
    async with aclosing(rig.runtime.follow(spec.bot_id, 0)) as stream:
        assert [line.text for line in await some(stream, 3)] == ["good", "bye", "back"]


async def test_the_log_of_a_stopped_bot_ends_at_once(rig: Rig) -> None:
    """Behind the lines that exist."""
    spec = await rig.running(restart="no")
    await rig.print(spec.bot_id, "goodbye", "stderr")
    await rig.runtime.stop(spec.bot_id, 5)
    lines = await rest(rig.runtime.follow(spec.bot_id, 0))
    assert [line.text for line in lines] == ["goodbye"]


async def test_it_says_why_there_is_nothing_to_follow(rig: Rig) -> None:
    """No container, a bad id, no engine."""
    with pytest.raises(NotFound):
        await anext(rig.runtime.follow(new_bot_id(), 0))
    with pytest.raises(BadInput):
        rig.runtime.follow("../images", 0)
    with pytest.raises(EngineUnavailable):
        await anext(rig.unreachable().follow(new_bot_id(), 0))


async def test_giving_up_on_a_line_loses_none_and_closing_ends_it(rig: Rig) -> None:
    """A wait that times out leaves the stream as it was; a closed one is over for all who wait."""
    spec = await rig.running()
    stream = rig.runtime.follow(spec.bot_id, 0)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(stream), 0.3)
    await rig.print(spec.bot_id, "late", "stdout")
    assert [line.text for line in await some(stream, 1)] == ["late"]
    waiting: asyncio.Future[Any] = asyncio.ensure_future(rest(stream))
    await asyncio.sleep(0.05)
    await stream.aclose()
    assert await asyncio.wait_for(waiting, 5) == []


async def test_closing_the_runtime_ends_what_is_followed(rig: Rig) -> None:
    """Nobody waits for a line any more."""
    spec = await rig.running()
    waiting: asyncio.Future[Any] = asyncio.ensure_future(rest(rig.runtime.follow(spec.bot_id, 0)))
    await asyncio.sleep(0.3)
    await rig.runtime.close()
    assert await asyncio.wait_for(waiting, 5) == []


async def test_two_who_follow_take_nothing_from_each_other(rig: Rig) -> None:
    """Everybody gets every line, in the same order."""
    spec = await rig.running()
    async with (
        aclosing(rig.runtime.follow(spec.bot_id, 0)) as first,
        aclosing(rig.runtime.follow(spec.bot_id, 0)) as second,
    ):
        for number in range(3):
            await rig.print(spec.bot_id, f"Line {number}", "stdout")
        found = [(line.at, line.text) for line in await some(first, 3)]
        assert [(line.at, line.text) for line in await some(second, 3)] == found

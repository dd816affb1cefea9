"""The promise of `runtime.protocol` about what comes out: logs, events, probes, errors."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import Any

import pytest

from controller.domain.errors import (
    BadSpec,
    ControllerError,
    ImageMissing,
)
from controller.domain.events import ContainerEvent, LogQuery
from controller.domain.names import new_bot_id
from controller.runtime import Probe
from tests.runtime.rig import Rig, until

# Logs


async def test_logs_answer_the_question(rig: Rig) -> None:
    """The last lines that fit: by number, words, time and stream; oldest first."""
    spec = await rig.running()
    for number in range(4):
        await rig.print(spec.bot_id, f"Line {number}", "stdout")
    await rig.print(spec.bot_id, "oh no: äöü ✓", "stderr")
    await rig.print(spec.bot_id, "last", "stdout")

    async def ask(**query: Any) -> list[str]:
        return [line.text for line in await rig.runtime.logs(spec.bot_id, LogQuery(**query))]

    lines = await rig.runtime.logs(spec.bot_id, LogQuery())
    assert [line.text for line in lines] == [
        "Line 0", "Line 1", "Line 2", "Line 3", "oh no: äöü ✓", "last",
    ]  # fmt: skip
    assert [line.stream for line in lines] == ["stdout"] * 4 + ["stderr", "stdout"]
    assert all(abs(line.at - time.time()) < 60 for line in lines)
    assert abs(lines[-1].at - rig.runtime.engine_time()) < 5
    assert [line.at for line in lines] == sorted(line.at for line in lines)
    assert await ask(lines=2) == ["oh no: äöü ✓", "last"]
    assert await ask(lines=0) == []
    assert await ask(lines=1, stream="stderr") == ["oh no: äöü ✓"]
    assert await ask(lines=1, grep="lInE") == ["Line 3"]
    assert await ask(grep="L.*") == []
    assert await ask(since=lines[3].at) == ["Line 3", "oh no: äöü ✓", "last"]
    assert await ask(until=lines[1].at) == ["Line 0", "Line 1"]
    assert await ask(since=lines[1].at, until=lines[4].at, stream="stdout", grep="3") == ["Line 3"]


async def test_a_log_says_how_far_it_was_looked_through(rig: Rig) -> None:
    """Whether there's more, and since when; `since` sends nothing older."""
    spec = await rig.running()
    for number in range(30):
        await rig.print(spec.bot_id, f"Line {number}", "stdout")
    whole = await rig.runtime.logs(spec.bot_id, LogQuery())
    assert (len(whole), whole.more, whole.looked_to) == (30, False, whole[0].at)
    some = await rig.runtime.logs(spec.bot_id, LogQuery(lines=10))
    assert (len(some), some.more) == (10, True)
    none = await rig.runtime.logs(spec.bot_id, LogQuery(grep="no such word"))
    assert (list(none), none.more, none.looked_to) == ([], False, whole[0].at)
    for line in (whole[7], whole[29]):
        late = await rig.runtime.logs(spec.bot_id, LogQuery(since=line.at))
        assert late == [other for other in whole if other.at >= line.at]
        assert not late.more
    assert await rig.runtime.logs(spec.bot_id, LogQuery(since=whole[29].at + 2)) == []


async def test_the_log_of_a_stopped_bot_can_be_read(rig: Rig) -> None:
    """What it said last is what one wants to know."""
    spec = await rig.running()
    await rig.print(spec.bot_id, "goodbye", "stderr")
    await rig.runtime.stop(spec.bot_id, 5)
    assert [line.text for line in await rig.runtime.logs(spec.bot_id, LogQuery())] == ["goodbye"]


# Events


async def test_the_first_event_is_a_resync_and_then_come_the_facts(rig: Rig) -> None:
    """After the resync nothing is missed: create, start, and the end with its exit code."""
    async with aclosing(rig.runtime.events()) as events:
        assert await anext(events) == ContainerEvent(action="resync")
        before = time.time()
        spec = await rig.running(restart="no")
        for action in ("create", "start"):
            event = await until(events, action)
            assert event.bot_id == spec.bot_id
            assert event.exit_code is None
            assert before - 2 < event.at < time.time() + 2
        await rig.crash(spec.bot_id, 42)
        event = await until(events, "die")
        assert (event.bot_id, event.exit_code) == (spec.bot_id, 42)
        await rig.runtime.remove(spec.bot_id, 1)
        assert (await until(events, "destroy")).bot_id == spec.bot_id


async def test_giving_up_on_one_event_loses_none(rig: Rig) -> None:
    """A wait that times out leaves the stream as it was."""
    async with aclosing(rig.runtime.events()) as events:
        await anext(events)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(events), 0.05)
        spec = await rig.created()
        assert (await until(events, "create")).bot_id == spec.bot_id


async def test_a_closed_stream_ends_for_whoever_waits(rig: Rig) -> None:
    """aclose ends a waiting anext, and every later one."""
    events = rig.runtime.events()
    await anext(events)
    waiting = asyncio.ensure_future(collect(events))
    await asyncio.sleep(0.05)
    await events.aclose()
    assert await asyncio.wait_for(waiting, 5) == []
    assert await collect(events) == []


async def test_streams_do_not_take_events_from_each_other(rig: Rig) -> None:
    """Everybody who listens hears everything."""
    first, second = rig.runtime.events(), rig.runtime.events()
    await anext(first)
    await anext(second)
    spec = await rig.created()
    for events in (first, second):
        assert (await until(events, "create")).bot_id == spec.bot_id
        await events.aclose()


async def test_closing_the_runtime_ends_its_streams(rig: Rig) -> None:
    """close lets go of everything, and containers go on."""
    spec = await rig.running()
    events = rig.runtime.events()
    await anext(events)
    waiting = asyncio.ensure_future(collect(events))
    await asyncio.sleep(0.05)
    await rig.runtime.close()
    await asyncio.wait_for(waiting, 5)
    await rig.runtime.close()
    assert spec


async def collect(events: Any) -> list[ContainerEvent]:
    return [event async for event in events]


# Probes


def question(rig: Rig, script: str, **changes: Any) -> Probe:
    asked: dict[str, Any] = {
        "image": rig.image,
        "user": "1000:1000",
        "command": ("/bin/sh", "-c", script),
        "secrets_source": rig.secrets("probe"),
    }
    return Probe(**{**asked, **changes})


async def test_a_probe_answers_and_leaves_nothing(rig: Rig) -> None:
    """A probe tells how it ended and what it printed, and no list ever shows it."""
    rig.expect_probe(3, "hello")
    result = await rig.runtime.probe(question(rig, "echo hello; exit 3"))
    assert (result.exit_code, result.output) == (3, "hello")
    assert await rig.runtime.list_containers() == []


async def test_a_probe_needs_its_image_and_its_folder(rig: Rig) -> None:
    """ImageMissing and BadSpec, as for a bot."""
    with pytest.raises(ImageMissing):
        await rig.runtime.probe(question(rig, "true", image="botmaker-test-absent:1"))
    with pytest.raises(BadSpec):
        await rig.runtime.probe(question(rig, "true", secrets_source=rig.absent_source()))
    with pytest.raises(BadSpec):
        await rig.runtime.probe(question(rig, "true", user="0:0"))


async def test_errors_are_worded_for_people(rig: Rig) -> None:
    """Every error carries a code and a sentence without paths of the host."""
    found: list[ControllerError] = []
    for call in (
        lambda: rig.runtime.create(rig.spec(secrets_source=rig.absent_source())),
        lambda: rig.runtime.start(new_bot_id()),
        lambda: rig.runtime.create(rig.spec(image="botmaker-test-absent:1")),
        lambda: rig.unreachable().info(),
    ):
        with pytest.raises(ControllerError) as caught:
            await call()
        found.append(caught.value)
    for error in found:
        assert error.message.endswith(".")
        assert str(rig.folder) not in str(error)
        assert error.code == error.code.lower()

"""The promise of `runtime.protocol` about what containers use, for every runtime."""

from __future__ import annotations

import pytest

from controller.domain.errors import BadInput, EngineUnavailable
from controller.domain.names import new_bot_id
from controller.domain.usage import Counters
from controller.runtime.cgroups import Cgroups
from controller.runtime.engine import EngineRuntime
from controller.runtime.engine_usage import counters_of
from tests.runtime.rig import EngineRig, Rig


async def id_of(rig: Rig, bot_id: str) -> str:
    rows = {row.bot_id: row.container_id for row in await rig.runtime.list_containers()}
    return rows[bot_id]


async def test_what_runs_is_measured_and_what_does_not_is_left_out(rig: Rig) -> None:
    """Stopped, unknown, of another id: none of them is anybody's trouble."""
    running, stopped = await rig.running(), await rig.running()
    await rig.runtime.stop(stopped.bot_id, 1)
    wanted = {one.bot_id: await id_of(rig, one.bot_id) for one in (running, stopped)}
    wanted[new_bot_id()] = "ef" * 32
    found = await rig.runtime.measure(wanted)
    assert set(found) == {running.bot_id}
    one = found[running.bot_id]
    assert 0 < one.memory <= running.memory
    assert one.limit == running.memory
    assert one.cpu >= 0


async def test_counters_only_grow_within_a_run(rig: Rig) -> None:
    """Two readings make a rate."""
    spec = await rig.running()
    wanted = {spec.bot_id: await id_of(rig, spec.bot_id)}
    first = (await rig.runtime.measure(wanted))[spec.bot_id]
    second = (await rig.runtime.measure(wanted))[spec.bot_id]
    assert second.at > first.at
    assert second.cpu >= first.cpu
    assert (second.received or 0) >= (first.received or 0)


async def test_nothing_to_measure_asks_nobody(rig: Rig) -> None:
    """And an id that isn't one is refused before anybody is asked."""
    assert await rig.runtime.measure({}) == {}
    with pytest.raises(BadInput):
        await rig.runtime.measure({new_bot_id(): "../images"})
    with pytest.raises(BadInput):
        await rig.runtime.measure({"nobody": "ab" * 32})


async def test_an_engine_that_is_away_is_told(rig: Rig) -> None:
    """Where it is needed."""
    away = rig.unreachable()
    with pytest.raises(EngineUnavailable):
        await away.measure({new_bot_id(): "ab" * 32})
    await away.close()


@pytest.mark.engine
async def test_without_the_kernels_files_the_engine_says_the_same(
    engine_rig: EngineRig, tmp_path: object
) -> None:
    """As where it is on another machine: the same container, by its own answer."""
    spec = await engine_rig.running()
    wanted = {spec.bot_id: await id_of(engine_rig, spec.bot_id)}
    runtime = engine_rig.runtime
    assert isinstance(runtime, EngineRuntime)
    by_files = (await runtime.measure(wanted))[spec.bot_id]
    runtime._cgroups = Cgroups(tmp_path, tmp_path)  # type: ignore[arg-type]
    by_answer = (await runtime.measure(wanted))[spec.bot_id]
    assert by_answer.limit == by_files.limit == spec.memory
    assert abs(by_answer.memory - by_files.memory) < 4 << 20
    assert by_answer.received is not None


@pytest.mark.parametrize(
    "answer",
    [None, {}, {"memory_stats": {}}, {"memory_stats": {"usage": 5}, "cpu_stats": {}}, "text"],
)
def test_a_strange_answer_is_no_reading(answer: object) -> None:
    """Zeros and holes are what an engine answers about a container that has ended."""
    assert counters_of(answer, 1.0) is None


def test_an_engines_answer_is_read_in_either_version() -> None:
    """`inactive_file` goes by two names; without a network there is none."""
    answer = {
        "cpu_stats": {"cpu_usage": {"total_usage": 2_000_000_000}},
        "memory_stats": {"usage": 500, "limit": 1000, "stats": {"inactive_file": 100}},
        "blkio_stats": {"io_service_bytes_recursive": [{"op": "Read", "value": 7}]},
    }
    assert counters_of(answer, 1.0) == Counters(
        at=1.0, cpu=2.0, memory=400, limit=1000, read=7, written=0
    )

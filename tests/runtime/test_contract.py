"""The promise of `runtime.protocol`, sentence by sentence, for every runtime that keeps it."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import Any

import pytest

from controller.domain.errors import (
    BadInput,
    BadSpec,
    Conflict,
    ControllerError,
    EngineUnavailable,
    ImageMissing,
    NotFound,
)
from controller.domain.events import ContainerEvent, LogQuery
from controller.domain.names import new_bot_id
from controller.domain.observation import ContainerState, Health, Observation
from controller.domain.spec import HealthSpec
from controller.runtime import Probe, Runtime
from tests.runtime.rig import ABSENT_PROGRAM, Rig, eventually

BAD_IDS = ["", "x", "../images", "x/../y", new_bot_id().upper(), f"{new_bot_id()}/..", "a" * 64]


async def seen(rig: Rig, bot_id: str) -> Observation:
    found = await rig.runtime.observe(bot_id)
    assert found is not None
    return found


def every_call(runtime: Runtime, bot_id: str) -> dict[str, Any]:
    return {
        "observe": lambda: runtime.observe(bot_id),
        "has_volume": lambda: runtime.has_volume(bot_id),
        "start": lambda: runtime.start(bot_id),
        "stop": lambda: runtime.stop(bot_id, 1),
        "restart": lambda: runtime.restart(bot_id, 1),
        "remove": lambda: runtime.remove(bot_id, 1),
        "remove_volume": lambda: runtime.remove_volume(bot_id),
        "logs": lambda: runtime.logs(bot_id, LogQuery()),
    }


# Looking


async def test_the_engine_says_who_it_is(rig: Rig) -> None:
    """info answers with a version."""
    info = await rig.runtime.info()
    assert info.version
    assert info.api_version >= "1.41"


async def test_an_empty_installation_has_nothing(rig: Rig) -> None:
    """Where nothing was made nothing is listed, observed or kept."""
    bot_id = new_bot_id()
    assert await rig.runtime.list_containers() == []
    assert await rig.runtime.list_volumes() == []
    assert await rig.runtime.observe(bot_id) is None
    assert await rig.runtime.has_volume(bot_id) is False


async def test_a_created_container_is_seen_complete_and_does_not_run(rig: Rig) -> None:
    """create makes without starting; observe tells the state, the spec's hash and the image."""
    spec = rig.spec()
    container_id = await rig.runtime.create(spec)
    assert len(container_id) == 64
    found = await seen(rig, spec.bot_id)
    assert found == Observation(
        container_id=container_id,
        state=ContainerState.CREATED,
        spec=spec.digest(),
        image=spec.image,
    )


async def test_the_list_and_the_look_agree(rig: Rig) -> None:
    """list_containers tells of every container of ours, whatever its state."""
    asleep, awake = await rig.created(), await rig.running()
    rows = {row.bot_id: row for row in await rig.runtime.list_containers()}
    assert set(rows) == {asleep.bot_id, awake.bot_id}
    for spec in (asleep, awake):
        found, row = await seen(rig, spec.bot_id), rows[spec.bot_id]
        assert (row.container_id, row.state) == (found.container_id, found.state)
        assert (row.health, row.name) == (found.health, spec.name)


# Making


async def test_create_adopts_what_carries_our_labels_for_this_bot(rig: Rig) -> None:
    """A second create answers with the first's container, whatever the spec says now."""
    spec = await rig.created()
    first = await seen(rig, spec.bot_id)
    other = rig.spec(bot_id=spec.bot_id, pids=99)
    assert await rig.runtime.create(other) == first.container_id
    assert (await seen(rig, spec.bot_id)).spec == spec.digest() != other.digest()


async def test_two_creates_at_once_make_one_container(rig: Rig) -> None:
    """Whoever loses the race adopts."""
    spec = rig.spec()
    ids = await asyncio.gather(*(rig.runtime.create(spec) for _ in range(4)))
    assert len(set(ids)) == 1
    assert len(await rig.runtime.list_containers()) == 1


async def test_a_missing_image_is_said_and_nothing_is_left(rig: Rig) -> None:
    """create raises ImageMissing before it makes anything."""
    spec = rig.spec(image="botmaker-test-absent:1", state_path="/data")
    with pytest.raises(ImageMissing):
        await rig.runtime.create(spec)
    assert await rig.runtime.observe(spec.bot_id) is None
    assert await rig.runtime.has_volume(spec.bot_id) is False


async def test_a_missing_mount_source_is_a_bad_spec(rig: Rig) -> None:
    """A secrets folder that is not there is refused, never invented."""
    spec = rig.spec(secrets_source=rig.absent_source())
    with pytest.raises(BadSpec) as caught:
        await rig.runtime.create(spec)
    assert str(rig.folder) not in str(caught.value)
    assert await rig.runtime.observe(spec.bot_id) is None


@pytest.mark.parametrize("user", ["0:0", "root", "0:1000", "bot:bot", "1000", ""])
async def test_root_and_names_are_refused_as_users(rig: Rig, user: str) -> None:
    """A container's user is numeric and not root."""
    with pytest.raises(BadSpec):
        await rig.runtime.create(rig.spec(user=user))
    assert await rig.runtime.list_containers() == []


@pytest.mark.parametrize(
    "changes",
    [
        {"restart": "always"},
        {"restart": "on-failure:"},
        {"secrets_source": "relative"},
        {"secrets_source": "/"},
        {"files": (("/srv/../etc", "/config"),)},
        {"state_path": "data"},
    ],
)
async def test_a_spec_that_cannot_be_is_refused(rig: Rig, changes: dict[str, Any]) -> None:
    """Policies that do not exist and paths that are not absolute never reach the engine."""
    with pytest.raises(BadSpec):
        await rig.runtime.create(rig.spec(**changes))


# What is not ours


async def test_a_foreign_container_of_our_name_is_a_conflict_and_stays_untouched(rig: Rig) -> None:
    """Without our labels a name means nothing: Conflict, and nobody touches it."""
    spec = rig.spec()
    rig.make_foreign(spec.name)
    calls = every_call(rig.runtime, spec.bot_id)
    for name in ("observe", "start", "stop", "restart", "remove", "logs"):
        with pytest.raises(Conflict):
            await calls[name]()
    with pytest.raises(Conflict):
        await rig.runtime.create(spec)
    assert await rig.runtime.list_containers() == []
    assert rig.is_intact(spec.name)


async def test_a_foreign_volume_of_our_name_is_a_conflict_and_stays(rig: Rig) -> None:
    """A volume that somebody else made is neither used nor removed nor called the bot's."""
    spec = rig.spec(state_path="/data")
    rig.make_foreign_volume(spec.name)
    assert await rig.runtime.has_volume(spec.bot_id) is False
    assert await rig.runtime.list_volumes() == []
    with pytest.raises(Conflict):
        await rig.runtime.create(spec)
    with pytest.raises(Conflict):
        await rig.runtime.remove_volume(spec.bot_id)
    assert rig.has_foreign_volume(spec.name)
    assert await rig.runtime.observe(spec.bot_id) is None


@pytest.mark.parametrize("bot_id", BAD_IDS)
async def test_a_bad_id_never_reaches_the_engine(rig: Rig, bot_id: str) -> None:
    """Anything but a canonical UUID is BadInput, even where the engine could not be asked."""
    for call in every_call(rig.unreachable(), bot_id).values():
        with pytest.raises(BadInput):
            await call()


@pytest.mark.parametrize("ref", ["", "../x", "a b", "x//y", "-x", "x\n", "x?y", "é"])
async def test_a_bad_reference_never_reaches_the_engine(rig: Rig, ref: str) -> None:
    """Text that is no image reference is BadInput."""
    with pytest.raises(BadInput):
        await rig.unreachable().pin_image(ref, "never")


async def test_an_engine_that_is_not_there_is_said_for_every_call(rig: Rig) -> None:
    """Nothing was sent, so writes are EngineUnavailable too, and nothing else comes out."""
    runtime = rig.unreachable()
    spec = rig.spec()
    calls = every_call(runtime, spec.bot_id)
    calls |= {
        "info": runtime.info,
        "list_containers": runtime.list_containers,
        "list_volumes": runtime.list_volumes,
        "pin_image": lambda: runtime.pin_image(rig.image, "missing"),
        "create": lambda: runtime.create(spec),
    }
    for call in calls.values():
        with pytest.raises(EngineUnavailable) as caught:
            await call()
        assert caught.value.retryable
    await runtime.close()


async def test_the_mounts_of_what_is_not_there_are_not_found(rig: Rig) -> None:
    """Only names and ids are asked for, and a container that does not exist has no mounts."""
    with pytest.raises(NotFound):
        await rig.runtime.mounts_of("f" * 64)
    for bad in ("../images", "", "a/b", "-x"):
        with pytest.raises(BadInput):
            await rig.unreachable().mounts_of(bad)


# Images


@pytest.mark.parametrize("pull", ["never", "missing", "always"])
async def test_an_image_that_is_here_is_pinned(rig: Rig, pull: str) -> None:
    """A local image becomes an id that create takes, whether or not a pull succeeds."""
    pinned = await rig.runtime.pin_image(rig.image, pull)
    assert pinned.startswith("sha256:")
    assert await rig.runtime.pin_image(pinned, "missing") == pinned
    await rig.created(image=pinned)


@pytest.mark.parametrize("pull", ["never", "missing", "always"])
async def test_an_image_that_cannot_be_had_is_said(rig: Rig, pull: str) -> None:
    """pin_image raises ImageMissing with a reason."""
    with pytest.raises(ImageMissing) as caught:
        await rig.runtime.pin_image("127.0.0.1:9/absent:1", pull)
    assert "127.0.0.1:9/absent:1" in caught.value.message


async def test_an_unknown_pull_rule_is_bad_input(rig: Rig) -> None:
    """There are three rules."""
    with pytest.raises(BadInput):
        await rig.runtime.pin_image(rig.image, "sometimes")


# Running


async def test_start_runs_it_and_again_changes_nothing(rig: Rig) -> None:
    """Starting what runs is nothing: the same run goes on."""
    spec = await rig.running()
    first = await seen(rig, spec.bot_id)
    assert first.state is ContainerState.RUNNING
    assert first.exit_code is None
    assert first.started_at
    await rig.runtime.start(spec.bot_id)
    assert await seen(rig, spec.bot_id) == first


async def test_start_unpauses(rig: Rig) -> None:
    """A paused container goes on with the run it had."""
    spec = await rig.running()
    before = await seen(rig, spec.bot_id)
    rig.pause(spec.bot_id)
    assert (await seen(rig, spec.bot_id)).state is ContainerState.PAUSED
    await rig.runtime.start(spec.bot_id)
    assert await seen(rig, spec.bot_id) == before


async def test_what_is_gone_cannot_be_started_or_read(rig: Rig) -> None:
    """start, restart and logs raise NotFound where there is no container."""
    calls = every_call(rig.runtime, new_bot_id())
    for name in ("start", "restart", "logs"):
        with pytest.raises(NotFound):
            await calls[name]()


async def test_a_program_that_does_not_exist_is_a_bad_spec(rig: Rig) -> None:
    """Without init the start is refused, and the look tells why."""
    spec = await rig.created(init=False, entrypoint=(ABSENT_PROGRAM,))
    with pytest.raises(BadSpec) as caught:
        await rig.runtime.start(spec.bot_id)
    assert ABSENT_PROGRAM in caught.value.message
    found = await seen(rig, spec.bot_id)
    assert found.state is ContainerState.CREATED
    assert found.exit_code == 127
    assert ABSENT_PROGRAM in found.error


async def test_a_program_that_init_cannot_find_ends_with_127(rig: Rig) -> None:
    """With init the start succeeds, and the end tells."""
    spec = await rig.running(entrypoint=(ABSENT_PROGRAM,), restart="no")

    async def ended() -> bool:
        return (await seen(rig, spec.bot_id)).state is ContainerState.EXITED

    await eventually(ended)
    assert (await seen(rig, spec.bot_id)).exit_code == 127


async def test_stop_ends_it_and_again_changes_nothing(rig: Rig) -> None:
    """stop returns when it ended; what does not run or exist is fine already."""
    spec = await rig.running()
    before = time.time()
    await rig.runtime.stop(spec.bot_id, 5)
    found = await seen(rig, spec.bot_id)
    assert found.state is ContainerState.EXITED
    assert found.exit_code == 143
    assert before - 1 < found.finished_at < time.time() + 1
    await rig.runtime.stop(spec.bot_id, 5)
    assert await seen(rig, spec.bot_id) == found
    await rig.runtime.stop(new_bot_id(), 5)


async def test_a_created_container_may_be_stopped(rig: Rig) -> None:
    """Stopping what never ran is nothing."""
    spec = await rig.created()
    await rig.runtime.stop(spec.bot_id, 1)
    assert (await seen(rig, spec.bot_id)).state is ContainerState.CREATED


async def test_a_stopped_bot_starts_again_with_its_log(rig: Rig) -> None:
    """A stop keeps the container; a start is a new run of it."""
    spec = await rig.running()
    first = await seen(rig, spec.bot_id)
    await rig.print(spec.bot_id, "before", "stdout")
    await rig.runtime.stop(spec.bot_id, 5)
    await rig.runtime.start(spec.bot_id)
    again = await seen(rig, spec.bot_id)
    assert again.container_id == first.container_id
    assert again.started_at != first.started_at
    lines = await rig.runtime.logs(spec.bot_id, LogQuery())
    assert "before" in [line.text for line in lines]


@pytest.mark.parametrize("paused", [False, True])
async def test_restart_is_a_new_run_of_the_same_container(rig: Rig, paused: bool) -> None:
    """restart keeps the container and its log."""
    spec = await rig.running()
    await rig.print(spec.bot_id, "before", "stdout")
    first = await seen(rig, spec.bot_id)
    if paused:
        rig.pause(spec.bot_id)
    await rig.runtime.restart(spec.bot_id, 5)
    again = await seen(rig, spec.bot_id)
    assert again.state is ContainerState.RUNNING
    assert again.container_id == first.container_id
    assert again.started_at != first.started_at
    assert [line.text for line in await rig.runtime.logs(spec.bot_id, LogQuery())] == ["before"]


async def test_remove_takes_the_container_and_leaves_the_volume(rig: Rig) -> None:
    """remove stops what runs; a second one is a success; the state stays."""
    spec = await rig.running(state_path="/data")
    await rig.runtime.remove(spec.bot_id, 5)
    assert await rig.runtime.observe(spec.bot_id) is None
    assert await rig.runtime.list_containers() == []
    assert await rig.runtime.has_volume(spec.bot_id) is True
    await rig.runtime.remove(spec.bot_id, 5)


# Volumes


async def test_a_volume_is_listed_with_its_bot_until_it_is_removed(rig: Rig) -> None:
    """The volume comes with the container, stays while that uses it, and goes when asked."""
    spec = await rig.created(state_path="/data")
    assert [(v.bot_id, v.name) for v in await rig.runtime.list_volumes()] == [
        (spec.bot_id, spec.name)
    ]
    with pytest.raises(Conflict):
        await rig.runtime.remove_volume(spec.bot_id)
    await rig.runtime.remove(spec.bot_id, 1)
    await rig.runtime.remove_volume(spec.bot_id)
    assert await rig.runtime.has_volume(spec.bot_id) is False
    assert await rig.runtime.list_volumes() == []
    await rig.runtime.remove_volume(spec.bot_id)


# Ends that nobody asked for


async def test_a_crash_is_followed_by_a_new_run(rig: Rig) -> None:
    """With unless-stopped the engine itself runs it again; the look tells that it did."""
    spec = await rig.running()
    first = await seen(rig, spec.bot_id)
    await rig.crash(spec.bot_id, 3)

    async def again() -> bool:
        found = await seen(rig, spec.bot_id)
        return found.state is ContainerState.RUNNING and found.restart_count == 1

    await eventually(again)
    found = await seen(rig, spec.bot_id)
    assert found.started_at != first.started_at
    assert found.finished_at > 0
    assert found.container_id == first.container_id


@pytest.mark.parametrize(("policy", "code"), [("no", 3), ("on-failure:2", 0)])
async def test_an_end_that_the_policy_accepts_stays_an_end(
    rig: Rig, policy: str, code: int
) -> None:
    """The look then tells the exit code."""
    spec = await rig.running(restart=policy)
    await rig.crash(spec.bot_id, code)

    async def ended() -> bool:
        return (await seen(rig, spec.bot_id)).state is ContainerState.EXITED

    await eventually(ended)
    found = await seen(rig, spec.bot_id)
    assert (found.exit_code, found.restart_count) == (code, 0)


async def test_a_sick_program_is_seen_as_unhealthy(rig: Rig) -> None:
    """The verdict is in the look, with the check's own words, in the list and in the events."""
    check = 'test ! -e /tmp/sick || { echo "I feel sick"; exit 1; }'
    health = HealthSpec(
        test=("CMD", "/bin/sh", "-c", check), interval=0.2, timeout=5, start_period=0, retries=1
    )
    async with aclosing(rig.runtime.events()) as events:  # type: ignore[type-var]
        assert (await anext(events)).action == "resync"
        spec = await rig.running(health=health)
        assert (await seen(rig, spec.bot_id)).health in {Health.STARTING, Health.HEALTHY}
        await rig.sicken(spec.bot_id)
        event = await until(events, "health_status: unhealthy")
        assert event.bot_id == spec.bot_id
    found = await seen(rig, spec.bot_id)
    assert found.health is Health.UNHEALTHY
    assert found.probe_output == "I feel sick"
    (row,) = await rig.runtime.list_containers()
    assert row.health is Health.UNHEALTHY
    await rig.runtime.stop(spec.bot_id, 1)
    assert (await seen(rig, spec.bot_id)).health is Health.NONE


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
    assert [line.at for line in lines] == sorted(line.at for line in lines)
    assert await ask(lines=2) == ["oh no: äöü ✓", "last"]
    assert await ask(lines=0) == []
    assert await ask(lines=1, stream="stderr") == ["oh no: äöü ✓"]
    assert await ask(lines=1, grep="lInE") == ["Line 3"]
    assert await ask(grep="L.*") == []
    assert await ask(since=lines[3].at) == ["Line 3", "oh no: äöü ✓", "last"]
    assert await ask(until=lines[1].at) == ["Line 0", "Line 1"]
    assert await ask(since=lines[1].at, until=lines[4].at, stream="stdout", grep="3") == ["Line 3"]


async def test_the_log_of_a_stopped_bot_can_be_read(rig: Rig) -> None:
    """What it said last is what one wants to know."""
    spec = await rig.running()
    await rig.print(spec.bot_id, "goodbye", "stderr")
    await rig.runtime.stop(spec.bot_id, 5)
    assert [line.text for line in await rig.runtime.logs(spec.bot_id, LogQuery())] == ["goodbye"]


# Events


async def until(events: Any, action: str) -> ContainerEvent:
    async with asyncio.timeout(20):
        while True:
            event: ContainerEvent = await anext(events)
            if event.action == action:
                return event


async def test_the_first_event_is_a_resync_and_then_come_the_facts(rig: Rig) -> None:
    """After the resync nothing is missed: create, start, and the end with its exit code."""
    async with aclosing(rig.runtime.events()) as events:  # type: ignore[type-var]
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
    async with aclosing(rig.runtime.events()) as events:  # type: ignore[type-var]
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

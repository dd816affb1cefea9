"""The promise of `runtime.protocol` about what is run inside, tried before, laid into a volume.

Next door: test_engine_inside.py has what only a real engine can show of it.
"""

from __future__ import annotations

import asyncio
import time
from contextlib import suppress
from typing import Any

import pytest

from controller.domain.errors import BadInput, BadSpec, ImageMissing, NotReady, OutcomeUnknown
from controller.domain.observation import ContainerState
from controller.domain.spec import SeedFile
from tests.runtime.rig import ABSENT_PROGRAM, Rig, seen

SAY = ("/bin/sh", "-c", "echo hello; sleep 0.2; echo oh >&2; exit 3")
WAIT = ("/bin/sleep", "60")

# Running something inside


async def test_a_program_inside_tells_its_end_and_what_it_printed(rig: Rig) -> None:
    """The exit code, and the text of both pipes as it came."""
    rig.expect_execute(3, "hello\noh")
    spec = await rig.running()
    before = await seen(rig, spec.bot_id)
    result = await rig.runtime.execute(spec.bot_id, SAY, 10)
    assert (result.exit_code, result.output) == (3, "hello\noh")
    assert await seen(rig, spec.bot_id) == before


async def test_a_program_that_is_not_in_the_image_ends_at_once(rig: Rig) -> None:
    """With one of the two codes that shells use for that, and its name."""
    spec = await rig.running()
    result = await rig.runtime.execute(spec.bot_id, (ABSENT_PROGRAM,), 10)
    assert result.exit_code in {126, 127}
    assert ABSENT_PROGRAM in result.output


async def test_nothing_is_run_inside_what_does_not_run(rig: Rig) -> None:
    """Made, paused or stopped: not ready, and the container stays as it is."""
    spec = await rig.created()
    for change, state in (
        (None, ContainerState.CREATED),
        (rig.pause, ContainerState.PAUSED),
        (None, ContainerState.EXITED),
    ):
        if change is not None:
            await rig.runtime.start(spec.bot_id)
            change(spec.bot_id)
        elif state is ContainerState.EXITED:
            await rig.runtime.stop(spec.bot_id, 5)
        with pytest.raises(NotReady) as caught:
            await rig.runtime.execute(spec.bot_id, SAY, 10)
        assert caught.value.code == "not-running"
        assert (await seen(rig, spec.bot_id)).state is state


async def test_a_program_that_takes_too_long_is_given_up(rig: Rig) -> None:
    """Its outcome is unknown; the bot goes on, and the next program is run."""
    rig.expect_execute(0, "", seconds=60)
    spec = await rig.running()
    before = await seen(rig, spec.bot_id)
    began = time.monotonic()
    with pytest.raises(OutcomeUnknown) as caught:
        await rig.runtime.execute(spec.bot_id, WAIT, 0.5)
    assert caught.value.code == "action-timeout"
    assert 0.4 < time.monotonic() - began < 5
    rig.expect_execute(3, "hello\noh")
    assert (await rig.runtime.execute(spec.bot_id, SAY, 10)).exit_code == 3
    assert await seen(rig, spec.bot_id) == before


async def test_whoever_cancels_a_program_inside_is_free_at_once(rig: Rig) -> None:
    """A bot that is to be stopped does not wait for what is run in it."""
    rig.expect_execute(0, "", seconds=60)
    spec = await rig.running()
    waiting = asyncio.ensure_future(rig.runtime.execute(spec.bot_id, WAIT, 60))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    began = time.monotonic()
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting
    await rig.runtime.stop(spec.bot_id, 1)
    assert time.monotonic() - began < 5


@pytest.mark.parametrize(
    ("command", "timeout"), [((), 5), (("",), 5), (("a", "\0"), 5), (("a",), 0), (("a",), 1e6)]
)
async def test_what_is_no_command_never_reaches_the_engine(
    rig: Rig, command: tuple[str, ...], timeout: float
) -> None:
    """A program has a name, and a time that somebody may wait for."""
    away, spec = rig.unreachable(), rig.spec()
    with pytest.raises(BadInput):
        await away.execute(spec.bot_id, command, timeout)
    with pytest.raises(BadInput):
        await away.rehearse(spec, command, timeout)


# Rehearsals


async def test_a_rehearsal_answers_and_leaves_nothing(rig: Rig) -> None:
    """It tells its end and what it printed; the bot has no container and no volume of it."""
    rig.expect_rehearsal(3, "hello\noh")
    spec = rig.spec(state_path="/data", seeds=(SeedFile("a", "b"),))
    result = await rig.runtime.rehearse(spec, SAY, 20)
    assert (result.exit_code, sorted(result.output.split())) == (3, ["hello", "oh"])
    assert await rig.runtime.observe(spec.bot_id) is None
    assert await rig.runtime.list_containers() == []
    assert await rig.runtime.list_volumes() == []


async def test_a_rehearsal_beside_the_running_bot_does_not_touch_it(rig: Rig) -> None:
    """The old container runs while the new one's configuration is tried."""
    spec = await rig.running(state_path="/data")
    before = await seen(rig, spec.bot_id)
    await rig.runtime.rehearse(spec, SAY, 20)
    assert await seen(rig, spec.bot_id) == before
    assert [row.bot_id for row in await rig.runtime.list_containers()] == [spec.bot_id]


async def test_a_rehearsal_needs_what_the_bot_needs(rig: Rig) -> None:
    """Its image, its folders, a user that is not root."""
    with pytest.raises(ImageMissing):
        await rig.runtime.rehearse(rig.spec(image="botmaker-test-absent:1"), SAY, 5)
    for changes in ({"secrets_source": rig.absent_source()}, {"user": "0:0"}):
        with pytest.raises(BadSpec) as caught:
            await rig.runtime.rehearse(rig.spec(**changes), SAY, 5)
        assert str(rig.folder) not in str(caught.value)


# What an image has


async def test_an_image_tells_which_paths_it_has(rig: Rig) -> None:
    """Files, folders and links; nothing of it runs, and nothing stays."""
    paths = ("/bin/busybox", "/data", "/bin/sh", ABSENT_PROGRAM)
    assert await rig.runtime.image_has(rig.image, paths) == set(paths[:3])
    assert await rig.runtime.image_has(rig.image, ()) == frozenset()
    assert await rig.runtime.list_containers() == []


async def test_an_image_that_is_not_here_has_nothing_to_tell(rig: Rig) -> None:
    """It is missing, which is another thing than empty."""
    with pytest.raises(ImageMissing):
        await rig.runtime.image_has("botmaker-test-absent:1", ("/bin/sh",))


@pytest.mark.parametrize("path", ["", "bin/sh", "/../x", "/bin/../x", "/a//b", "/a\nb", "/"])
async def test_a_path_that_climbs_is_asked_of_no_image(rig: Rig, path: str) -> None:
    """Only plain absolute paths."""
    with pytest.raises(BadInput):
        await rig.unreachable().image_has(rig.image, (path,))


# Files for a bot's state

SEEDS = (
    SeedFile("SOUL.md", "be kind\n"),
    SeedFile("work/deep/NOTES.md", "äöü ✓"),
    SeedFile("work/RULES.md", "new rules", keep=False),
    SeedFile("work/EMPTY.md", ""),
)


async def test_seeds_are_in_the_volume_before_the_bot_ever_runs(rig: Rig) -> None:
    """All of them, with their text; a second create finds them and the container."""
    spec = await rig.created(state_path="/data", seeds=SEEDS)
    for seed in SEEDS:
        assert rig.state_file(spec, seed.path) == seed.text
    first = await seen(rig, spec.bot_id)
    assert await rig.runtime.create(spec) == first.container_id


async def test_a_new_container_keeps_what_is_to_be_kept_and_renews_the_rest(rig: Rig) -> None:
    """What the bot made of a kept file stays, an empty one too; a seed that is new comes in."""
    spec = await rig.running(state_path="/data", seeds=SEEDS)
    for path in ("SOUL.md", "work/RULES.md"):
        await rig.write_state(spec, path, "the bot's own words")
    await rig.write_state(spec, "work/deep/NOTES.md", "")
    await rig.runtime.remove(spec.bot_id, 1)
    seeds = (*SEEDS, SeedFile("work/other/LATER.md", "came later"))
    await rig.created(bot_id=spec.bot_id, state_path="/data", seeds=seeds)
    assert rig.state_file(spec, "SOUL.md") == "the bot's own words"
    assert rig.state_file(spec, "work/deep/NOTES.md") == ""
    assert rig.state_file(spec, "work/RULES.md") == "new rules"
    assert rig.state_file(spec, "work/other/LATER.md") == "came later"


async def test_a_folder_in_the_place_of_a_seed_is_never_removed(rig: Rig) -> None:
    """A kept seed gives way; one that has to be new is refused, and no container is made."""
    spec = await rig.running(state_path="/data", seeds=(SeedFile("other", "x"),))
    await rig.write_state(spec, "SOUL.md/inside", "a folder's file")
    await rig.runtime.remove(spec.bot_id, 1)
    again = {"bot_id": spec.bot_id, "state_path": "/data"}
    with pytest.raises(BadSpec) as caught:
        await rig.created(**again, seeds=(SeedFile("SOUL.md", "x", keep=False),))
    assert "SOUL.md" in caught.value.message
    assert await rig.runtime.observe(spec.bot_id) is None
    await rig.created(**again, seeds=(SeedFile("SOUL.md", "x"), SeedFile("new.md", "y")))
    assert rig.state_file(spec, "SOUL.md/inside") == "a folder's file"
    assert rig.state_file(spec, "new.md") == "y"


async def test_a_file_in_the_place_of_a_seeds_folder_is_never_removed(rig: Rig) -> None:
    """The same the other way round."""
    spec = await rig.created(state_path="/data", seeds=(SeedFile("work", "a file"),))
    await rig.runtime.remove(spec.bot_id, 1)
    again = {"bot_id": spec.bot_id, "state_path": "/data"}
    with pytest.raises(BadSpec):
        await rig.created(**again, seeds=(SeedFile("work/deep/x", "x", keep=False),))
    await rig.created(**again, seeds=(SeedFile("work/deep/x", "x"),))
    assert rig.state_file(spec, "work") == "a file"


async def test_the_volume_takes_its_seeds_with_it(rig: Rig) -> None:
    """After the volume's end a new bot of that id begins anew."""
    spec = await rig.running(state_path="/data", seeds=SEEDS)
    await rig.write_state(spec, "SOUL.md", "the bot's own words")
    await rig.runtime.remove(spec.bot_id, 1)
    await rig.runtime.remove_volume(spec.bot_id)
    await rig.runtime.create(spec)
    assert rig.state_file(spec, "SOUL.md") == "be kind\n"


HOSTILE = ["", "/etc/x", "../x", "a/../../x", "a/..", ".", "a//b", "a/", "a\nb", "a\0", "a\\b"]


@pytest.mark.parametrize(
    "changes",
    [
        *({"seeds": (SeedFile(path, "x"),)} for path in [*HOSTILE, "x" * 256]),
        {"seeds": (SeedFile("a", "x"),), "state_path": ""},
        {"seeds": (SeedFile("a", "x"), SeedFile("a", "y"))},
        {"seeds": (SeedFile("a", "x"), SeedFile("a/b", "y"))},
        {"seeds": (SeedFile("a", "x" * (1 << 20)), SeedFile("b", "y"))},
    ],
)
async def test_a_seed_that_has_no_place_in_the_volume_is_refused(
    rig: Rig, changes: dict[str, Any]
) -> None:
    """Nothing is written outside of the volume, twice in one place, or without end."""
    spec = rig.spec(**{"state_path": "/data", **changes})
    with pytest.raises(BadSpec):
        await rig.runtime.create(spec)
    assert await rig.runtime.has_volume(spec.bot_id) is False

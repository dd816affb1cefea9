"""The promise of `runtime.protocol`, sentence by sentence, for every runtime that keeps it.

Here: looking, making, what is not ours, images. Next door: a bot's life, and its streams.
"""

from __future__ import annotations

import asyncio
import shutil
from typing import Any

import pytest

from controller.domain.errors import (
    BadInput,
    BadSpec,
    Conflict,
    EngineUnavailable,
    ImageMissing,
    NotFound,
)
from controller.domain.names import new_bot_id
from controller.domain.observation import ContainerState, Observation
from tests.runtime.rig import Rig, every_call, seen

SOME_ID = "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d"
BAD_IDS = ["", "x", "../images", "x/../y", SOME_ID.upper(), f"{SOME_ID}/..", "a" * 64]


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
    for name in ("observe", "start", "stop", "restart", "remove", "logs", "execute"):
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
        "rehearse": lambda: runtime.rehearse(spec, ("/bin/true",), 5),
        "image_has": lambda: runtime.image_has(rig.image, ("/bin/sh",)),
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


async def test_a_source_that_went_away_is_refused_at_the_start_too(rig: Rig) -> None:
    """Not only at the create: a folder may be removed while the bot is stopped."""
    spec = await rig.created()
    shutil.rmtree(spec.secrets_source)
    with pytest.raises(BadSpec):
        await rig.runtime.start(spec.bot_id)


async def test_an_unknown_pull_rule_is_bad_input(rig: Rig) -> None:
    """There are three rules."""
    with pytest.raises(BadInput):
        await rig.runtime.pin_image(rig.image, "sometimes")

"""The promise of `runtime.protocol` about saving what is in a bot's volume, and filling a new one.

Next door: test_contract_inside.py has the seeds.
"""

from __future__ import annotations

import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from controller.domain.errors import Conflict, ImageMissing, NotFound, OutcomeUnknown
from controller.domain.names import new_bot_id
from controller.domain.observation import ContainerState
from controller.domain.spec import ContainerSpec
from tests.runtime.rig import Rig, seen

STATE = "/state"


async def saved(rig: Rig, spec: ContainerSpec, path: Path, *, pause: bool = True) -> Path:
    """What is in the bot's volume, as a file."""
    with path.open("wb") as file:
        await rig.runtime.save_state(spec.bot_id, spec, file.write, pause=pause)
    return path


async def test_what_is_saved_fills_a_new_volume(rig: Rig, tmp_path: Path) -> None:
    """File by file, before the first run; doing it again changes nothing."""
    old = await rig.running(state_path=STATE)
    await rig.write_state(old, "notes.txt", "hello")
    await rig.write_state(old, "deep/er/two.txt", "é" * 10_000)
    archive = await saved(rig, old, tmp_path / "saved.tar")
    new_id = new_bot_id()
    new = replace(old, bot_id=new_id, secrets_source=rig.secrets(new_id))
    await rig.runtime.fill_state(new, archive)
    await rig.runtime.fill_state(new, archive)
    await rig.runtime.create(new)
    await rig.runtime.start(new.bot_id)
    assert rig.state_file(new, "notes.txt") == "hello"
    assert rig.state_file(new, "deep/er/two.txt") == "é" * 10_000


async def test_a_running_program_goes_on_in_the_same_run(rig: Rig, tmp_path: Path) -> None:
    """Also when whoever takes the state refuses it."""
    spec = await rig.running(state_path=STATE)
    await rig.write_state(spec, "notes.txt", "hello")
    before = await seen(rig, spec.bot_id)
    await saved(rig, spec, tmp_path / "saved.tar")
    assert await seen(rig, spec.bot_id) == before

    def refuse(_: bytes) -> None:
        raise OutcomeUnknown("nobody wants it")

    with pytest.raises(OutcomeUnknown):
        await rig.runtime.save_state(spec.bot_id, spec, refuse, pause=True)
    assert await seen(rig, spec.bot_id) == before


async def test_the_state_of_a_bot_without_a_container_is_saved_too(
    rig: Rig, tmp_path: Path
) -> None:
    """Through its image; without a spec there is nothing to open it with."""
    spec = await rig.running(state_path=STATE)
    await rig.write_state(spec, "notes.txt", "hello")
    await rig.runtime.remove(spec.bot_id, 1)
    archive = await saved(rig, spec, tmp_path / "saved.tar")
    with tarfile.open(archive) as found:
        assert "notes.txt" in {name.removeprefix("./") for name in found.getnames()}
    with pytest.raises(NotFound):
        await rig.runtime.save_state(spec.bot_id, None, lambda _: None, pause=True)
    assert await rig.runtime.observe(spec.bot_id) is None


async def test_what_is_not_ours_or_not_there_is_neither_saved_nor_filled(
    rig: Rig, tmp_path: Path
) -> None:
    """No volume, somebody else's volume, no image: refused, and nothing is made."""
    old = await rig.running(state_path=STATE)
    archive = await saved(rig, old, tmp_path / "saved.tar")
    other = new_bot_id()
    spec = replace(old, bot_id=other, secrets_source=rig.secrets(other))
    with pytest.raises(NotFound):
        await rig.runtime.save_state(other, spec, lambda _: None, pause=True)
    with pytest.raises(ImageMissing):
        await rig.runtime.fill_state(replace(spec, image="example/absent:1"), archive)
    assert not await rig.runtime.has_volume(other)
    rig.make_foreign_volume(spec.name)
    with pytest.raises(Conflict):
        await rig.runtime.fill_state(spec, archive)
    with pytest.raises(NotFound):
        await rig.runtime.save_state(other, spec, lambda _: None, pause=True)
    assert rig.has_foreign_volume(spec.name)


async def test_a_stopped_bots_state_is_saved_and_it_stays_stopped(rig: Rig, tmp_path: Path) -> None:
    """Nothing of it is started for that."""
    spec = await rig.running(state_path=STATE)
    await rig.write_state(spec, "notes.txt", "hello")
    await rig.runtime.stop(spec.bot_id, 1)
    await saved(rig, spec, tmp_path / "saved.tar")
    assert (await seen(rig, spec.bot_id)).state is ContainerState.EXITED

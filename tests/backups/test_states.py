"""Bots' states: read while the bot stands still, and put into a new volume before its first run."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from controller.domain.errors import ControllerError, ImageMissing
from controller.domain.observation import ContainerState
from controller.domain.phase import Phase
from controller.manager.restore_files import STATES
from tests.backups.reopened import reopened
from tests.backups.safe import backed_up, empty, restored
from tests.manager.rig import ANN_ASKS, PLAIN, Rig

FILES = {"notes/one.txt": "é" * 3_000_000, "empty": ""}


async def test_a_state_comes_back_before_the_bots_first_run(rig: Rig, tmp_path: Path) -> None:
    """Byte by byte, also one of several parts; then its archive is gone."""
    bot = await rig.running()
    rig.runtime.seeded[bot.id] = dict(FILES)
    new = tmp_path / "new"
    await restored(await backed_up(rig, volumes=True), empty(new), start=True)
    async with reopened(rig, new) as other:
        other.run()
        await other.becomes(bot, Phase.RUNNING)
        assert other.runtime.seeded[bot.id] == FILES
        assert not (new / "data" / STATES).exists()


async def test_a_volume_that_is_there_already_is_never_written_over(
    rig: Rig, tmp_path: Path
) -> None:
    """The bot stays stopped, with both ways out; a deleted bot takes its archive along."""
    bot = await rig.running()
    new = tmp_path / "new"
    await restored(await backed_up(rig, volumes=True), empty(new), start=True)
    async with reopened(rig, new) as other:
        other.runtime.volumes.add(bot.id)
        other.runtime.seeded[bot.id] = {"mine": "keep"}
        other.run()
        view = await other.becomes(bot, Phase.ERROR)
        assert view.bot.problem is not None
        assert view.bot.problem.code == "volume-exists"
        assert other.runtime.seeded[bot.id] == {"mine": "keep"}
        await other.manager.lifecycle.delete(ANN_ASKS, bot)
        await other.gone(bot)
        assert not (new / "data" / STATES).exists()


async def test_without_volumes_the_state_is_left_out_and_said_so(rig: Rig) -> None:
    """Nothing is asked of the engine then but which volumes there are."""
    from controller.manager.restoring import verify
    from tests.backups.safe import KEYS

    await rig.running()
    file = await backed_up(rig)
    with file.open("rb") as opened:
        found = await asyncio.to_thread(verify, opened, KEYS)
    assert [one.state for one in found.bots] == ["left out"]
    assert rig.runtime.calls["save_state"] == 0


async def test_a_template_can_have_its_bot_stopped_meanwhile(rig: Rig) -> None:
    """It runs again afterwards, and nobody calls that a crash."""
    text = (PLAIN % "unless-stopped").replace('"plain"', '"still"', 1)
    rig.template(text.replace('path = "/data"', 'path = "/data", backup = "stop"'), "still")
    await rig.restart()
    bot = await rig.running("still")
    before = rig.run_of(bot)
    seen: list[ContainerState] = []
    save = rig.runtime.do_save_state

    class Watching(type(rig.runtime)):  # type: ignore[misc]
        def do_save_state(self, *args: object) -> None:
            seen.append(rig.runtime.containers[bot.id].seen.state)
            save(*args)

    rig.runtime.__class__ = Watching
    await backed_up(rig, volumes=True)
    await rig.becomes(bot, Phase.RUNNING)
    assert seen == [ContainerState.EXITED]
    assert rig.run_of(bot) != before
    assert rig.view(bot).crashes == ()


async def test_one_state_that_cannot_be_read_fails_the_backup_and_not_its_bot(rig: Rig) -> None:
    """With the bot's name and the reason; no file is left, and the bot has no problem."""
    bot = await rig.running()
    await rig.manager.lifecycle.stop(ANN_ASKS, bot)
    await rig.becomes(bot, Phase.STOPPED)
    rig.runtime.do_remove(bot.id)
    rig.runtime.images.clear()
    rig.runtime.kept.clear()
    with pytest.raises(ControllerError) as caught:
        await backed_up(rig, volumes=True)
    assert bot.name in caught.value.message
    assert caught.value.code == ImageMissing.code
    assert list(rig.folder.glob("*.age")) == list(rig.folder.glob(".*.tmp")) == []
    assert rig.view(bot).bot.problem is None

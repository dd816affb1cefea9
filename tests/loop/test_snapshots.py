"""Copies of a bot's state: taken before an update, bounded, put back whatever dies meanwhile."""

from __future__ import annotations

import asyncio
import tarfile
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from controller.domain.bot import Bot, Wish
from controller.domain.errors import NotFound, NotReady
from controller.domain.journal import Kind
from controller.domain.phase import Phase
from controller.domain.release import Outcome
from controller.domain.snapshot import Snapshot
from tests.loop.test_releases import PROVING, releases, settled
from tests.manager.rig import ANN_ASKS, Gate, Rig, eventually

IMAGE = "example/plain:1"
COPIED = PROVING.replace(
    'state = { path = "/data" }', 'state = { path = "/data", snapshot = true, snapshots = 2 }'
)


@pytest.fixture
async def copied(rig: Rig) -> Rig:
    """An installation whose rich bots are copied before their updates."""
    assert COPIED != PROVING
    rig.template(COPIED, "rich")
    await rig.restart()
    return rig


async def with_state(rig: Rig, text: str = "one") -> Bot:
    """A proven bot with a file in its state."""
    bot = await rig.running("rich")
    await settled(rig, bot, 1)
    write(rig, bot, text)
    return rig.view(bot).bot


def write(rig: Rig, bot: Bot, text: str) -> None:
    """Let the bot write into its state."""
    rig.runtime.seeded[bot.id]["memory.txt"] = text


def read(rig: Rig, bot: Bot) -> str:
    """What is in its state."""
    return rig.runtime.seeded[bot.id]["memory.txt"]


async def update(rig: Rig, bot: Bot) -> None:
    """Update it to another build of its image."""
    rig.runtime.rebuild(IMAGE)
    await rig.manager.releases.update(ANN_ASKS, rig.view(bot).bot)


async def updated(rig: Rig, bot: Bot, number: int) -> None:
    """The same, until that release is the one."""
    await update(rig, bot)
    await settled(rig, bot, number)


async def listed(rig: Rig, bot: Bot) -> list[Snapshot]:
    """The bot's snapshots, newest first."""
    return await rig.manager.snapshots.listed(ANN_ASKS, bot)


async def restored(rig: Rig, bot: Bot) -> None:
    """Wait until a restore has ended and the bot runs."""
    await eventually(lambda: not rig.view(bot).bot.restoring, "its state is restored")
    await rig.becomes(bot, Phase.RUNNING)


def archive_of(rig: Rig, bot: Bot, number: int) -> Path:
    """The file of that snapshot."""
    (found,) = (rig.data / "snapshots" / bot.id).glob(f"{number}.*.tar")
    return found


def in_archive(rig: Rig, bot: Bot, number: int) -> str:
    """The file of the bot's state, in that snapshot."""
    with tarfile.open(archive_of(rig, bot, number)) as archive:
        file = archive.extractfile("./memory.txt")
        assert file is not None
        return file.read().decode()


async def test_a_state_is_copied_before_an_update_and_before_nothing_else(copied: Rig) -> None:
    """Before the new program's first run, privately; a change of settings copies nothing."""
    bot = await with_state(copied)
    await copied.edit(bot, greeting="ahoy")
    await settled(copied, bot, 2)
    assert await listed(copied, bot) == []
    await updated(copied, bot, 3)
    (found,) = await listed(copied, bot)
    assert (found.number, found.why, found.release) == (1, "update", 3)
    assert found.size > 0
    assert in_archive(copied, bot, 1) == "one"
    home = copied.data / "snapshots" / bot.id
    assert home.stat().st_mode & 0o777 == 0o700
    assert [file.stat().st_mode & 0o777 for file in home.iterdir()] == [0o600]
    (entry,) = await copied.entries(Kind.SNAPSHOT, bot=bot)
    assert (entry.data["what"], entry.data["number"]) == ("taken", 1)


async def test_a_template_that_asks_for_none_gets_none(rig: Rig) -> None:
    """Nothing is read or written for it."""
    rig.template(PROVING, "rich")
    await rig.restart()
    bot = await with_state(rig)
    await updated(rig, bot, 2)
    assert await listed(rig, bot) == []
    assert not (rig.data / "snapshots").exists()


async def test_only_the_newest_are_kept_and_all_go_with_the_bot(copied: Rig) -> None:
    """As many as the template says; the numbers go on."""
    bot = await with_state(copied)
    for number in (2, 3, 4):
        await updated(copied, bot, number)
    assert [one.number for one in await listed(copied, bot)] == [3, 2]
    await copied.manager.lifecycle.delete(ANN_ASKS, bot)
    await copied.gone(bot)
    assert not (copied.data / "snapshots" / bot.id).exists()


async def test_a_state_that_is_too_large_keeps_the_update_from_being_tried(rig: Rig) -> None:
    """The former container runs again as it was; nothing of the copy is left."""
    rig.template(COPIED.replace("snapshots = 2", 'snapshot_most = "20k"'), "rich")
    await rig.restart()
    bot = await with_state(rig, "x" * 30_000)
    await update(rig, bot)
    await eventually(lambda: rig.view(bot).bot.setback, "it's taken back")
    await rig.becomes(bot, Phase.RUNNING)
    setback = rig.view(bot).bot.setback
    assert setback is not None
    assert setback.code == "state-too-large"
    assert "The bot's state takes more than 20k" in setback.message
    assert (await releases(rig, bot))[-1] == (2, "update", Outcome.FAILED)
    assert list((rig.data / "snapshots" / bot.id).iterdir()) == []


async def test_an_update_that_fails_says_which_snapshot_has_the_state(copied: Rig) -> None:
    """The program that was tried may have changed it."""
    bot = await with_state(copied)
    await update(copied, bot)
    await eventually(lambda: copied.runtime.parked and copied.active(bot))
    copied.runtime.crash(bot.id, 3)
    await eventually(lambda: copied.view(bot).bot.setback, "it's taken back")
    setback = copied.view(bot).bot.setback
    assert setback is not None
    assert setback.message.endswith("Its state from before is snapshot 1.")


async def test_a_restore_brings_the_state_back_and_keeps_the_present_one(copied: Rig) -> None:
    """What was there becomes a snapshot; what came since is gone; it isn't a crash."""
    bot = await with_state(copied)
    await updated(copied, bot, 2)
    write(copied, bot, "two")
    copied.runtime.seeded[bot.id]["new.txt"] = "came since"
    before = copied.run_of(bot)
    await copied.manager.snapshots.restore(ANN_ASKS, bot, 1)
    await restored(copied, bot)
    assert read(copied, bot) == "one"
    assert "new.txt" not in copied.runtime.seeded[bot.id]
    assert copied.run_of(bot) != before
    found = await listed(copied, bot)
    assert [(one.number, one.why) for one in found] == [(2, "restore"), (1, "update")]
    assert copied.view(bot).crashes == ()
    assert copied.view(bot).bot.release == 2
    await copied.manager.snapshots.restore(ANN_ASKS, bot, 2)
    await restored(copied, bot)
    assert (read(copied, bot), copied.runtime.seeded[bot.id]["new.txt"]) == ("two", "came since")


async def test_a_stopped_bot_is_restored_and_stays_stopped(copied: Rig) -> None:
    """Its next start has the state."""
    bot = await with_state(copied)
    await updated(copied, bot, 2)
    write(copied, bot, "two")
    await copied.manager.lifecycle.stop(ANN_ASKS, bot)
    await copied.becomes(bot, Phase.STOPPED)
    await copied.manager.snapshots.restore(ANN_ASKS, bot, 1)
    await eventually(lambda: not copied.view(bot).bot.restoring)
    assert (copied.view(bot).bot.wish, copied.active(bot)) == (Wish.STOP, False)
    assert read(copied, bot) == "one"
    await copied.manager.lifecycle.start(ANN_ASKS, bot)
    await copied.becomes(bot, Phase.RUNNING)
    assert read(copied, bot) == "one"


async def test_what_cant_be_restored_changes_nothing(copied: Rig) -> None:
    """No such snapshot, a damaged one, or while a release is tried."""
    bot = await with_state(copied)
    await updated(copied, bot, 2)
    with pytest.raises(NotFound) as missing:
        await copied.manager.snapshots.restore(ANN_ASKS, bot, 7)
    assert missing.value.code == "no-such-snapshot"
    write(copied, bot, "two")
    archive = archive_of(copied, bot, 1)
    archive.write_bytes(archive.read_bytes()[:700])
    await copied.manager.snapshots.restore(ANN_ASKS, bot, 1)
    view = await copied.becomes(bot, Phase.ERROR)
    assert view.bot.problem is not None
    assert "is gone or damaged" in view.bot.problem.message
    assert read(copied, bot) == "two"
    await copied.manager.lifecycle.start(ANN_ASKS, bot)
    await copied.becomes(bot, Phase.RUNNING)
    assert read(copied, bot) == "two"


async def test_nothing_is_restored_while_a_release_is_tried(copied: Rig) -> None:
    """Its container has the volume."""
    bot = await with_state(copied)
    await updated(copied, bot, 2)
    reached, go_on = asyncio.Event(), asyncio.Event()

    async def hold(name: str) -> None:
        if name == "park":
            reached.set()
            await go_on.wait()

    copied.door = Gate(copied.runtime, hold)
    await copied.restart()
    await copied.becomes(bot, Phase.RUNNING)
    await copied.edit(bot, greeting="ahoy")
    await reached.wait()
    with pytest.raises(NotReady) as caught:
        await copied.manager.snapshots.restore(ANN_ASKS, bot, 1)
    assert caught.value.code == "being-tried"
    go_on.set()
    await settled(copied, bot, 3)


# The writes that touch the state, and who dies at them; the kill matrix has all others.
DEATHS = [
    ("save_state", "before"),
    ("save_state", "after"),
    ("remove_volume", "after"),
    ("fill_state", "before"),
    ("fill_state", "after"),
]


async def test_a_restore_is_finished_whoever_dies_in_it(copied: Rig) -> None:
    """At the end the bot runs with the snapshot's state, and what it replaced is a snapshot."""
    bot = await with_state(copied)
    await updated(copied, bot, 2)
    for name, when in DEATHS:
        write(copied, bot, f"present at {name}")
        reached = asyncio.Event()
        hold = _dying_at(name, reached)
        gate = Gate(copied.runtime, hold) if when == "before" else Gate(copied.runtime, None, hold)
        copied.door = gate
        await copied.restart()
        await copied.becomes(bot, Phase.RUNNING)
        number = min(one.number for one in await listed(copied, bot))
        wanted = in_archive(copied, bot, number)
        work = asyncio.create_task(copied.manager.snapshots.restore(ANN_ASKS, bot, number))
        await asyncio.wait_for(reached.wait(), 5)
        copied.door = copied.runtime
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        await copied.restart()
        await restored(copied, bot)
        assert read(copied, bot) == wanted, name
        newest = max(one.number for one in await listed(copied, bot))
        kept = in_archive(copied, bot, newest)
        assert kept == f"present at {name}", name
        assert not list((copied.data / "snapshots" / bot.id).glob(".*"))


def _dying_at(name: str, reached: asyncio.Event) -> Callable[[str], Awaitable[None]]:
    async def hold(call: str) -> None:
        if call == name:
            reached.set()
            await asyncio.Event().wait()

    return hold

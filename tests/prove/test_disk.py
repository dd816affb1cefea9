"""Full, read-only, foreign, damaged and locked storage is refused in words, or survived.
Next door: test_disk_clock.py has clocks that jump; tests/vault and tests/store test the parts."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from controller.domain.bot import Bot
from controller.domain.errors import BadSetting, ControllerError, StorageTrouble
from controller.store import Store, check_database, lock
from controller.vault import install_key
from tests.manager.rig import KEY, Rig
from tests.process.process import Controller, Place, eventually, open_place, said
from tests.prove.tally import Tally

ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not ROOT, reason="mounts and foreign owners need root")


@contextlib.contextmanager
def mounted(folder: Path, size: str = "512k") -> Iterator[Path]:
    """A small file system that nobody else uses."""
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size},mode=0700", "tmpfs", str(folder)], check=True
    )
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(folder: Path) -> Path:
    """A file that takes all free space."""
    file = folder / "filler"
    with contextlib.suppress(OSError), file.open("wb", buffering=0) as stream:
        while True:
            stream.write(b"\0" * 4096)
    return file


async def refusal(controller: Controller) -> str:
    """Start it and wait for its end: one sentence, status 78, no traceback."""
    controller.log_path.unlink(missing_ok=True)
    await controller.launch()
    assert controller.process is not None
    status = await asyncio.wait_for(controller.process.wait(), 15)
    assert "Traceback" not in controller.log, controller.log
    said = [line for line in controller.log.splitlines() if line.startswith("botmaker: ")]
    assert (status, len(said)) == (78, 1), controller.log
    return said[0]


@pytest.fixture
async def idle(
    tmp_path: Path, docker_client: docker.APIClient, demo_image: str, tally: Tally
) -> object:
    """A place whose controller isn't started yet."""
    tally.tried["disk faults"] += 1
    async with open_place(tmp_path, docker_client, start=False) as found:
        yield found


# A start


@needs_root
@pytest.mark.engine
@pytest.mark.parametrize("kind", ["data", "secrets"])
async def test_a_start_on_a_read_only_folder_says_so(idle: Place, kind: str) -> None:
    """On a read-only file system the sentence names the folder and says what to do."""
    folder = idle.controller.folder / kind
    with mounted(folder):
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        text = await refusal(idle.controller)
    assert str(folder) in text
    assert "read-only" in text.lower()


@needs_root
@pytest.mark.engine
@pytest.mark.parametrize("kind", ["data", "secrets"])
async def test_a_start_on_a_full_disk_says_so_and_works_once_there_is_room(
    idle: Place, kind: str, tally: Tally
) -> None:
    """No traceback and nothing half-created: once there is space, the same folders work."""
    if kind == "secrets" and not tally.full:
        pytest.skip("the same for the other folder: with --prove")
    folder = idle.controller.folder / kind
    with mounted(folder):
        filler = fill(folder)
        text = await refusal(idle.controller)
        assert str(folder) in text
        assert "full" in text
        assert "space" in text
        filler.unlink()
        await idle.controller.start()
        assert "no bots yet" in (await idle.ann.slash("bot list")).text
        assert await idle.controller.stop() == 0


@needs_root
@pytest.mark.engine
@pytest.mark.parametrize("name", ["botmaker.db", "lock", "install.key"])
async def test_a_folder_in_a_files_place_is_said(idle: Place, name: str) -> None:
    """The sentence names what is in the way."""
    (idle.controller.data / name).mkdir(parents=True)
    text = await refusal(idle.controller)
    assert str(idle.controller.data) in text


@pytest.mark.engine
async def test_a_database_that_another_program_holds_is_not_to_be_moved_away(
    idle: Place, tally: Tally
) -> None:
    """Locked isn't damaged or lost: the hint is to end the other program."""
    if not tally.full:
        pytest.skip("waits for SQLite's five seconds: with --prove")
    await idle.controller.start()
    await idle.controller.stop()
    other = sqlite3.connect(idle.controller.database, isolation_level=None)
    other.execute("PRAGMA locking_mode=EXCLUSIVE")
    other.execute("BEGIN EXCLUSIVE")
    try:
        text = await refusal(idle.controller)
    finally:
        other.close()
    assert "locked" in text
    assert "move it away" not in text
    assert "other program" in text
    await idle.controller.start()


@pytest.mark.skipif(not ROOT, reason="root alone becomes another user")
def test_a_data_folder_of_somebody_else_is_said(tmp_path: Path) -> None:
    """Without permission there, the error is BadSetting with the folder's name, not OSError."""
    from tests.vault.places import as_nobody

    folder = tmp_path / "data"
    folder.mkdir(mode=0o755)
    for parent in (tmp_path, *tmp_path.parents[:2]):
        parent.chmod(0o755)
    assert as_nobody(lambda: lock(folder)) == "data-dir-unusable"
    folder.chmod(0o700)
    assert as_nobody(lambda: install_key(folder)) == "not-permitted"


async def test_a_lost_wal_is_survived_and_a_torn_one_too(tmp_path: Path) -> None:
    """Without its WAL the file has an older state, with a torn WAL a prefix; both open."""
    store = await Store.open(tmp_path, KEY)
    await store.instance()
    await remember(store, "kept", "1")
    for name in ("gone", "torn"):
        copy = tmp_path / name
        copy.mkdir()
        for file in tmp_path.glob("botmaker.db*"):
            shutil.copy(file, copy)
    await store.close()
    (tmp_path / "gone" / "botmaker.db-wal").unlink()
    wal = tmp_path / "torn" / "botmaker.db-wal"
    wal.write_bytes(wal.read_bytes()[: wal.stat().st_size * 2 // 3] + b"\xff" * 50)
    for name in ("gone", "torn"):
        again = await Store.open(tmp_path / name, KEY)
        assert await again.instance()
        await remember(again, "new", "2")
        await again.close()
        assert await check_database(tmp_path / name / "botmaker.db") == ""


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
async def test_a_cut_off_database_is_refused_or_said_to_be_damaged(
    tmp_path: Path, share: float
) -> None:
    """It never counts as sound; the sentence names the file; not a byte of it changes."""
    await (await Store.open(tmp_path, KEY)).close()
    path = tmp_path / "botmaker.db"
    data = path.read_bytes()[: int(path.stat().st_size * share)]
    path.write_bytes(data)
    assert await check_database(path) != ""
    with contextlib.suppress(BadSetting, StorageTrouble):
        store = await Store.open(tmp_path, KEY)
        try:
            with pytest.raises(ControllerError):
                await everything(store)
        finally:
            await store.close()


async def remember(store: Store, key: str, value: str) -> None:
    """Write one fact, in a transaction of its own."""
    async with store.transaction() as write:
        await write.remember(key, value)


async def everything(store: Store) -> None:
    """Read everything a start reads."""
    await store.bots()
    await store.entries(limit=1)
    await store.crashes()


# A running controller


@needs_root
@pytest.mark.parametrize("kind", ["secrets", "data"])
async def test_a_disk_that_fills_up_under_a_form_changes_nothing_half(
    tmp_path: Path, tally: Tally, kind: str
) -> None:
    """Refused in words; old values intact, no copy left; with space the same form works."""
    tally.tried["disk faults"] += 1
    with mounted(tmp_path / kind, "1m" if kind == "data" else "128k"):
        rig = Rig.__new__(Rig)
        (tmp_path / "data").mkdir(exist_ok=True)
        prepared(rig, tmp_path)
        await rig.open()
        rig.run()
        bot = await rig.running()
        before = {p.name: p.read_text() for p in (rig.secrets / bot.id).iterdir()}
        filler = fill(tmp_path / kind)
        with pytest.raises(StorageTrouble) as caught:
            await write_much(rig, bot)
        assert "full" in str(caught.value)
        assert "space" in caught.value.hint
        if kind == "secrets":
            assert {p.name: p.read_text() for p in (rig.secrets / bot.id).iterdir()} == before
        assert rig.active(bot)
        filler.unlink()
        await rig.submit(bot, rotate=True, api_key="m" * 150)
        assert (rig.secrets / bot.id / "api_key").read_text() == "m" * 150
        assert sorted(os.listdir(rig.secrets / bot.id)) == sorted(before)
        assert await check_database(tmp_path / "data" / "botmaker.db") == ""
        await rig.kill()


async def write_much(rig: Rig, bot: Bot) -> None:
    """Rotate secrets, and add rows until the WAL's space is used up."""
    await rig.submit(bot, rotate=True, api_key="n" * 150)
    for _ in range(200):
        await remember(rig.store, "x", "y" * 4000)


def prepared(rig: Rig, folder: Path) -> None:
    """A rig in folders that may already exist."""
    fresh = Rig(folder / "rig") if (folder / "rig").mkdir() is None else rig
    rig.__dict__.update(fresh.__dict__)
    rig.folder, rig.data, rig.secrets = folder, folder / "data", folder / "secrets"


@pytest.mark.engine
async def test_a_database_held_by_another_program_for_a_moment_loses_nothing(idle: Place) -> None:
    """The person is told in time or the work is done late; afterwards all works as before."""
    await idle.controller.start()
    other = sqlite3.connect(idle.controller.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    try:
        late = await idle.ann.slash("bot create", name="shop", template="brisk")
        await asyncio.sleep(0.5)
    finally:
        other.execute("ROLLBACK")
        other.close()
    await said(late, "shop", 10)
    await eventually(lambda: idle.controller.rows("SELECT 1 FROM bot WHERE name = 'shop'"))
    await said(await idle.submit(await idle.open_form("shop")), "running")

"""Looking never changes anything: no command but `run` writes, creates or touches a file.
Next door: test_answers.py has what they say."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from controller.cli import offline
from controller.domain.errors import ControllerError
from controller.settings import Settings
from controller.store import Store
from controller.vault import Vault, remove_canary, store_canary
from tests.cli.places import read_only, reading_of, settings_for, snapshot, start_once

Look = Callable[[Settings], Awaitable[object]]


async def _doctor(settings: Settings) -> list[str]:
    said: list[str] = []
    await offline.doctor(reading_of(settings), said.append)
    return said


LOOKS: dict[str, Look] = {
    "list": offline.list_bots,
    "doctor": _doctor,
    "logs": lambda settings: offline.read_log(settings, "bee", 10),
    "history": lambda settings: offline.read_history(settings, "", 10),
    "verify": offline.verify_history,
}


@pytest.fixture(params=LOOKS)
def look(request: pytest.FixtureRequest) -> Look:
    return LOOKS[request.param]


async def _looked(look: Look, settings: Settings, folder: Path) -> None:
    """Look twice, whatever comes of it, and find everything as it was."""
    before = snapshot(folder)
    for _ in range(2):
        with contextlib.suppress(ControllerError):
            await look(settings)
        assert snapshot(folder) == before


async def test_a_fresh_folder_stays_empty(look: Look, tmp_path: Path) -> None:
    """Before the first start, no folder is created."""
    await _looked(look, settings_for(tmp_path), tmp_path)


async def test_an_installation_stays_as_it_is(look: Look, tmp_path: Path) -> None:
    """Paths, modes, owners, times and sizes, with a stopped controller's data."""
    await start_once(tmp_path, "bee", "ant")
    await _looked(look, settings_for(tmp_path), tmp_path)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts")
async def test_a_read_only_file_system_can_be_looked_at(look: Look, tmp_path: Path) -> None:
    """A stopped controller's database is read without the files that SQLite wants beside it."""
    await start_once(tmp_path, "bee")
    with read_only(tmp_path):
        await _looked(look, settings_for(tmp_path), tmp_path)
        assert [row["name"] for row in await offline.list_bots(settings_for(tmp_path))] == ["bee"]


@pytest.fixture
async def running(tmp_path: Path) -> AsyncIterator[Store]:
    """The installation of a controller that has its database open and has just written."""
    await start_once(tmp_path, "bee")
    store = await Store.open(tmp_path / "data", b"k" * 32)
    async with store.transaction() as write:
        await write.remember("fact", "just now")
    yield store
    await store.close()


async def test_a_running_controllers_files_stay_as_they_are(
    look: Look, running: Store, tmp_path: Path
) -> None:
    """Its log of writes and the index beside it too."""
    await _looked(look, settings_for(tmp_path), tmp_path)
    reader = await Store.open_read_only(tmp_path / "data")
    assert await reader.recall("fact") == "just now"
    await reader.close()


async def test_what_a_killed_controller_left_stays_as_it_is(look: Look, tmp_path: Path) -> None:
    """The log of writes that nobody has merged yet too."""
    await start_once(tmp_path, "bee")
    child = os.fork()
    if child == 0:
        try:
            base = sqlite3.connect(tmp_path / "data" / "botmaker.db")
            base.execute("INSERT INTO installation VALUES ('fact', 'at the last moment')")
            base.commit()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    await _looked(look, settings_for(tmp_path), tmp_path)
    reader = await Store.open_read_only(tmp_path / "data")
    assert await reader.recall("fact") == "at the last moment"
    await reader.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="foreign owners")
async def test_another_users_installation_keeps_its_owner(look: Look, tmp_path: Path) -> None:
    """Root looks at what user 4242 owns, and leaves nothing that he couldn't open."""
    await start_once(tmp_path, "bee")
    for path in (tmp_path, *tmp_path.rglob("*")):
        os.chown(path, 4242, 4242)
    await _looked(look, settings_for(tmp_path), tmp_path)


async def test_loose_modes_are_not_tightened(look: Look, tmp_path: Path) -> None:
    """A start does that."""
    await start_once(tmp_path, "bee")
    (tmp_path / "secrets").chmod(0o755)
    (tmp_path / "data" / "install.key").chmod(0o644)
    await _looked(look, settings_for(tmp_path), tmp_path)


def test_the_doctors_canary_leaves_no_trace(tmp_path: Path) -> None:
    """In between it is stored as a bot's secret is, and a start would sweep it away."""
    vault = Vault(tmp_path / "secrets")
    vault.open()
    before = snapshot(tmp_path)
    canary = store_canary(vault, "1000:1000")
    (file,) = canary.folder.iterdir()
    assert (file.read_text(), file.stat().st_mode & 0o777) == (canary.value, 0o600)
    assert (file.stat().st_uid, file.stat().st_gid) == canary.owner
    assert vault.bots() == ()
    remove_canary(canary)
    assert snapshot(tmp_path) == before
    store_canary(vault, "1000:1000")
    assert vault.sweep() == 1
    assert list(vault.root.iterdir()) == []


@pytest.mark.engine
async def test_the_doctor_tries_a_secret_in_a_container_and_leaves_no_trace(
    tmp_path: Path, demo_image: str
) -> None:
    """With a real engine; before the first start it doesn't try."""
    settings = settings_for(tmp_path, docker={})
    before = snapshot(tmp_path)
    assert "ℹ️ secrets: not tried before the first start" in await _doctor(settings)
    assert snapshot(tmp_path) == before
    await start_once(tmp_path)
    before = snapshot(tmp_path)
    assert any("✅ secrets: readable inside" in line for line in await _doctor(settings))
    assert snapshot(tmp_path) == before


async def test_an_absent_key_is_not_created(tmp_path: Path) -> None:
    """Checking the journal with a fresh one would call it forged."""
    await start_once(tmp_path)
    (tmp_path / "data" / "install.key").unlink()
    with pytest.raises(ControllerError, match="no key"):
        await offline.verify_history(settings_for(tmp_path))
    assert not (tmp_path / "data" / "install.key").exists()

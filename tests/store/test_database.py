"""The database file: schemas, refusals, kills and full disks, on a real disk."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.domain.errors import BadSetting, StorageTrouble
from controller.store import Store, chain, check_database, lock
from controller.store.database import Database, migrations

HEAD = max(migrations())
KEY = bytes(range(32))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "botmaker.db"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    database = await opened(path)
    yield database
    await database.close()


async def opened(path: Path) -> Database:
    return await Database.open(path, chain.chaining(KEY))


async def execute(database: Database, sql: str, *values: object) -> int:
    """One statement in a transaction of its own; how many rows it changed."""
    async with database.transaction() as connection:
        return (await connection.execute(sql, values)).rowcount


def schema_of(path: Path) -> list[tuple[str, str]]:
    """Every table, index and trigger with its text."""
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
    connection.close()
    return rows


def make_old(path: Path, version: int) -> None:
    """A file as the program of that schema left it."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.create_function("journal_mac", -1, chain.chaining(KEY))
    for number in range(1, version + 1):
        connection.executescript(migrations()[number])
    connection.close()


def no_thread_is_left() -> bool:
    """Whether only the main thread and asyncio's idle ones are there, or soon will be."""
    end = time.monotonic() + 2
    while (left := _threads()) and time.monotonic() < end:
        time.sleep(0.005)
    return not left


def _threads() -> list[threading.Thread]:
    others = (one for one in threading.enumerate() if one is not threading.main_thread())
    return [one for one in others if not one.name.startswith("asyncio_")]


def version_of(path: Path) -> int:
    connection = sqlite3.connect(path)
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.close()
    return int(version)


# Schemas


async def test_an_empty_folder_gets_the_newest_schema(path: Path) -> None:
    """From nothing to head in one open; a second open changes nothing."""
    await (await opened(path)).close()
    assert version_of(path) == HEAD
    before = schema_of(path)
    await (await opened(path)).close()
    assert schema_of(path) == before


def test_the_scripts_are_numbered_without_a_gap_and_carry_their_version() -> None:
    """Each runs in a transaction of its own that also sets user_version."""
    scripts = migrations()
    assert list(scripts) == list(range(1, HEAD + 1))
    for number, text in scripts.items():
        assert text.strip().startswith("BEGIN IMMEDIATE;")
        assert f"PRAGMA user_version = {number};" in text
        assert text.strip().endswith("COMMIT;")


@pytest.mark.parametrize("version", range(1, HEAD + 1))
async def test_every_shipped_schema_comes_to_the_newest(path: Path, version: int) -> None:
    """An older file ends with the same tables as a new one, and keeps a copy from before."""
    make_old(path, version)
    fresh = path.with_name("fresh.db")
    await (await opened(fresh)).close()
    await (await opened(path)).close()
    assert version_of(path) == HEAD
    assert schema_of(path) == schema_of(fresh)
    copies = sorted(path.parent.glob("botmaker.db.before-*"), key=version_of)
    assert [version_of(copy) for copy in copies] == list(range(version, HEAD))


def test_the_tables_are_strict_with_foreign_keys(path: Path) -> None:
    """Every table is STRICT, so that a number cannot become a text unseen."""
    make_old(path, HEAD)
    own = [(name, sql) for name, sql in schema_of(path) if not name.startswith("sqlite_")]
    tables = [sql for _, sql in own if sql and sql.startswith("CREATE TABLE")]
    assert tables
    assert all("STRICT" in sql.rpartition(")")[2] for sql in tables)


async def test_a_wrong_type_is_refused(database: Database) -> None:
    """STRICT holds at run time."""
    with pytest.raises(StorageTrouble, match="cannot store TEXT"):
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO card VALUES ('a', 'b', 'no number', 1, 'c')")


async def test_the_file_is_safe_against_a_power_cut(database: Database) -> None:
    """WAL, synchronous FULL and foreign keys are on."""
    assert await database.read("PRAGMA journal_mode") == [("wal",)]
    assert await database.read("PRAGMA synchronous") == [(2,)]
    assert await database.read("PRAGMA foreign_keys") == [(1,)]


# Refusals


async def test_a_newer_file_is_refused_and_left_as_it_is(path: Path) -> None:
    """One sentence with both versions; not a byte changes, whatever journal the file has."""
    make_old(path, HEAD)
    connection = sqlite3.connect(path)
    connection.execute(f"PRAGMA user_version = {HEAD + 1}")
    connection.commit()
    connection.close()
    before = path.read_bytes()
    with pytest.raises(BadSetting) as caught:
        await opened(path)
    assert caught.value.code == "database-newer"
    assert f"schema {HEAD + 1}" in caught.value.message
    assert "newer program" in caught.value.hint
    assert path.read_bytes() == before
    assert not list(path.parent.glob("*.before-*"))


@pytest.mark.parametrize("content", [b"not a database" * 200, b"SQLite format 3\0" * 99])
async def test_a_file_that_is_no_database_is_said_with_its_remedy(
    path: Path, content: bytes
) -> None:
    """StorageTrouble names the file and what to do; the file stays for a look."""
    path.write_bytes(content)
    with pytest.raises(StorageTrouble) as caught:
        await opened(path)
    assert str(path) in caught.value.message
    assert "Restore" in caught.value.hint
    assert path.read_bytes() == content


async def test_a_place_where_no_file_can_be_is_said(tmp_path: Path) -> None:
    """A folder in the file's place is StorageTrouble too, not a traceback."""
    (tmp_path / "botmaker.db").mkdir()
    with pytest.raises(StorageTrouble) as caught:
        await Store.open(tmp_path, KEY)
    assert caught.value.hint
    assert no_thread_is_left()


def test_a_second_controller_is_refused_at_once(tmp_path: Path) -> None:
    """The lock names the folder and the way out, and is free again after the first ends."""
    first = lock(tmp_path)
    with pytest.raises(BadSetting) as caught:
        lock(tmp_path)
    assert caught.value.code == "data-dir-locked"
    assert str(tmp_path) in caught.value.message
    assert "BOTMAKER_DATA_DIR" in caught.value.hint
    os.close(first)
    os.close(lock(tmp_path))


def test_a_killed_controller_leaves_no_lock(tmp_path: Path) -> None:
    """The lock ends with its process, not with a file."""
    code = (
        "import sys, time; from pathlib import Path; from controller.store import lock;"
        "held = lock(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline() == b"held\n"
    with pytest.raises(BadSetting):
        lock(tmp_path)
    child.kill()
    child.wait()
    child.stdout.close()
    os.close(lock(tmp_path))


# Checks


async def test_a_sound_file_has_nothing_wrong(database: Database, path: Path) -> None:
    """Also beside an open writer."""
    assert await check_database(path) == ""


@pytest.mark.parametrize("kind", ["absent", "text", "newer", "folder", "damaged"])
async def test_what_is_wrong_with_a_file_is_said_in_words(path: Path, kind: str) -> None:
    """check_database answers with a sentence, never with an exception, and leaves no thread."""
    make_old(path, HEAD)
    if kind == "absent":
        path.unlink()
    elif kind == "text":
        path.write_bytes(b"no database" * 1000)
    elif kind == "folder":
        path.unlink()
        path.mkdir()
    elif kind == "newer":
        with sqlite3.connect(path) as connection:
            connection.execute("PRAGMA user_version = 99")
        connection.close()
    else:
        data = bytearray(path.read_bytes())
        data[4096 : 4096 * 4] = b"\xff" * 4096 * 3
        path.write_bytes(data)
    words = await check_database(path)
    assert words.startswith(("There is no database", "The database"))
    assert words.endswith(".")
    assert no_thread_is_left()


async def test_a_reader_beside_a_writer_sees_what_is_committed(path: Path) -> None:
    """open_read_only reads while a controller writes, and cannot write itself."""
    writer = await Store.open(path.parent, KEY)
    reader = await Store.open_read_only(path.parent)
    async with writer.transaction() as write:
        await write.remember("colour", "blue")
    assert await reader.recall("colour") == "blue"
    with pytest.raises(StorageTrouble):
        async with reader.transaction() as write:
            await write.remember("colour", "red")
    await reader.close()
    await writer.close()


async def test_a_reader_needs_a_file_of_this_schema(path: Path) -> None:
    """Without a file, or with one of another schema, BadSetting says what to do."""
    with pytest.raises(BadSetting, match="There is no database"):
        await Database.open_read_only(path)
    sqlite3.connect(path).close()
    with pytest.raises(BadSetting, match="another schema"):
        await Database.open_read_only(path)
    path.write_bytes(b"no database" * 1000)
    with pytest.raises(StorageTrouble):
        await Database.open_read_only(path)
    assert no_thread_is_left()


async def test_no_thread_is_left_after_a_close(path: Path) -> None:
    """aiosqlite's thread is no daemon: one left over would hang the end of the program."""
    database = await opened(path)
    assert threading.active_count() == 2
    await database.close()
    assert no_thread_is_left()


# Kills and full disks


_LOOP = """
import asyncio, sys
from pathlib import Path
from controller.store import Store

async def main():
    store = await Store.open(Path(sys.argv[1]), bytes(32))
    number = int(await store.recall("n") or 0)
    while True:
        number += 1
        async with store.transaction() as write:
            await write.remember("n", str(number))
        print(number, flush=True)

asyncio.run(main())
"""


async def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """Killed in the middle of its writes, three times over, the file holds the last word."""
    for _ in range(3):
        child = subprocess.Popen(
            [sys.executable, "-c", _LOOP, tmp_path], stdout=subprocess.PIPE, text=True
        )
        assert child.stdout is not None
        said = [int(child.stdout.readline()) for _ in range(60)]
        child.send_signal(signal.SIGKILL)
        said += [int(line) for line in child.stdout if line.endswith("\n")]
        child.wait()
        child.stdout.close()
        store = await Store.open(tmp_path, bytes(32))
        assert int(await store.recall("n")) in {said[-1], said[-1] + 1}
        await store.close()
        assert await check_database(tmp_path / "botmaker.db") == ""


@pytest.mark.skipif(os.geteuid() != 0, reason="mounts a small file system")
async def test_a_full_disk_is_said_and_passes(tmp_path: Path) -> None:
    """The write is refused with a hint; with room again the same connection writes."""
    small = tmp_path / "small"
    small.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", small], check=True)
    try:
        store = await Store.open(small, KEY)

        async def remember(key: str, value: str) -> None:
            async with store.transaction() as write:
                await write.remember(key, value)

        try:
            (small / "ballast").write_bytes(b"x" * 100_000)
            writes = (remember(f"k{n}", "x" * 20_000) for n in range(40))
            ends = await asyncio.gather(*writes, return_exceptions=True)
            refused = [end for end in ends if isinstance(end, StorageTrouble)]
            assert refused
            assert "free space" in refused[0].hint
            (small / "ballast").unlink()
            await remember("after", "all")
            assert await store.recall("after") == "all"
        finally:
            await store.close()
        assert await check_database(small / "botmaker.db") == ""
    finally:
        subprocess.run(["umount", "-l", small], check=True)
        shutil.rmtree(small)

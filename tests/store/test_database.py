"""The database file: schemas, transactions, refusals, kills and full disks, on a real disk."""

from __future__ import annotations

import asyncio
import contextlib
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
from typing import Any

import pytest

from controller.domain.errors import BadSetting, StorageTrouble
from controller.store import Store, check_database, lock
from controller.store.database import Database, migrations

HEAD = max(migrations())


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "botmaker.db"


@pytest.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    database = await Database.open(path)
    yield database
    await database.close()


def schema_of(path: Path) -> list[tuple[str, str]]:
    """Every table, index and trigger with its text."""
    with sqlite3.connect(path) as connection:
        rows = connection.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
    connection.close()
    return rows


def make_old(path: Path, version: int) -> None:
    """A file as the program of that schema left it."""
    connection = sqlite3.connect(path, isolation_level=None)
    for number in range(1, version + 1):
        connection.executescript(migrations()[number])
    connection.close()


def no_thread_is_left() -> bool:
    """Whether only the main thread is there, or soon will be."""
    end = time.monotonic() + 2
    while threading.active_count() > 1 and time.monotonic() < end:
        time.sleep(0.005)
    return threading.active_count() == 1


def version_of(path: Path) -> int:
    connection = sqlite3.connect(path)
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    connection.close()
    return int(version)


# Schemas


async def test_an_empty_folder_gets_the_newest_schema(path: Path) -> None:
    """From nothing to head in one open; a second open changes nothing."""
    await (await Database.open(path)).close()
    assert version_of(path) == HEAD
    before = schema_of(path)
    await (await Database.open(path)).close()
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
    await (await Database.open(fresh)).close()
    await (await Database.open(path)).close()
    assert version_of(path) == HEAD
    assert schema_of(path) == schema_of(fresh)
    copies = sorted(path.parent.glob("botmaker.db.before-*"))
    assert [version_of(copy) for copy in copies] == list(range(version, HEAD))


def test_the_tables_are_strict_with_foreign_keys(path: Path) -> None:
    """Every table is STRICT, so that a number cannot become a text unseen."""
    make_old(path, HEAD)
    tables = [sql for _, sql in schema_of(path) if sql and sql.startswith("CREATE TABLE")]
    assert tables
    assert all(sql.endswith("STRICT") for sql in tables)


async def test_a_wrong_type_is_refused(database: Database) -> None:
    """STRICT holds at run time."""
    with pytest.raises(sqlite3.IntegrityError):
        await database.execute(
            "INSERT INTO card VALUES (?, ?, ?, ?, ?)", ["a", "b", "no number", 1, "c"]
        )


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
        await Database.open(path)
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
        await Database.open(path)
    assert str(path) in caught.value.message
    assert "Restore" in caught.value.hint
    assert path.read_bytes() == content


async def test_a_place_where_no_file_can_be_is_said(tmp_path: Path) -> None:
    """A folder in the file's place is StorageTrouble too, not a traceback."""
    (tmp_path / "botmaker.db").mkdir()
    with pytest.raises(StorageTrouble) as caught:
        await Store.open(tmp_path)
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
    writer = await Store.open(path.parent)
    reader = await Store.open_read_only(path.parent)
    await writer.remember("colour", "blue")
    assert await reader.recall("colour") == "blue"
    with pytest.raises(StorageTrouble):
        await reader.remember("colour", "red")
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
    database = await Database.open(path)
    assert threading.active_count() == 2
    await database.close()
    assert no_thread_is_left()


# Transactions


async def test_a_failed_transaction_leaves_nothing(database: Database) -> None:
    """What was written before the failure is rolled back, and the next write works."""

    async def work(connection: Any) -> None:
        await connection.execute("INSERT INTO installation VALUES ('a', 'b')")
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        await database.write(work)
    assert await database.read("SELECT * FROM installation") == []
    assert await database.execute("INSERT INTO installation VALUES ('a', 'b')") == 1


@pytest.mark.parametrize("turns", range(0, 24, 2))
async def test_a_cancelled_write_is_whole_or_absent(database: Database, turns: int) -> None:
    """Whenever its caller gives up, both rows are there or none, and the connection works."""

    async def work(connection: Any) -> None:
        await connection.execute("INSERT INTO installation VALUES ('a', '1')")
        await connection.execute("INSERT INTO installation VALUES ('b', '2')")

    caller = asyncio.create_task(database.write(work))
    for _ in range(turns):
        await asyncio.sleep(0)
    caller.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await caller
    assert await database.execute("INSERT INTO installation VALUES ('c', '3')") == 1
    rows = await database.read("SELECT key FROM installation WHERE key IN ('a', 'b')")
    assert len(rows) in {0, 2}


async def test_a_close_waits_for_the_transaction_under_way(path: Path) -> None:
    """A program that ends does not cut a write in half whose caller was cancelled."""
    database = await Database.open(path)
    begun = asyncio.Event()

    async def work(connection: Any) -> None:
        begun.set()
        for number in range(20):
            await connection.execute("INSERT INTO installation VALUES (?, '')", [str(number)])

    caller = asyncio.create_task(database.write(work))
    await begun.wait()
    caller.cancel()
    await database.close()
    again = await Database.open(path)
    rows = await again.read("SELECT count(*) FROM installation")
    await again.close()
    assert rows == [(20,)]


async def test_writes_at_once_follow_each_other(database: Database) -> None:
    """A hundred read-and-add transactions side by side lose none."""
    await database.execute("INSERT INTO installation VALUES ('n', '0')")

    async def add(connection: Any) -> None:
        sql = "SELECT value FROM installation WHERE key = 'n'"
        value = int(next(iter(await connection.execute_fetchall(sql)))[0])
        await asyncio.sleep(0)
        await connection.execute(
            "UPDATE installation SET value = ? WHERE key = 'n'", [str(value + 1)]
        )

    await asyncio.gather(*(database.write(add) for _ in range(100)))
    assert await database.read("SELECT value FROM installation WHERE key = 'n'") == [("100",)]


_LOOP = """
import asyncio, sys
from pathlib import Path
from controller.store import Store

async def main():
    store = await Store.open(Path(sys.argv[1]))
    number = int(await store.recall("n") or 0)
    while True:
        number += 1
        await store.remember("n", str(number))
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
        store = await Store.open(tmp_path)
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
        store = await Store.open(small)
        try:
            (small / "ballast").write_bytes(b"x" * 100_000)
            writes = (store.remember(f"k{n}", "x" * 20_000) for n in range(40))
            ends = await asyncio.gather(*writes, return_exceptions=True)
            refused = [end for end in ends if isinstance(end, StorageTrouble)]
            assert refused
            assert "free space" in refused[0].hint
            (small / "ballast").unlink()
            await store.remember("after", "all")
            assert await store.recall("after") == "all"
        finally:
            await store.close()
        assert await check_database(small / "botmaker.db") == ""
    finally:
        subprocess.run(["umount", "-l", small], check=True)
        shutil.rmtree(small)

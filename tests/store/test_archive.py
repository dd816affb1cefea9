"""Monthly files of old entries: whole or absent, in order, one chain through files and table."""

from __future__ import annotations

import gzip
import json
import sqlite3
import stat
import time
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from controller.domain.errors import StorageTrouble
from controller.domain.journal import Entry, Kind
from controller.fleet.journal import BATCH, Journal
from controller.fleet.threads import Threads
from controller.manager.history import verify
from controller.store import Store, archive, chain
from tests.disk_order import DiskOrder

KEY = bytes(range(32))


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def rows_of(*moments: str, first: int = 1) -> list[tuple[Any, ...]]:
    """Chained rows of these moments, with odd text in them."""
    made: list[tuple[Any, ...]] = []
    before = chain.START
    for seq, moment in enumerate(moments, 1):
        row = (seq, at(moment), "noted", "", "é \0 😀 \u2028\r\n", "system", "", "", "", 0, "{}")
        before = chain.mac(KEY, before, row)
        made.append((*row, before))
    return made[first - 1 :]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "journal"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(tmp_path, KEY)
    yield store
    await store.close()


@pytest.fixture
def threads() -> Iterator[Threads]:
    threads = Threads()
    yield threads
    threads.close()


@pytest.mark.parametrize(
    ("now", "count", "begins"),
    [
        ("2026-11-15", 0, "2026-11-01"),
        ("2026-11-15", 2, "2026-09-01"),
        ("2026-01-31T23:59:59", 1, "2025-12-01"),
        ("2026-02-01", 2, "2025-12-01"),
        ("2026-12-31", 12, "2025-12-01"),
    ],
)
def test_months_are_counted_back_over_the_new_year(now: str, count: int, begins: str) -> None:
    """In UTC, from the first of the month."""
    assert archive.months_before(at(now), count) == at(begins)
    assert archive.month_of(at(begins)) == begins[:7]
    assert archive.month_of(at(begins) - 0.001) < begins[:7]


def test_entries_go_to_the_files_of_their_months(folder: Path) -> None:
    """Private, compressed lines of JSON; read back equal, oldest first, with a sound chain."""
    rows = rows_of("2026-01-31T23:59:59", "2026-02-01", "2026-02-28", "2026-12-31")
    archive.add(folder, rows)
    assert names(folder) == ["2026-01.jsonl.gz", "2026-02.jsonl.gz", "2026-12.jsonl.gz"]
    assert list(archive.read(folder)) == rows
    assert chain.check(KEY, archive.read(folder)).fault == ""
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()} == {0o600}


def test_a_month_is_on_the_disk_before_its_entries_leave_the_table(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its content before its name, and the names of the file and of the folder after that."""
    order = DiskOrder(monkeypatch)
    archive.add(folder, rows_of("2026-01-01", "2026-02-01"))
    assert order.names() == {"2026-01.jsonl.gz", "2026-02.jsonl.gz"}
    assert (order.too_early(), order.unsure()) == ([], [])


def test_a_clock_set_back_keeps_the_order(folder: Path) -> None:
    """The entry goes to the month of the one before it, also in a later call."""
    rows = rows_of("2026-03-05", "2026-01-01", "2026-03-06", "2026-02-01", "2026-04-01")
    archive.add(folder, rows[:3])
    archive.add(folder, rows[3:])
    assert names(folder) == ["2026-03.jsonl.gz", "2026-04.jsonl.gz"]
    assert list(archive.read(folder)) == rows


@pytest.mark.parametrize("split", range(6))
def test_adding_twice_changes_nothing(folder: Path, split: int) -> None:
    """A kill between the file and the table, or between two months' files, doubles nothing."""
    rows = rows_of("2026-01-01", "2026-01-02", "2026-02-01", "2026-02-02", "2026-03-01")
    archive.add(folder, rows[:split])
    archive.add(folder, rows)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    archive.add(folder, rows)
    archive.add(folder, rows[1:3])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before
    assert list(archive.read(folder)) == rows


def test_what_a_kill_left_is_overwritten_and_never_read(folder: Path) -> None:
    """A half-written file stands under another name; the next write takes its place."""
    rows = rows_of("2026-01-01", "2026-01-02")
    archive.add(folder, rows[:1])
    (folder / ".2026-01.jsonl.gz.tmp").write_bytes(b"half")
    (folder / "copy of 2026-01.jsonl.gz").write_bytes(b"somebody's")
    assert list(archive.read(folder)) == rows[:1]
    archive.add(folder, rows)
    assert names(folder) == ["2026-01.jsonl.gz", "copy of 2026-01.jsonl.gz"]
    assert list(archive.read(folder)) == rows


def test_nothing_is_archived_yet(folder: Path) -> None:
    """No folder, no entries, no error."""
    assert list(archive.read(folder)) == []
    archive.add(folder, [])
    assert list(archive.read(folder)) == []


def damaged(whole: bytes) -> dict[str, bytes]:
    line = json.dumps([*range(1, 12), "zz"]) + "\n"
    return {
        "text": b"not compressed",
        "torn": whole[:-12],
        "bit": whole[:20] + bytes([whole[20] ^ 0xFF]) + whole[21:],
        "no hash": gzip.compress(line.encode()),
        "no json": gzip.compress(b"{\n"),
        "a number": gzip.compress(b"5\n"),
        "short": gzip.compress(b'[1, "aa"]\n'),
        "no number": gzip.compress(line.replace("[1", '["1"').replace("zz", "00").encode()),
        "no text": gzip.compress(b"\xff\xfe\n"),
    }


@pytest.mark.parametrize("kind", damaged(b"x" * 30))
def test_a_damaged_file_is_told_and_kept(folder: Path, kind: str) -> None:
    """By its name, with what to do, by reading and by adding; it isn't overwritten."""
    rows = rows_of("2026-01-01", "2026-01-02", "2026-01-03")
    archive.add(folder, rows[:2])
    path = folder / "2026-01.jsonl.gz"
    content = damaged(path.read_bytes())[kind]
    path.write_bytes(content)
    for work in (lambda: list(archive.read(folder)), lambda: archive.add(folder, rows)):
        with pytest.raises(StorageTrouble, match=r"2026-01\.jsonl\.gz is damaged") as caught:
            work()
        assert "backup" in caught.value.hint
    assert path.read_bytes() == content
    assert names(folder) == ["2026-01.jsonl.gz"]


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    """A file in its place is StorageTrouble with what to look at."""
    (tmp_path / "journal").write_text("a file")
    with pytest.raises(StorageTrouble, match="could not be written") as caught:
        archive.add(tmp_path / "journal", rows_of("2026-01-01"))
    assert caught.value.hint


# The journal through its files


async def write(store: Store, *moments: float) -> None:
    async with store.transaction() as write:
        for moment in moments:
            await write.append(Entry(at=moment, kind=Kind.NOTED, bot_name="a\0😀"))


def months_ago(count: int, days: float = 1.0) -> float:
    return archive.months_before(time.time(), count) + days * 86_400


async def in_table(store: Store) -> list[int]:
    return [row[0] for row in await store.chained(limit=10_000)]


async def test_whole_old_months_leave_the_table(
    store: Store, folder: Path, threads: Threads
) -> None:
    """The present month and the two before it stay; a second time there is nothing to move."""
    journal = Journal(store, folder, threads)
    old = [months_ago(14), months_ago(3, 27.9), archive.months_before(time.time(), 2) - 0.001]
    await write(store, *old, archive.months_before(time.time(), 2), months_ago(1), time.time())
    before = chain.check(KEY, await store.chained())
    assert await journal.archive() == 3
    assert await in_table(store) == [4, 5, 6]
    assert len(names(folder)) == 2
    assert await journal.archive() == 0
    assert await verify(store, folder, KEY, threads) == before
    await write(store, time.time())
    assert await in_table(store) == [4, 5, 6, 7]
    checked = await verify(store, folder, KEY, threads)
    assert (checked.entries, checked.fault) == (7, "")


async def test_the_newest_entry_stays_however_old_it_is(
    store: Store, folder: Path, threads: Threads
) -> None:
    """The next one is chained to it, also after years without any; more than one batch goes."""
    journal = Journal(store, folder, threads)
    assert await journal.archive() == 0
    await write(store, *(months_ago(30) + n for n in range(BATCH + 5)))
    assert await journal.archive() == BATCH + 4
    assert await in_table(store) == [BATCH + 5]
    await write(store, time.time())
    checked = await verify(store, folder, KEY, threads)
    assert (checked.entries, checked.fault) == (BATCH + 6, "")
    assert await journal.archive() == 1


async def test_a_clock_that_was_wrong_once_keeps_nothing_in_the_table(
    store: Store, folder: Path, threads: Threads
) -> None:
    """An entry from the future goes when old ones follow it; with recent ones behind it stays."""
    journal = Journal(store, folder, threads)
    ahead = time.time() + 1e9
    await write(store, months_ago(9), ahead, months_ago(8), ahead, time.time())
    assert await journal.archive() == 3
    assert await in_table(store) == [4, 5]
    assert (await verify(store, folder, KEY, threads)).fault == ""


async def test_a_kill_between_file_and_table_loses_and_doubles_nothing(
    store: Store, folder: Path, threads: Threads
) -> None:
    """The same entries in both are read once; the next archiving ends what was begun."""
    await write(store, *(months_ago(5) + n for n in range(4)), time.time())
    archive.add(folder, (await store.chained())[:3])
    checked = await verify(store, folder, KEY, threads)
    assert (checked.entries, checked.fault) == (5, "")
    assert await Journal(store, folder, threads).archive() == 4
    assert await verify(store, folder, KEY, threads) == checked
    assert [row[0] for row in archive.read(folder)] == [1, 2, 3, 4]


async def test_a_disk_that_refuses_keeps_the_entries_in_the_table(
    store: Store, folder: Path, threads: Threads
) -> None:
    """What could not be written to a file isn't removed."""
    await write(store, months_ago(5), time.time())
    folder.write_text("a file")
    with pytest.raises(StorageTrouble):
        await Journal(store, folder, threads).archive()
    assert await in_table(store) == [1, 2]


async def archived(store: Store, folder: Path, threads: Threads) -> None:
    await write(store, months_ago(8), months_ago(7), months_ago(6), time.time(), time.time())
    assert await Journal(store, folder, threads).archive() == 3
    assert (await verify(store, folder, KEY, threads)).fault == ""


async def test_an_edit_in_a_file_is_found(store: Store, folder: Path, threads: Threads) -> None:
    """A changed word, a dropped line and one out of order each break the chain."""
    await archived(store, folder, threads)
    path = folder / names(folder)[1]
    whole = path.read_bytes()
    line = gzip.decompress(whole).decode()
    edits = {
        "entry 2 was changed": line.replace("noted", "asked"),
        "entry 2 is missing; the next one that exists is 3": "",
        "entry 2 was slipped in": line + line,
    }
    for fault, text in edits.items():
        path.write_bytes(gzip.compress(text.encode()))
        assert (await verify(store, folder, KEY, threads)).fault == fault
    path.write_bytes(whole)
    assert (await verify(store, folder, KEY, threads)).fault == ""


async def test_a_missing_file_is_found(store: Store, folder: Path, threads: Threads) -> None:
    """The first of them, one in between, or all of them."""
    await archived(store, folder, threads)
    first, second, third = (folder / name for name in names(folder))
    second.rename(folder / "away")
    missing = "entry {} is missing; the next one that exists is {}"
    assert (await verify(store, folder, KEY, threads)).fault == missing.format(2, 3)
    first.unlink()
    third.unlink()
    assert (await verify(store, folder, KEY, threads)).fault == missing.format(1, 4)


async def test_an_entry_slipped_into_the_table_again_is_found(
    store: Store, folder: Path, tmp_path: Path, threads: Threads
) -> None:
    """Its number is that of an archived one, so only the file knows what really happened."""
    await archived(store, folder, threads)
    shell = sqlite3.connect(tmp_path / "botmaker.db")
    shell.execute("DROP TRIGGER journal_only_grows")
    shell.execute(
        "INSERT INTO journal SELECT 2, at, kind, bot_id, 'x', principal_kind, principal_id, "
        "principal_name, request, cause, data, mac FROM journal WHERE seq = 4"
    )
    shell.commit()
    shell.close()
    assert (await verify(store, folder, KEY, threads)).fault == "entry 2 was slipped in"

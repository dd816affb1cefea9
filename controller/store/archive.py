"""Monthly files of old journal entries: one compressed line of JSON an entry, the chain in it.

Blocking: for a thread. A file is whole or not there, and writing the same entries twice changes
nothing, so a kill between writing a file and emptying the table loses and doubles nothing.
"""

from __future__ import annotations

import gzip
import json
import os
import zlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

from controller.domain.errors import StorageTrouble
from controller.store import chain

Row = Sequence[Any]
LINE_MAX = 16 << 20  # bytes of one entry
_FILES = "[0-9][0-9][0-9][0-9]-[0-9][0-9].jsonl.gz"  # nothing else in the folder is ours


def month_of(at: float) -> str:
    """The month of a moment, as files are named: `2026-11`."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m")


def months_before(now: float, count: int) -> float:
    """The beginning of the month that lies so many months before the present one."""
    today = datetime.fromtimestamp(now, UTC)
    month = today.year * 12 + today.month - 1 - count
    return datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC).timestamp()


def add(folder: Path, rows: Sequence[Row]) -> None:
    """Add entries (the columns, then the hash, oldest first) to the files of their months.

    Where a clock was set back, an entry goes to the month of the one before it: across the files
    numbers only grow. Raises StorageTrouble; what was there before is still there then.
    """
    try:
        if not folder.exists():
            folder.mkdir(mode=0o700, parents=True)
            _sync(folder.parent)
        month = max((path.name.partition(".")[0] for path in folder.glob(_FILES)), default="")
        by_month: dict[str, list[Row]] = {}
        for row in rows:
            month = max(month, month_of(row[1]))
            by_month.setdefault(month, []).append(row)
        for name, some in by_month.items():
            _extend(folder / f"{name}.jsonl.gz", some)
    except OSError as error:
        raise StorageTrouble(
            f"Old journal entries could not be written to {folder}: {error.strerror}.",
            hint="Check the free space and the permissions of the data folder.",
        ) from error


def read(folder: Path) -> Iterator[tuple[Any, ...]]:
    """Every archived entry, oldest first; StorageTrouble where a file can't be read."""
    for path in sorted(folder.glob(_FILES)):
        yield from _rows(path)


def behind(folder: Path, after: int, until: int) -> Iterator[tuple[Any, ...]]:
    """The archived entries behind the one number, up to the other, oldest first.

    A file that ends before them is read through, since only its lines tell. StorageTrouble where
    one can't be read.
    """
    for row in read(folder):
        if row[0] > until:
            return
        if row[0] > after:
            yield row


def _rows(path: Path) -> Iterator[tuple[Any, ...]]:
    try:
        with path.open("rb") as file:
            yield from rows_in(file, path.name)
    except OSError as error:
        raise _damaged(path.name) from error


def rows_in(file: BinaryIO, name: str) -> Iterator[tuple[Any, ...]]:
    """The entries of one month's file, oldest first; StorageTrouble where it makes no sense."""
    try:
        with gzip.open(file, "rb") as lines:
            while line := lines.readline(LINE_MAX):
                yield _row(line.decode())
    except (OSError, EOFError, ValueError, TypeError, RecursionError, zlib.error) as error:
        raise _damaged(name) from error


def _damaged(name: str) -> StorageTrouble:
    return StorageTrouble(
        f"The journal's file {name} is damaged.", hint="Restore it from a backup."
    )


def _row(line: str) -> tuple[Any, ...]:
    *columns, digest = json.loads(line)
    if len(columns) != chain.WIDTH or type(columns[0]) is not int:
        raise ValueError("not an entry")
    return (*columns, bytes.fromhex(digest))


def _extend(path: Path, rows: Sequence[Row]) -> None:
    before = path.read_bytes() if path.exists() else b""
    last = max((row[0] for row in _rows(path)), default=0) if before else 0
    lines = [
        json.dumps([*row[:-1], bytes(row[-1]).hex()], ensure_ascii=False) + "\n"
        for row in rows
        if row[0] > last
    ]
    if not lines:
        return
    fresh = path.with_name(f".{path.name}.tmp")
    with fresh.open("wb") as file:
        os.fchmod(file.fileno(), 0o600)
        file.write(before + gzip.compress("".join(lines).encode()))
        file.flush()
        os.fsync(file.fileno())
    fresh.rename(path)
    _sync(path.parent)


def _sync(folder: Path) -> None:
    """Have the names in a folder on the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

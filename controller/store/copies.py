"""Copies of the database in memory: made from a running one, and examined as a stranger's file."""

from __future__ import annotations

import io
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import aiosqlite

from controller.domain.errors import BadSetting, StorageTrouble
from controller.store import archive, chain
from controller.store.schema import newest_schema

_JOURNAL_SINCE = 5  # the schema that has a journal
_REFERENCE_SINCE = 6  # the schema whose bots have an image reference
# Where SQLite's file format says how a file is written. A copy in memory has no write-ahead log.
_WRITE_VERSION, _READ_VERSION = 18, 19


@dataclass(frozen=True, slots=True)
class CopiedBot:
    """A bot in a copy, of whichever schema."""

    id: str
    name: str
    template: str
    wish: str
    image: str
    image_ref: str


@dataclass(frozen=True, slots=True)
class Examined:
    """What a copy is of."""

    schema: int
    instance: str
    bots: tuple[CopiedBot, ...]  # by name
    journal: chain.Checked


async def copy_of(connection: aiosqlite.Connection) -> bytes:
    """All of the database as one sound file, by SQLite's own backup."""
    target = sqlite3.connect(":memory:", check_same_thread=False)
    # Not closed where this is cancelled: the connection's thread may still be writing to it.
    await connection.backup(target)
    data = target.serialize()
    target.close()
    return _without_log(data)


def without_usage(data: bytes) -> bytes:
    """The copy without what the bots used: figures of one machine, and most of a large database.
    Blocking."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    try:
        connection.deserialize(data)
        sql = "SELECT name FROM sqlite_master WHERE name IN ('usage', 'measured_bot')"
        found = {str(name) for (name,) in connection.execute(sql)}
        for table in ("usage", "measured_bot"):  # the first one refers to the other
            if table in found:
                connection.execute(f"DELETE FROM {table}")  # noqa: S608 - names of our own
        connection.execute("VACUUM")
        return _without_log(connection.serialize())
    except sqlite3.Error as error:
        raise StorageTrouble(f"The database can't be copied: {error}.") from error
    finally:
        connection.close()


def _without_log(data: bytes) -> bytes:
    return data[:_WRITE_VERSION] + b"\x01\x01" + data[_READ_VERSION + 1 :]


def examine_copy(data: bytes, key: bytes, months: Iterable[bytes]) -> Examined:
    """Check a copy: sound, not newer than the program, and its journal's chain unbroken.

    `months` are the journal's archived files, oldest first. Raises StorageTrouble, or BadSetting
    for a newer one. Blocking.
    """
    connection = sqlite3.connect(":memory:")
    try:
        connection.deserialize(data)
        connection.execute("PRAGMA trusted_schema=OFF")
        return _examined(connection, key, months)
    except (sqlite3.Error, OverflowError) as error:
        raise StorageTrouble(f"its database can't be read: {error}") from error
    finally:
        connection.close()


def _examined(connection: sqlite3.Connection, key: bytes, months: Iterable[bytes]) -> Examined:
    found = connection.execute("PRAGMA quick_check").fetchone()
    if found != ("ok",):
        raise StorageTrouble(f"its database is damaged: {found[0]}")
    schema = int(connection.execute("PRAGMA user_version").fetchone()[0])
    if schema > newest_schema():
        raise BadSetting(
            f"its database is of a newer BotMaker (schema {schema}; this program knows "
            f"{newest_schema()})"
        )
    sql = "SELECT value FROM installation WHERE key = 'instance'"
    instance = connection.execute(sql).fetchone()
    reference = "image_ref" if schema >= _REFERENCE_SINCE else "''"
    rows = connection.execute(
        f"SELECT id, name, template, wish, image, {reference} FROM bot ORDER BY name"  # noqa: S608
    ).fetchall()
    bots = tuple(CopiedBot(*map(str, row)) for row in rows)
    checked = chain.Checked(0, "")
    if schema >= _JOURNAL_SINCE:
        checked = chain.check(key, _entries(connection, months))
    return Examined(
        schema=schema,
        instance=str(instance[0]) if instance else "",
        bots=bots,
        journal=checked,
    )


def _entries(connection: sqlite3.Connection, months: Iterable[bytes]) -> Iterator[tuple[Any, ...]]:
    """Every entry, oldest first. An archived one that is still in the table counts once."""
    last = 0
    for month in months:
        for row in archive.rows_in(io.BytesIO(month), "of a backup"):
            last = row[0]
            yield row
    sql = f"SELECT {chain.COLUMNS}, mac FROM journal WHERE seq > ? ORDER BY seq"  # noqa: S608
    yield from connection.execute(sql, [last])

"""The database file: lock, open, migrate, transactions. What the tables hold is in `store`."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import aiosqlite

from controller.domain.disk_words import FAULTS, reason, starting
from controller.domain.errors import BadSetting, StorageTrouble
from controller.store.copies import copy_of
from controller.store.schema import migrations

Row = tuple[Any, ...]


def lock(folder: Path) -> int:
    """Take the data folder for this process; the file descriptor holds it until it is closed.

    Raises BadSetting at once when another controller has it, or when it cannot be written.
    """
    what = f"The data folder {folder} cannot be used"
    hint = (
        "The user that the controller runs as must be able to write there, and it needs some free "
        "space; or set BOTMAKER_DATA_DIR to another folder."
    )
    with starting(what, hint, code="data-dir-unusable"):
        handle = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise BadSetting(
                f"Another controller is using the data folder {folder}.",
                hint="Stop that one first, or set BOTMAKER_DATA_DIR to a folder of its own.",
                code="data-dir-locked",
            ) from None
        except OSError:
            os.close(handle)
            raise
    return handle


class Database:
    """One file, one writer connection. Every write is part of one immediate transaction."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection
        self._lock = asyncio.Lock()

    @classmethod
    async def open(cls, path: Path, journal_mac: Callable[..., bytes]) -> Database:
        """Open the file and bring it to this program's schema.

        `journal_mac` chains the entries that a migration carries over. Raises BadSetting for a file
        newer than the program, StorageTrouble for one that can't be read.
        """
        async with _opened(path, str(path)) as connection:
            version = await _version(connection)
            _refuse_newer(path, version)  # before the pragmas, which write
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
                await connection.execute(f"PRAGMA {pragma}")
            await connection.create_function("journal_mac", -1, journal_mac)
            await _migrate(connection, path, version)
            return cls(connection)

    @classmethod
    async def open_read_only(cls, path: Path, *, older: bool = False) -> Database:
        """Open beside a running controller, to read; BadSetting when there is no such schema.

        `older` takes one that the next start will bring up to date. Changes nothing in the folder,
        not even a time.
        """
        if not _exists(path):
            raise BadSetting(
                f"There is no database {path} yet.",
                hint="Start the controller once, or set BOTMAKER_DATA_DIR.",
                code="no-database",
            )
        async with _opened(path, _untouched(path)) as connection:
            version = await _version(connection)
            _refuse_newer(path, version)
            if version != max(migrations()) and not older:
                raise BadSetting(
                    f"The database {path} has another schema: it is of an older BotMaker.",
                    hint="Start this version once: that brings it up to date.",
                    code="database-older",
                )
            return cls(connection)

    async def read(self, sql: str, values: Sequence[Any] = ()) -> list[Row]:
        """All rows of one query. Never inside a transaction of one's own: it waits for its end."""
        async with self._lock:
            try:
                rows = await self._connection.execute_fetchall(sql, values)
            except sqlite3.Error as error:
                raise _trouble(error) from error
        return [tuple(row) for row in rows]

    async def copy(self) -> bytes:
        """All of it as one file in memory, as it is between two transactions."""
        async with self._lock:
            try:
                return await copy_of(self._connection)
            except sqlite3.Error as error:
                raise _trouble(error) from error

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[aiosqlite.Connection]:
        """Everything that the block writes is on the disk when it ends, or nothing is.

        Nobody else reads or writes meanwhile, so keep the block short. An error or a cancellation
        inside undoes it; a cancellation that meets the commit doesn't stop it.
        """
        async with self._lock:
            try:
                try:
                    # A cancellation that meets the beginning has to undo it as well.
                    await finish(self._connection.execute("BEGIN IMMEDIATE"))
                    yield self._connection
                except BaseException:
                    # What a cancelled statement still does comes before this in the one queue.
                    await finish(self._connection.rollback())
                    raise
                await finish(self._commit())
            except sqlite3.Error as error:
                raise _trouble(error) from error

    async def _commit(self) -> None:
        try:
            await self._connection.execute("COMMIT")
        except BaseException:
            await self._connection.rollback()  # nothing to do where SQLite has done it itself
            raise

    async def close(self) -> None:
        """Let go of the file, after the transaction that is under way."""
        async with self._lock:
            await self._connection.close()


def _exists(path: Path) -> bool:
    with starting(f"The database {path} can't be looked at", _RIGHTS):
        try:
            return bool(path.stat())
        except FileNotFoundError:
            return False


def _untouched(path: Path) -> str:
    """The file's name for SQLite that keeps it from creating or changing files beside it.

    Where no controller has the file open there is no log to read (`-wal`), and only `immutable`
    keeps SQLite from creating one. It would be ours, and the controller couldn't open it.
    """
    log, index = (path.with_name(f"{path.name}-{part}") for part in ("wal", "shm"))
    unread = log.exists() and (index.exists() or log.stat().st_size > 0)
    mode = "readonly_shm=1" if unread else "immutable=1"
    return f"{path.absolute().as_uri()}?mode=ro&{mode}"


async def finish(work: Awaitable[object]) -> None:
    """Wait for it to the end, also when the caller is cancelled; then be cancelled."""
    task = asyncio.ensure_future(work)
    cancelled = False
    while not task.done():
        try:
            await asyncio.shield(task)
        except asyncio.CancelledError:
            cancelled = True
        except Exception:  # noqa: BLE001 - whatever it is, `result` below raises it
            break
    task.result()
    if cancelled:
        raise asyncio.CancelledError


async def check_database(path: Path) -> str:
    """What is wrong with the file, in words; an empty text when it is sound. Changes nothing."""
    try:
        await examine_database(path)
    except (BadSetting, StorageTrouble) as error:
        return error.message
    return ""


async def examine_database(path: Path) -> None:
    """Read all of the file; BadSetting or StorageTrouble says what is wrong and what to do.

    One of an older BotMaker may be sound too. Changes nothing.
    """
    database = await Database.open_read_only(path, older=True)
    try:
        rows = await database.read("PRAGMA quick_check")
    finally:
        await database.close()
    if rows != [("ok",)]:
        raise StorageTrouble(
            f"The database is damaged: {rows[0][0]}.",
            hint="Stop the controller and restore the newest copy beside the file.",
        )


_HELD = "Another program holds it: end that other program (a database shell, a backup), try again."
_RIGHTS = "Check the free space and the rights of the data folder; `botmaker doctor` helps."
_REMEDIES = {
    sqlite3.SQLITE_BUSY: _HELD,
    sqlite3.SQLITE_LOCKED: _HELD,
    sqlite3.SQLITE_FULL: "Make some free space there, then try again.",
    sqlite3.SQLITE_READONLY: _RIGHTS,
    sqlite3.SQLITE_CANTOPEN: _RIGHTS,
    sqlite3.SQLITE_PERM: _RIGHTS,
    sqlite3.SQLITE_IOERR: _RIGHTS,
}


def _remedy(error: sqlite3.Error, otherwise: str) -> str:
    """What to do about it: a file that is only held or closed must not be moved away."""
    code = getattr(error, "sqlite_errorcode", None) or 0
    return _REMEDIES.get(code & 0xFF, otherwise)


def _trouble(error: sqlite3.Error) -> StorageTrouble:
    return StorageTrouble(f"The database refused: {error}.", hint=_remedy(error, _RIGHTS))


@contextlib.asynccontextmanager
async def _opened(path: Path, name: str) -> AsyncIterator[aiosqlite.Connection]:
    """A connection that stays open unless the block fails: a forgotten one hangs the program's
    end. SQLite's errors become StorageTrouble."""
    async with contextlib.AsyncExitStack() as stack:
        try:
            connection = await _connected(name, uri=name != str(path))
            stack.push_async_callback(connection.close)
            yield connection
        except sqlite3.Error as error:
            raise StorageTrouble(
                f"The database {path} cannot be used: {error}.",
                hint=_remedy(
                    error, "Restore the newest copy beside it, or move it away to start afresh."
                ),
            ) from error
        except FAULTS as error:  # a copy before a migration, a path with a NUL
            raise StorageTrouble(
                f"The database {path} cannot be used: {reason(error)}.", hint=_RIGHTS
            ) from error
        stack.pop_all()


async def _connected(name: str, *, uri: bool) -> aiosqlite.Connection:
    connecting = aiosqlite.connect(name, uri=uri, isolation_level=None)
    try:
        return await connecting
    except sqlite3.Error:
        # Its thread still has to tell the event loop that it ends; the loop must not end before.
        await asyncio.to_thread(connecting._thread.join)
        raise


async def _version(connection: aiosqlite.Connection) -> int:
    rows = list(await connection.execute_fetchall("PRAGMA user_version"))
    return int(rows[0][0])


def _refuse_newer(path: Path, version: int) -> None:
    newest = max(migrations())
    if version > newest:
        raise BadSetting(
            f"The database {path} is of a newer BotMaker (schema {version}; "
            f"this program knows {newest}).",
            hint="Run the newer program, or restore a copy of the older file.",
            code="database-newer",
        )


async def _migrate(connection: aiosqlite.Connection, path: Path, version: int) -> None:
    scripts = migrations()
    for number in sorted(number for number in scripts if number > version):
        if version > 0:
            copy = path.with_name(f"{path.name}.before-{number}")
            copy.unlink(missing_ok=True)
            await connection.execute("VACUUM INTO ?", (str(copy),))
        try:
            await connection.executescript(scripts[number])
        except sqlite3.Error:
            if connection.in_transaction:
                await connection.execute("ROLLBACK")
            raise

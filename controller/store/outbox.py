"""The table of answers that are owed: to whom, about what, and the words where they are known."""

from __future__ import annotations

from dataclasses import dataclass

import aiosqlite

from controller.store.database import Database

_COLUMNS = "request, user_id, action, bot_id, bot_name, asked_at, words"
OWED_MOST = 1000  # more than anybody reads; the oldest go


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """An answer that a person has not had yet. No `words`: the end of it was not seen."""

    request: str
    user_id: int
    action: str
    bot_id: str = ""
    bot_name: str = ""
    asked_at: float
    words: str | None = None


async def owe(connection: aiosqlite.Connection, owed: Owed) -> None:
    """Note that an answer is owed, inside a transaction that is under way."""
    await connection.execute(
        f"INSERT OR IGNORE INTO outbox ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
        [
            owed.request,
            owed.user_id,
            owed.action,
            owed.bot_id,
            owed.bot_name,
            owed.asked_at,
            owed.words,
        ],
    )


class OutboxTable:
    """What is still to be said."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def all(self) -> list[Owed]:
        """Every answer that is owed, oldest first."""
        rows = await self._db.read(f"SELECT {_COLUMNS} FROM outbox ORDER BY asked_at, request")  # noqa: S608
        names = _COLUMNS.split(", ")
        return [Owed(**dict(zip(names, row, strict=True))) for row in rows]

    async def keep(self, owed: Owed) -> Owed:
        """Keep the words of an answer; what was noted of its request before stays."""

        async def work(connection: aiosqlite.Connection) -> Owed:
            await owe(connection, owed)
            await connection.execute(
                "UPDATE outbox SET words = ? WHERE request = ?", [owed.words, owed.request]
            )
            await connection.execute(
                "DELETE FROM outbox WHERE request IN "
                "(SELECT request FROM outbox ORDER BY asked_at DESC, request LIMIT -1 OFFSET ?)",
                [OWED_MOST],
            )
            rows = await connection.execute_fetchall(
                f"SELECT {_COLUMNS} FROM outbox WHERE request = ?",  # noqa: S608
                [owed.request],
            )
            names = _COLUMNS.split(", ")
            return next((Owed(**dict(zip(names, row, strict=True))) for row in rows), owed)

        return await self._db.write(work)

    async def drop(self, request: str) -> None:
        """The answer was given, or is given up."""
        await self._db.execute("DELETE FROM outbox WHERE request = ?", [request])

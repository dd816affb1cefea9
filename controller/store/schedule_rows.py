"""Schedules in the database: their rows as plain values, and what a transaction does with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import aiosqlite

from controller.domain.access import Principal
from controller.domain.schedules import Chore, Schedule
from controller.store.rows import storable

SCHEDULE_COLUMNS = (
    "id, bot_id, chore, cron, zone, principal_kind, principal_id, principal_name, created_at, "
    "paused, next_at, last_at, last_code, last_words, missed, missed_at"
)


def schedule_of(row: Sequence[Any]) -> Schedule:
    """A row of SCHEDULE_COLUMNS as a schedule."""
    number, bot_id, chore, cron, zone, kind, ident, name, created_at, paused, *rest = row
    next_at, last_at, last_code, last_words, missed, missed_at = rest
    return Schedule(
        id=number,
        bot_id=bot_id,
        chore=Chore(chore),
        cron=cron,
        zone=zone,
        by=Principal(kind, ident, name),
        created_at=created_at,
        paused=bool(paused),
        next_at=next_at,
        last_at=last_at,
        last_code=last_code,
        last_words=last_words,
        missed=missed,
        missed_at=missed_at,
    )


def _row(one: Schedule) -> list[object]:
    return [
        *(one.bot_id, one.chore.value, one.cron, one.zone, one.by.kind, one.by.id, one.by.name),
        *(one.created_at, int(one.paused), one.next_at, one.last_at, one.last_code),
        *(one.last_words, one.missed, one.missed_at),
    ]


class ScheduleWriter:
    """Writes schedules in a transaction that is under way."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def count(self, bot_id: str) -> int:
        """How many the bot has, as this transaction sees it."""
        sql = "SELECT count(*) FROM schedule WHERE bot_id = ?"
        rows = await self._connection.execute_fetchall(sql, [bot_id])
        return int(next(iter(rows))[0])

    async def add(self, schedule: Schedule) -> Schedule:
        """Add one; with its number."""
        made = replace(schedule, id=await fresh_number(self._connection, "schedules"))
        row = [made.id, *_stored(_row(made))]
        marks = ", ".join("?" * len(row))
        sql = f"INSERT INTO schedule ({SCHEDULE_COLUMNS}) VALUES ({marks})"  # noqa: S608
        await self._connection.execute(sql, row)
        return made

    async def get(self, schedule_id: int) -> Schedule | None:
        """The schedule of that number, as this transaction sees it."""
        sql = f"SELECT {SCHEDULE_COLUMNS} FROM schedule WHERE id = ?"  # noqa: S608
        rows = await self._connection.execute_fetchall(sql, [schedule_id])
        return next((schedule_of(tuple(row)) for row in rows), None)

    async def save(self, schedule: Schedule) -> bool:
        """Write one as a whole; False when it's gone."""
        columns = SCHEDULE_COLUMNS.split(", ")[1:]
        sets = ", ".join(f"{column} = ?" for column in columns)
        sql = f"UPDATE schedule SET {sets} WHERE id = ?"  # noqa: S608 - our own names
        values = [*_stored(_row(schedule)), schedule.id]
        return (await self._connection.execute(sql, values)).rowcount > 0

    async def drop(self, schedule_id: int) -> None:
        """Remove one."""
        await self._connection.execute("DELETE FROM schedule WHERE id = ?", [schedule_id])


async def fresh_number(connection: aiosqlite.Connection, of: str) -> int:
    """A number that nothing of that kind ever had: old buttons and entries name it."""
    rows = await connection.execute_fetchall(
        "INSERT INTO installation VALUES (?, '1') ON CONFLICT (key) DO UPDATE "
        "SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT) RETURNING value",
        [f"last-{of}"],
    )
    return int(next(iter(rows))[0])


def _stored(values: Sequence[object]) -> list[object]:
    return [storable(value) if isinstance(value, str) else value for value in values]

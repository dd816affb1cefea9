"""What bots used, in the database: rows as points, and what a transaction does with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import aiosqlite

from controller.domain.usage import COARSE, COARSE_KEPT, FINE, FINE_KEPT, Point

POINTS = (
    "SELECT at, cpu, cpu_most, memory, memory_most, network, disk FROM usage "
    "WHERE number = (SELECT number FROM measured_bot WHERE bot_id = ?) AND step = ? AND at >= ? "
    "ORDER BY at"
)
_CPU, _KIB = 1000.0, 1024.0


def point_of(row: Sequence[Any]) -> Point:
    """A row of POINTS as a point."""
    at, cpu, cpu_most, memory, memory_most, network, disk = row
    return Point(
        at=at,
        cpu=cpu / _CPU,
        cpu_most=cpu_most / _CPU,
        memory=memory * _KIB,
        memory_most=memory_most * _KIB,
        network=network,
        disk=disk,
    )


class UsageWriter:
    """Writes points in a transaction that is under way."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def add(self, points: Mapping[str, Point]) -> None:
        """Keep a fine point of each of these bots, and drop what is too old of them. Bots that are
        gone are left out."""
        await self._connection.executemany(
            "INSERT OR IGNORE INTO measured_bot (bot_id) SELECT id FROM bot WHERE id = ?",
            [(bot_id,) for bot_id in points],
        )
        await self._connection.executemany(
            "INSERT OR REPLACE INTO usage SELECT number, ?, ?, ?, ?, ?, ?, ?, ? FROM measured_bot "
            "WHERE bot_id = ?",
            [(FINE, *_row(point), bot_id) for bot_id, point in points.items()],
        )

    async def sum_up(self, bots: Sequence[str], hour: int) -> None:
        """Make a coarse point of these bots' fine ones of that hour, and drop what is too old."""
        await self._connection.executemany(
            "INSERT OR REPLACE INTO usage SELECT number, ?1, ?2, CAST(avg(cpu) AS INTEGER), "
            "max(cpu_most), CAST(avg(memory) AS INTEGER), max(memory_most), "
            "CAST(avg(network) AS INTEGER), CAST(avg(disk) AS INTEGER) FROM usage "
            "WHERE number = (SELECT number FROM measured_bot WHERE bot_id = ?3) AND step = ?4 "
            "AND at >= ?2 AND at < ?2 + ?1 GROUP BY number",
            [(COARSE, hour, bot_id, FINE) for bot_id in bots],
        )
        for step, kept in ((FINE, FINE_KEPT), (COARSE, COARSE_KEPT)):
            await self._connection.executemany(
                "DELETE FROM usage WHERE number = (SELECT number FROM measured_bot "
                "WHERE bot_id = ?) AND step = ? AND at < ?",
                [(one, step, hour - kept) for one in bots],
            )


def _row(point: Point) -> tuple[int, ...]:
    return (
        point.at,
        *(round(point.cpu * _CPU), round(point.cpu_most * _CPU)),
        *(round(point.memory / _KIB), round(point.memory_most / _KIB)),
        *(round(point.network), round(point.disk)),
    )

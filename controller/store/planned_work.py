"""The part of `store` that is about what goes on by itself: schedules, acts on many bots, and what
bots used."""

from __future__ import annotations

from controller.domain.batches import Batch
from controller.domain.schedules import Schedule
from controller.domain.usage import Point
from controller.store.batch_rows import BATCH_COLUMNS, ITEMS, batch_of
from controller.store.database import Database
from controller.store.schedule_rows import SCHEDULE_COLUMNS, schedule_of
from controller.store.usage_rows import POINTS, point_of


class PlannedWork:
    """Reads schedules, acts on many bots and usage."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def schedules(
        self, bot_id: str = "", *, schedule_id: int = 0, due: float = 0.0
    ) -> list[Schedule]:
        """The schedules, by their numbers: all, a bot's, the one of that number, or those that
        aren't paused and are due by then."""
        sql = (
            f"SELECT {SCHEDULE_COLUMNS} FROM schedule WHERE ? IN ('', bot_id) "  # noqa: S608
            "AND ? IN (0, id) AND (? = 0 OR (next_at <= ? AND NOT paused)) ORDER BY id"
        )
        rows = await self._db.read(sql, [bot_id, schedule_id, due, due])
        return [schedule_of(row) for row in rows]

    async def next_due(self, after: float) -> float | None:
        """When the first schedule that isn't paused is due behind that time."""
        sql = "SELECT min(next_at) FROM schedule WHERE NOT paused AND next_at > ?"
        rows = await self._db.read(sql, [after])
        return None if rows[0][0] is None else float(rows[0][0])

    async def batch(self, batch_id: int) -> Batch | None:
        """The act on many bots of that number."""
        sql = f"SELECT {BATCH_COLUMNS} FROM batch WHERE id = ?"  # noqa: S608
        items = await self._db.read(f"{ITEMS} WHERE batch_id = ? ORDER BY position", [batch_id])
        rows = await self._db.read(sql, [batch_id])
        return next((batch_of(row, items) for row in rows), None)

    async def running_batches(self) -> list[int]:
        """The numbers of those that are under way, oldest first."""
        rows = await self._db.read("SELECT id FROM batch WHERE state = 'running' ORDER BY id")
        return [int(row[0]) for row in rows]

    async def untold_batches(self) -> list[int]:
        """The numbers of those that are confirmed and whose end isn't shown yet, oldest first."""
        sql = "SELECT id FROM batch WHERE state <> 'asked' AND NOT told ORDER BY id"
        return [int(row[0]) for row in await self._db.read(sql)]

    async def points(self, bot_id: str, step: int, since: float) -> list[Point]:
        """What a bot used, in points that stand for so many seconds each, oldest first."""
        rows = await self._db.read(POINTS, [bot_id, step, int(since)])
        return [point_of(row) for row in rows]

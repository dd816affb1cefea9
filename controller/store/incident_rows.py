"""Incidents and alerts in the database: as plain values, read and written."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import aiosqlite

from controller.domain.announcing import Alert
from controller.domain.incident import Change, Details, Ending, Incident, Trouble
from controller.store.database import Database
from controller.store.rows import encode, storable, values_of

COLUMNS = (
    "id, subject, bot_id, bot_name, trouble, opened_at, details, crashes, returns, well_since, "
    "over_at, ending, worse_at, changes, acknowledged_by, acknowledged_at, muted_until, announced, "
    "announced_at, pinged, owed, channel_id, message_id, version, shown"
)
ALERT_COLUMNS = "kind, subject, bot_id, quiet_from, quiet_to, zone, since"
_SELECT = f"SELECT {COLUMNS} FROM incident"  # noqa: S608 - names of our own
KEPT_MOST = 1000  # incidents that are over; the oldest go


def incident_of(row: Sequence[Any]) -> Incident:
    """A row in the order of COLUMNS as an incident."""
    found = dict(zip(COLUMNS.split(", "), row, strict=True))
    details = json.loads(found["details"])
    return Incident(
        **found
        | {
            "trouble": Trouble(found["trouble"]),
            "ending": Ending(found["ending"]) if found["ending"] else None,
            "details": Details(**details | {"tail": tuple(details["tail"])}),
            "changes": tuple(Change(**one) for one in json.loads(found["changes"])),
            "pinged": frozenset(json.loads(found["pinged"])),
            "owed": frozenset(json.loads(found["owed"])),
        }
    )


def _row_of(incident: Incident) -> list[object]:
    row = {name: getattr(incident, name) for name in COLUMNS.split(", ")}
    row |= {
        "id": incident.id or None,
        "trouble": incident.trouble.value,
        "ending": incident.ending.value if incident.ending else None,
        "details": encode(asdict(incident.details)),
        "changes": json.dumps([asdict(one) for one in incident.changes]),
        "pinged": json.dumps(sorted(incident.pinged)),
        "owed": json.dumps(sorted(incident.owed)),
    }
    return [storable(value) if isinstance(value, str) else value for value in row.values()]


class IncidentReader:
    """Reads incidents and alerts."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def open_ones(self) -> list[Incident]:
        """Those that aren't over, oldest first."""
        return await self._read(f"{_SELECT} WHERE over_at = 0 ORDER BY id", [])

    async def unshown(self) -> list[Incident]:
        """Those that are over, and whose message doesn't say so yet."""
        return await self._read(f"{_SELECT} WHERE over_at > 0 AND shown < version ORDER BY id", [])

    async def last_of(self, subject: str) -> Incident | None:
        """The subject's newest incident."""
        sql = f"{_SELECT} WHERE subject = ? ORDER BY id DESC LIMIT 1"
        return next(iter(await self._read(sql, [subject])), None)

    async def get(self, number: int) -> Incident | None:
        """The incident of that number."""
        return next(iter(await self._read(f"{_SELECT} WHERE id = ?", [number])), None)

    async def newest(self, before: int = 0, limit: int = 50) -> list[Incident]:
        """The newest incidents, newest first; those before that number."""
        sql = f"{_SELECT} WHERE ? = 0 OR id < ? ORDER BY id DESC LIMIT ?"
        return await self._read(sql, [before, before, limit])

    async def alerts(self) -> list[Alert]:
        """Everybody who asked to be pinged."""
        sql = f"SELECT {ALERT_COLUMNS} FROM alert ORDER BY since, subject"  # noqa: S608
        names = ALERT_COLUMNS.split(", ")
        return [Alert(**dict(zip(names, row, strict=True))) for row in await self._db.read(sql)]

    async def _read(self, sql: str, values: Sequence[object]) -> list[Incident]:
        return [incident_of(row) for row in await self._db.read(sql, list(values))]


class IncidentWriter:
    """Writes incidents and alerts in a transaction that is under way."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def save(self, incident: Incident) -> Incident:
        """Write it as a whole; a new one gets its number. Of those that are over, the newest 1,000
        are kept."""
        marks = ", ".join("?" * len(COLUMNS.split(", ")))
        sql = f"INSERT OR REPLACE INTO incident ({COLUMNS}) VALUES ({marks})"  # noqa: S608
        done = await self._connection.execute(sql, _row_of(incident))
        if incident.id:
            return incident
        await self._connection.execute(
            "DELETE FROM incident WHERE over_at > 0 AND id <= ?",
            [(done.lastrowid or 0) - KEPT_MOST],
        )
        return replace(incident, id=int(done.lastrowid or 0))

    async def save_alert(self, alert: Alert) -> None:
        """Ping them from now on; an earlier wish for the same is replaced."""
        marks = ", ".join("?" * len(ALERT_COLUMNS.split(", ")))
        sql = f"INSERT OR REPLACE INTO alert ({ALERT_COLUMNS}) VALUES ({marks})"  # noqa: S608
        await self._connection.execute(sql, values_of(alert, ALERT_COLUMNS))

    async def drop_alert(self, kind: str, subject: int, bot_id: str) -> bool:
        """Ping them no longer; False when they weren't."""
        sql = "DELETE FROM alert WHERE kind = ? AND subject = ? AND bot_id = ?"
        return (await self._connection.execute(sql, [kind, subject, bot_id])).rowcount > 0

    async def drop_alerts_of(self, bot_id: str) -> None:
        """The bot is gone."""
        await self._connection.execute("DELETE FROM alert WHERE bot_id = ?", [bot_id])

"""What a controller has written into its database, by sqlite3 alone.

Next door: process.py has the controller itself.
"""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any


class Records:
    """Reads the database of the controller whose data folder this is."""

    data: Path

    @property
    def database(self) -> Path:
        return self.data / "botmaker.db"

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a read-only query on the database."""
        with contextlib.closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True)) as base:
            return base.execute(sql, values).fetchall()

    @property
    def instance(self) -> str:
        if not self.database.exists():
            return ""
        with contextlib.suppress(sqlite3.Error):
            found = self.rows("SELECT value FROM installation WHERE key = 'instance'")
            return str(found[0][0]) if found else ""
        return ""

    def bot_id(self, name: str) -> str:
        return str(self.rows("SELECT id FROM bot WHERE name = ?", name)[0][0])

    def ends(self, act: str, bot: str = "") -> list[dict[str, Any] | None]:
        """How each request for that act (about the bot of that name) ended, oldest first.

        None stands for a request that has no outcome yet.
        """
        found = self.rows(
            "SELECT o.data FROM journal a LEFT JOIN journal o "
            "ON o.cause = a.seq AND o.kind = 'outcome' "
            "WHERE a.kind = 'asked' AND json_extract(a.data, '$.act') = ?1 "
            "AND (?2 = '' OR a.bot_name = ?2) ORDER BY a.seq",
            *(act, bot),
        )
        ends = [None if data is None else dict(json.loads(data)) for (data,) in found]
        assert all(end is None or end.pop("act") == act for end in ends), ends
        return ends

    def noted(self, kind: str) -> list[dict[str, Any]]:
        """The data of every journal entry of that kind, oldest first."""
        found = self.rows("SELECT data FROM journal WHERE kind = ? ORDER BY seq", kind)
        return [dict(json.loads(data)) for (data,) in found]

    def unended(self) -> list[str]:
        """The acts of the requests that have no outcome."""
        found = self.rows(
            "SELECT json_extract(data, '$.act') FROM journal a WHERE kind = 'asked' AND NOT EXISTS "
            "(SELECT 1 FROM journal o WHERE o.cause = a.seq AND o.kind = 'outcome') ORDER BY seq"
        )
        return [str(act) for (act,) in found]

    def owed(self) -> list[str | None]:
        """The words of every answer that is still owed; None where there are none yet."""
        return [words for (words,) in self.rows("SELECT words FROM owed ORDER BY asked_at")]

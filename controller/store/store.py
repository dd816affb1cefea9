"""What the database remembers, as plain values. What can be written is in `transaction`."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import AsyncIterator, Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import Any

from controller.domain.access import Grant
from controller.domain.bot import Bot, Crash
from controller.domain.journal import Entry, Kind
from controller.domain.release import Release
from controller.domain.roles import Role
from controller.domain.webhooks import DeadLetter, Webhook
from controller.store import chain
from controller.store.database import Database
from controller.store.incident_rows import IncidentReader
from controller.store.planned_work import PlannedWork
from controller.store.records import Ahead, Card, Form, KeptAnswer, Owed, SignIn, Token, WebSession
from controller.store.release_rows import SELECT as RELEASE_SELECT
from controller.store.release_rows import release_of
from controller.store.rows import (
    ANSWER_COLUMNS,
    BOT_COLUMNS,
    KEY_COLUMNS,
    OWED_COLUMNS,
    SESSION_COLUMNS,
    SIGN_IN_COLUMNS,
    WEBHOOK_COLUMNS,
    answer_of,
    bot_of,
    entry_of,
    owed_of,
    session_of,
    sign_in_of,
    token_of,
    webhook_of,
)
from controller.store.transaction import Transaction

LOWEST = -(2**63)  # no number of SQLite's is less


class Store(PlannedWork):
    """Everything the controller remembers. A write is a method of `transaction()`'s value."""

    def __init__(self, database: Database, key: bytes = b"") -> None:
        super().__init__(database)
        self.incidents = IncidentReader(database)
        self._key = key
        self._listeners: set[Callable[[], None]] = set()

    @classmethod
    async def open(cls, folder: Path, key: bytes) -> Store:
        """Open `<folder>/botmaker.db`, migrated. `key` chains the journal."""
        path = folder / "botmaker.db"
        return cls(await Database.open(path, chain.chaining(key)), key)

    @classmethod
    async def open_read_only(cls, folder: Path) -> Store:
        """Open it beside a running controller, to read."""
        return cls(await Database.open_read_only(folder / "botmaker.db"))

    async def close(self) -> None:
        """Let go of the file."""
        await self._db.close()

    async def copy(self) -> bytes:
        """All of the database as one file in memory; `examine_copy` reads such a file."""
        return await self._db.copy()

    @contextlib.asynccontextmanager
    async def transaction(self) -> AsyncIterator[Transaction]:
        """Write several things together: all of them are kept, or none."""
        write: Transaction | None = None
        try:
            async with self._db.transaction() as connection:
                write = Transaction(connection, self._key)
                yield write
        finally:  # a cancellation that meets the commit doesn't stop it
            if write is not None and write.appended:
                for listener in tuple(self._listeners):
                    listener()

    @contextlib.contextmanager
    def listening(self, listener: Callable[[], None]) -> Iterator[None]:
        """Call `listener()` when the journal may have new entries, while the block runs.

        It must not block. Whether there are any is known once they are read.
        """
        self._listeners.add(listener)
        try:
            yield
        finally:
            self._listeners.discard(listener)

    # The installation

    async def instance(self) -> str:
        """The id of this installation: made once, then in the database for ever."""
        known = await self.recall("instance")
        if known:
            return known
        fresh = uuid.uuid4().hex[:12]
        async with self.transaction() as write:
            await write.remember("instance", fresh)
        return fresh

    async def recall(self, key: str) -> str:
        """A remembered fact about the installation, or an empty text."""
        rows = await self._db.read("SELECT value FROM installation WHERE key = ?", [key])
        return str(rows[0][0]) if rows else ""

    # Bots

    async def bots(self) -> list[Bot]:
        """Every bot, oldest first."""
        rows = await self._db.read(f"SELECT {BOT_COLUMNS} FROM bot ORDER BY created_at")  # noqa: S608
        return [bot_of(row) for row in rows]

    async def crashes(self) -> dict[str, list[Crash]]:
        """The remembered crashes of every bot, oldest first."""
        rows = await self._db.read(
            "SELECT bot_id, at, exit_code, oom_killed FROM crash ORDER BY at"
        )
        found: dict[str, list[Crash]] = {}
        for bot_id, at, code, oom in rows:
            found.setdefault(bot_id, []).append(Crash(at, code, bool(oom)))
        return found

    async def releases(self, bot_id: str, limit: int = 20, *, good: bool = False) -> list[Release]:
        """A bot's newest releases, or only those that proved themselves; newest first."""
        which = " AND outcome = 'good'" if good else ""
        sql = f"{RELEASE_SELECT} WHERE bot_id = ?{which} ORDER BY number DESC LIMIT ?"
        return [release_of(row) for row in await self._db.read(sql, [bot_id, limit])]

    async def images_that_failed(self) -> frozenset[str]:
        """The images to which an update failed, of whichever bot."""
        image = "json_extract(content, '$.image')"
        sql = f"SELECT DISTINCT {image} FROM releases WHERE outcome = 'failed' AND why = 'update'"  # noqa: S608
        return frozenset(str(image) for (image,) in await self._db.read(sql, []) if image)

    async def release(self, bot_id: str, number: int) -> Release | None:
        """The bot's release of that number."""
        sql = f"{RELEASE_SELECT} WHERE bot_id = ? AND number = ?"
        found = await self._db.read(sql, [bot_id, number])
        return next((release_of(row) for row in found), None)

    # Forms, cards, grants

    async def form(self, form_id: str) -> Form | None:
        """The form of that id, if it still exists."""
        rows = await self._db.read(
            "SELECT id, bot_id, user_id, rotate, expires_at, used_at FROM form WHERE id = ?",
            [form_id],
        )
        if not rows:
            return None
        ident, bot_id, user_id, rotate, expires_at, used_at = rows[0]
        return Form(ident, bot_id, user_id, bool(rotate), expires_at, used_at)

    async def usable_forms(self, now: float) -> set[str]:
        """The ids of the forms that can still be filled in."""
        sql = "SELECT id FROM form WHERE used_at IS NULL AND expires_at >= ?"
        return {str(ident) for (ident,) in await self._db.read(sql, [now])}

    async def unsettled(self) -> list[Form]:
        """The forms that were used while nothing was told to use their values yet, oldest first."""
        rows = await self._db.read(
            "SELECT id, bot_id, user_id, rotate, expires_at, used_at FROM form "
            "WHERE used_at IS NOT NULL AND NOT settled ORDER BY used_at"
        )
        return [
            Form(ident, bot_id, user_id, bool(rotate), expires_at, used_at)
            for ident, bot_id, user_id, rotate, expires_at, used_at in rows
        ]

    async def cards(self) -> list[Card]:
        """Every card, also of bots that are gone and whose last edit is still due."""
        rows = await self._db.read("SELECT bot_id, title, channel_id, message_id, digest FROM card")
        return [Card(*row) for row in rows]

    async def grants(self) -> list[Grant]:
        """Every grant that an admin gave."""
        rows = await self._db.read("SELECT kind, subject, role, bot_id, source FROM access")
        return [
            Grant(kind, subject, Role(role), bot_id, source)
            for kind, subject, role, bot_id, source in rows
        ]

    async def owed(self) -> list[Owed]:
        """Every answer that is owed, oldest first."""
        sql = f"SELECT {OWED_COLUMNS} FROM owed ORDER BY asked_at, request"  # noqa: S608
        return [owed_of(row) for row in await self._db.read(sql)]

    # Whoever asks over HTTP

    async def tokens(self) -> list[Token]:
        """Every API token that is remembered, also those that are over, oldest first."""
        sql = f"SELECT {KEY_COLUMNS} FROM api_token ORDER BY created_at"  # noqa: S608
        return [token_of(row) for row in await self._db.read(sql)]

    async def sign_in(self, hashed: bytes) -> SignIn | None:
        """The right to sign in with the code of that hash."""
        sql = f"SELECT {SIGN_IN_COLUMNS} FROM sign_in WHERE hash = ?"  # noqa: S608
        return next((sign_in_of(row) for row in await self._db.read(sql, [hashed])), None)

    async def sessions(self) -> list[WebSession]:
        """Everybody who is signed in, oldest first."""
        sql = f"SELECT {SESSION_COLUMNS} FROM web_session ORDER BY created_at"  # noqa: S608
        return [session_of(row) for row in await self._db.read(sql)]

    async def kept_answer(self, request: str) -> KeptAnswer | None:
        """What was answered to that request, if it is known."""
        sql = f"SELECT {ANSWER_COLUMNS} FROM kept_answer WHERE request = ?"  # noqa: S608
        return next((answer_of(row) for row in await self._db.read(sql, [request])), None)

    # Webhooks

    async def webhooks(self) -> list[Webhook]:
        """Every webhook, by name."""
        sql = f"SELECT {WEBHOOK_COLUMNS} FROM webhook ORDER BY name"  # noqa: S608
        return [webhook_of(row) for row in await self._db.read(sql)]

    async def webhook(self, webhook_id: str) -> Webhook | None:
        """The webhook of that id."""
        sql = f"SELECT {WEBHOOK_COLUMNS} FROM webhook WHERE id = ?"  # noqa: S608
        return next((webhook_of(row) for row in await self._db.read(sql, [webhook_id])), None)

    async def dead_letters(self, webhook_id: str, limit: int) -> list[DeadLetter]:
        """The events of a webhook that were given up, newest first."""
        sql = (
            "SELECT seq, at, reason FROM dead_letter WHERE webhook_id = ? ORDER BY seq DESC LIMIT ?"
        )
        return [DeadLetter(*row) for row in await self._db.read(sql, [webhook_id, limit])]

    async def ahead(self, after: int, kinds: Collection[Kind], limit: int) -> Ahead:
        """The entries of these kinds behind that number, also behind 0, and what the database has.

        All of one moment: entries that are moved to a monthly file meanwhile aren't overlooked.
        """
        marks = ", ".join("?" * len(kinds))
        rows = await self._db.read(
            "SELECT (SELECT min(seq) FROM journal), (SELECT max(seq) FROM journal), chosen.* "  # noqa: S608
            f"FROM (SELECT 1) LEFT JOIN (SELECT {chain.COLUMNS} FROM journal "
            f"WHERE seq > ? AND kind IN ({marks}) ORDER BY seq LIMIT ?) AS chosen ON TRUE "
            "ORDER BY chosen.seq",
            [after, *(kind.value for kind in kinds), limit],
        )
        oldest, newest = rows[0][:2]
        entries = [entry_of(row[2:]) for row in rows if row[2] is not None]
        return Ahead(int(oldest or 0), int(newest or 0), entries)

    async def waiting(self, after: int, kinds: Collection[Kind]) -> int:
        """How many entries of these kinds are behind that number."""
        marks = ", ".join("?" * len(kinds))
        rows = await self._db.read(
            f"SELECT count(*) FROM journal WHERE seq > ? AND kind IN ({marks})",  # noqa: S608
            [after, *(kind.value for kind in kinds)],
        )
        return int(rows[0][0])

    async def number_at(self, at: float) -> int:
        """The number of the first entry of that time or later; 0 when there is none."""
        rows = await self._db.read("SELECT min(seq) FROM journal WHERE at >= ?", [at])
        return int(rows[0][0] or 0)

    # The journal

    async def asked(self, *, seq: int = 0, request: str = "") -> Entry | None:
        """The entry of that number, or of that request, if it tells that somebody asked."""
        rows = await self._db.read(
            f"SELECT {chain.COLUMNS} FROM journal "  # noqa: S608
            "WHERE kind = 'asked' AND (seq = ? OR (request <> '' AND request = ?))",
            [seq, request],
        )
        return next((entry_of(row) for row in rows), None)

    async def entries(
        self,
        bot_id: str = "",
        kinds: Collection[Kind] = tuple(Kind),
        *,
        before: int = 0,
        after: int = 0,
        by: str = "",
        limit: int = 20,
    ) -> list[Entry]:
        """The newest entries of these kinds, newest first; of one bot or of everything.

        `before` is the number from which on entries are left out; 0 leaves none out. With `after`,
        the oldest ones behind that number. `by` is the id of the principal who asked.
        """
        order = "ASC" if after else "DESC"
        marks = ", ".join("?" * len(kinds))
        rows = await self._db.read(
            f"SELECT {chain.COLUMNS} FROM journal WHERE kind IN ({marks}) "  # noqa: S608
            "AND (? = '' OR bot_id = ?) AND (? = '' OR principal_id = ?) "
            f"AND (? = 0 OR seq < ?) AND seq > ? ORDER BY seq {order} LIMIT ?",
            [
                *(kind.value for kind in kinds),
                *(bot_id, bot_id, by, by, before, before, after, limit),
            ],
        )
        found = [entry_of(row) for row in rows]
        return found[::-1] if after else found

    async def outcomes(self, causes: Iterable[int]) -> dict[int, Entry]:
        """How requests ended, by the number of the entry that asked."""
        numbers = list(causes)
        marks = ", ".join("?" * len(numbers))
        rows = await self._db.read(
            f"SELECT {chain.COLUMNS} FROM journal "  # noqa: S608
            f"WHERE kind = 'outcome' AND cause IN ({marks})",
            numbers,
        )
        found = map(entry_of, rows)
        return {entry.author.cause: entry for entry in found}

    async def changed_by(self, cause: int) -> bool:
        """Whether the request of that number changed what is wished of a bot, or its settings."""
        rows = await self._db.read(
            "SELECT 1 FROM journal WHERE cause = ? AND kind IN ('wish', 'settings') LIMIT 1",
            [cause],
        )
        return bool(rows)

    async def newest(self) -> int:
        """The number of the journal's newest entry; 0 when it's empty."""
        rows = await self._db.read("SELECT max(seq) FROM journal")
        return int(rows[0][0] or 0)

    async def unended(self) -> list[Entry]:
        """The requests without an outcome, oldest first."""
        rows = await self._db.read(
            f"SELECT {chain.COLUMNS} FROM journal AS asked WHERE kind = 'asked' "  # noqa: S608
            "AND NOT EXISTS (SELECT 1 FROM journal AS o WHERE o.cause = asked.seq "
            "AND o.cause > 0 AND o.kind = 'outcome') ORDER BY seq"
        )
        return [entry_of(row) for row in rows]

    async def chained(self, after: int = LOWEST, limit: int = 1000) -> list[tuple[Any, ...]]:
        """Entries as they are chained, oldest first: the columns, then the hash.

        Without `after` from whatever comes first: 0 or less if somebody slipped that in.
        """
        return await self._db.read(
            f"SELECT {chain.COLUMNS}, mac FROM journal WHERE seq >= ? ORDER BY seq LIMIT ?",  # noqa: S608
            [after if after == LOWEST else after + 1, limit],
        )

"""What the tables hold, as plain values: bots, crashes, forms, cards, grants, audit."""

from __future__ import annotations

import json
import sqlite3
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path

import aiosqlite

from controller.domain.access import Grant
from controller.domain.bot import Bot, Crash, Problem, Wish
from controller.domain.errors import Conflict, NotFound
from controller.domain.roles import Role
from controller.store.database import Database, Row
from controller.store.outbox import OutboxTable, Owed, owe

_BOT = (
    "id, name, template, provider, model, channel, fields, wish, ended_run, "
    "reload_run, image, problem, accounted_end, log_floor, created_at, created_by"
)
CRASHES_KEPT = 50


@dataclass(frozen=True, slots=True)
class Form:
    """The right of one person to give one bot its secrets, once."""

    id: str
    bot_id: str
    user_id: int
    rotate: bool
    expires_at: float
    used_at: float | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """The public message about a bot, as last published."""

    bot_id: str
    title: str
    channel_id: int
    message_id: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the audit: who asked what, when, and how it ended."""

    id: int = 0
    at: float
    request: str | None
    user_id: int
    user_name: str
    action: str
    bot_id: str = ""
    bot_name: str = ""
    detail: str = ""
    outcome: str | None = None
    ended_at: float | None = None


class Store:
    """Everything the controller remembers. Each method is one query or one transaction."""

    def __init__(self, database: Database) -> None:
        self._db = database
        self.outbox = OutboxTable(database)

    @classmethod
    async def open(cls, folder: Path) -> Store:
        """Open `<folder>/botmaker.db`, migrated."""
        return cls(await Database.open(folder / "botmaker.db"))

    @classmethod
    async def open_read_only(cls, folder: Path) -> Store:
        """Open it beside a running controller, to read."""
        return cls(await Database.open_read_only(folder / "botmaker.db"))

    async def close(self) -> None:
        """Let go of the file."""
        await self._db.close()

    async def instance(self) -> str:
        """The id of this installation: made once, then for ever in the database."""
        fresh = uuid.uuid4().hex[:12]
        await self._db.execute("INSERT OR IGNORE INTO installation VALUES ('instance', ?)", [fresh])
        return await self.recall("instance")

    async def recall(self, key: str) -> str:
        """A remembered fact about the installation, or an empty text."""
        rows = await self._db.read("SELECT value FROM installation WHERE key = ?", [key])
        return str(rows[0][0]) if rows else ""

    async def remember(self, key: str, value: str) -> None:
        """Remember a fact about the installation."""
        await self._db.execute("INSERT OR REPLACE INTO installation VALUES (?, ?)", [key, value])

    # Bots

    async def bots(self) -> list[Bot]:
        """Every bot, oldest first."""
        rows = await self._db.read(f"SELECT {_BOT} FROM bot ORDER BY created_at")  # noqa: S608
        return [_bot(row) for row in rows]

    async def add_bot(self, bot: Bot) -> None:
        """Add a row; Conflict when the name is taken."""
        marks = ", ".join("?" * len(_row(bot)))
        try:
            await self._db.execute(f"INSERT INTO bot ({_BOT}) VALUES ({marks})", _row(bot))  # noqa: S608
        except sqlite3.IntegrityError:
            raise Conflict(
                f"There is a bot called {bot.name} already.",
                hint="Choose another name, or delete that bot first.",
                code="name-taken",
            ) from None

    async def save_bot(self, bot: Bot) -> bool:
        """Write the row as a whole; False when it is no longer there."""
        sets = ", ".join(f"{column.strip()} = ?" for column in _BOT.split(",")[1:])
        changed = await self._db.execute(
            f"UPDATE bot SET {sets} WHERE id = ?",  # noqa: S608 - column names of our own
            [*_row(bot)[1:], bot.id],
        )
        return changed > 0

    async def drop_bot(self, bot_id: str) -> None:
        """Remove the row and all that hangs on it. The audit stays."""

        async def work(connection: aiosqlite.Connection) -> None:
            await connection.execute("DELETE FROM access WHERE bot_id = ?", [bot_id])
            await connection.execute("DELETE FROM bot WHERE id = ?", [bot_id])

        await self._db.write(work)

    # Crashes

    async def crashes(self) -> dict[str, list[Crash]]:
        """The remembered crashes of every bot, oldest first."""
        rows = await self._db.read(
            "SELECT bot_id, at, exit_code, oom_killed FROM crash ORDER BY at"
        )
        found: dict[str, list[Crash]] = {}
        for bot_id, at, code, oom in rows:
            found.setdefault(bot_id, []).append(Crash(at, code, bool(oom)))
        return found

    async def add_crashes(self, bot_id: str, crashes: tuple[Crash, ...]) -> None:
        """Remember crashes; the newest 50 a bot are kept."""

        async def work(connection: aiosqlite.Connection) -> None:
            for crash in crashes:
                await connection.execute(
                    "INSERT OR IGNORE INTO crash VALUES (?, ?, ?, ?)",
                    [bot_id, crash.at, crash.exit_code, int(crash.oom_killed)],
                )
            await connection.execute(
                "DELETE FROM crash WHERE bot_id = ?1 AND at NOT IN "
                "(SELECT at FROM crash WHERE bot_id = ?1 ORDER BY at DESC LIMIT ?2)",
                [bot_id, CRASHES_KEPT],
            )

        await self._db.write(work)

    async def clear_crashes(self, bot_id: str) -> None:
        """Forget a bot's crashes: a person acted, the count begins anew."""
        await self._db.execute("DELETE FROM crash WHERE bot_id = ?", [bot_id])

    # Forms

    async def add_form(self, form: Form) -> None:
        """Give a person a form; forms that expired a day ago go. NotFound when the bot is gone."""

        async def work(connection: aiosqlite.Connection) -> None:
            await connection.execute(
                "DELETE FROM form WHERE expires_at < ?", [form.expires_at - 172_800]
            )
            await connection.execute(
                "INSERT INTO form VALUES (?, ?, ?, ?, ?, NULL)",
                [form.id, form.bot_id, form.user_id, int(form.rotate), form.expires_at],
            )

        try:
            await self._db.write(work)
        except sqlite3.IntegrityError:
            raise NotFound(
                "That bot is gone.", hint="/bot list shows the bots there are.", code="no-such-bot"
            ) from None

    async def form(self, form_id: str) -> Form | None:
        """The form of that id, if it is still there."""
        rows = await self._db.read("SELECT * FROM form WHERE id = ?", [form_id])
        if not rows:
            return None
        ident, bot_id, user_id, rotate, expires_at, used_at = rows[0]
        return Form(ident, bot_id, user_id, bool(rotate), expires_at, used_at)

    async def use_form(self, form_id: str, at: float) -> bool:
        """Use the form up; False when somebody was first."""
        sql = "UPDATE form SET used_at = ? WHERE id = ? AND used_at IS NULL"
        return await self._db.execute(sql, [at, form_id]) > 0

    async def cut_short_forms(self, outcome: str) -> dict[str, float]:
        """When a form of each bot was used by a request that has no end, or which a start after
        that gave this outcome: a second kill must not make the first one forgotten."""
        rows = await self._db.read(
            "SELECT form.bot_id, max(form.used_at) FROM form JOIN audit "
            "ON audit.bot_id = form.bot_id AND form.used_at >= audit.at "
            "WHERE audit.outcome IS NULL OR audit.outcome = ? GROUP BY form.bot_id",
            [outcome],
        )
        return {str(bot_id): float(used_at) for bot_id, used_at in rows}

    async def reopen_form(self, form_id: str) -> None:
        """Let a form be used again: what it was used for did not work out."""
        await self._db.execute("UPDATE form SET used_at = NULL WHERE id = ?", [form_id])

    # Cards

    async def cards(self) -> list[Card]:
        """Every card, also of bots that are gone and whose last edit is still due."""
        rows = await self._db.read("SELECT bot_id, title, channel_id, message_id, digest FROM card")
        return [Card(*row) for row in rows]

    async def save_card(self, card: Card) -> None:
        """Remember what was published where."""
        await self._db.execute(
            "INSERT OR REPLACE INTO card VALUES (?, ?, ?, ?, ?)",
            [card.bot_id, card.title, card.channel_id, card.message_id, card.digest],
        )

    async def drop_card(self, bot_id: str) -> None:
        """Forget a card."""
        await self._db.execute("DELETE FROM card WHERE bot_id = ?", [bot_id])

    # Grants

    async def grants(self) -> list[Grant]:
        """Every grant that an admin gave."""
        rows = await self._db.read("SELECT kind, subject, role, bot_id FROM access")
        return [Grant(kind, subject, Role(role), bot_id) for kind, subject, role, bot_id in rows]

    async def save_grant(self, grant: Grant) -> None:
        """Give a role; a former one for the same subject and bot is replaced."""
        await self._db.execute(
            "INSERT OR REPLACE INTO access (kind, subject, role, bot_id) VALUES (?, ?, ?, ?)",
            [grant.kind, grant.subject, int(grant.role), grant.bot_id],
        )

    async def drop_grant(self, kind: str, subject: int, bot_id: str) -> bool:
        """Take a role away; False when there was none."""
        sql = "DELETE FROM access WHERE kind = ? AND subject = ? AND bot_id = ?"
        return await self._db.execute(sql, [kind, subject, bot_id]) > 0

    # Audit

    async def begin_entry(self, entry: Entry) -> int | None:
        """Write down that something was asked; None when that request is there already.

        Somebody who asked by a request is owed an answer from here on: see `outbox`.
        """

        async def work(connection: aiosqlite.Connection) -> int | None:
            cursor = await connection.execute(
                "INSERT INTO audit (at, request, user_id, user_name, action, bot_id, bot_name, "
                "detail, outcome, ended_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    entry.at,
                    entry.request,
                    entry.user_id,
                    entry.user_name,
                    entry.action,
                    entry.bot_id,
                    entry.bot_name,
                    entry.detail,
                    entry.outcome,
                    entry.ended_at,
                ],
            )
            if entry.request is not None and entry.outcome is None:
                await owe(connection, _owed(entry, entry.request))
            return cursor.lastrowid

        try:
            return await self._db.write(work)
        except sqlite3.IntegrityError:
            return None

    async def end_entry(self, entry_id: int, outcome: str, at: float) -> None:
        """Write down how it ended; the first word stays."""
        await self._db.execute(
            "UPDATE audit SET outcome = ?, ended_at = ? WHERE id = ? AND outcome IS NULL",
            [outcome, at, entry_id],
        )

    async def end_open_entries(self, outcome: str, at: float) -> int:
        """Give every entry without an end this one; how many there were. At the start only."""
        sql = "UPDATE audit SET outcome = ?, ended_at = ? WHERE outcome IS NULL"
        return await self._db.execute(sql, [outcome, at])

    async def entries(self, bot_id: str = "", limit: int = 20) -> list[Entry]:
        """The newest lines of the audit, newest first; of one bot or of all."""
        rows = await self._db.read(
            "SELECT id, at, request, user_id, user_name, action, bot_id, bot_name, detail, "
            "outcome, ended_at FROM audit WHERE ?1 = '' OR bot_id = ?1 ORDER BY id DESC LIMIT ?2",
            [bot_id, limit],
        )
        names = Entry.__dataclass_fields__
        return [Entry(**dict(zip(names, row, strict=True))) for row in rows]


def _owed(entry: Entry, request: str) -> Owed:
    return Owed(
        request=request,
        user_id=entry.user_id,
        action=entry.action,
        bot_id=entry.bot_id,
        bot_name=entry.bot_name,
        asked_at=entry.at,
    )


def _row(bot: Bot) -> list[object]:
    return [
        bot.id,
        bot.name,
        bot.template,
        bot.provider,
        bot.model,
        bot.channel,
        json.dumps(bot.fields, sort_keys=True),
        bot.wish.value,
        bot.ended_run,
        bot.reload_run,
        bot.image,
        json.dumps(asdict(bot.problem)) if bot.problem else None,
        bot.accounted_end,
        bot.log_floor,
        bot.created_at,
        bot.created_by,
    ]


def _bot(row: Row) -> Bot:
    problem = Problem(**json.loads(row[11])) if row[11] else None
    return Bot(
        id=row[0],
        name=row[1],
        template=row[2],
        provider=row[3],
        model=row[4],
        channel=row[5],
        fields=json.loads(row[6]),
        wish=Wish(row[7]),
        ended_run=row[8],
        reload_run=row[9],
        image=row[10],
        problem=problem,
        accounted_end=row[12],
        log_floor=row[13],
        created_at=row[14],
        created_by=row[15],
    )

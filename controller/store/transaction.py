"""Everything that can be written, each inside one transaction: all of it is kept, or none.

What can be read is next door in `store`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import replace

import aiosqlite

from controller.domain.access import Grant
from controller.domain.bot import Bot, Crash
from controller.domain.ends import CRASHES_KEPT
from controller.domain.errors import Conflict, NotFound
from controller.domain.journal import Entry
from controller.domain.webhooks import DeadLetter, Webhook
from controller.store import chain
from controller.store.batch_rows import BatchWriter
from controller.store.incident_rows import IncidentWriter
from controller.store.records import Card, Form, KeptAnswer, Owed, SignIn, Token, WebSession
from controller.store.release_rows import ReleaseWriter
from controller.store.rows import (
    ANSWER_COLUMNS,
    BOT_COLUMNS,
    KEY_COLUMNS,
    OWED_COLUMNS,
    SESSION_COLUMNS,
    SIGN_IN_COLUMNS,
    WEBHOOK_COLUMNS,
    bot_row,
    entry_row,
    owed_of,
    owed_row,
    sign_in_of,
    storable,
    token_row,
    values_of,
    webhook_row,
)
from controller.store.schedule_rows import ScheduleWriter
from controller.store.usage_rows import UsageWriter

OWED_MOST = 1000  # answers; more than anybody reads, so the oldest go
FORGET_FORMS_AFTER = 172_800.0  # seconds after a form was given out
FORGET_TOKENS_AFTER = 7_776_000.0  # seconds after a token's end
FORGET_SESSIONS_AFTER = 604_800.0  # seconds without a use
FORGET_ANSWERS_AFTER = 86_400.0  # seconds
_WEBHOOK_SETS = ", ".join(f"{column} = ?" for column in WEBHOOK_COLUMNS.split(", ")[1:])
DEAD_LETTERS_MOST = 1000  # of one webhook; they are counted beyond that


def _is_about_name(error: sqlite3.IntegrityError) -> bool:
    return "bot.name" in str(error)  # SQLite's words: UNIQUE constraint failed: bot.name


def _name_taken(name: str) -> Conflict:
    return Conflict(
        f"There is already a bot called {name}.",
        hint="Choose another name, or delete that bot first.",
        code="name-taken",
    )


class Transaction:
    """One transaction that is under way. Its methods never read what another one wrote later."""

    def __init__(self, connection: aiosqlite.Connection, key: bytes) -> None:
        self._connection = connection
        self._key = key
        self.appended = False  # whether an entry was added to the journal
        self.releases = ReleaseWriter(connection)
        self.incidents = IncidentWriter(connection)
        self.schedules = ScheduleWriter(connection)
        self.batches = BatchWriter(connection)
        self.usage = UsageWriter(connection)

    # Bots

    async def add_bot(self, bot: Bot) -> None:
        """Add a row; Conflict when the name is taken."""
        row = bot_row(bot)
        marks = ", ".join("?" * len(row))
        try:
            await self._do(f"INSERT INTO bot ({BOT_COLUMNS}) VALUES ({marks})", row)  # noqa: S608
        except sqlite3.IntegrityError as error:
            raise (_name_taken(bot.name) if _is_about_name(error) else error) from None

    async def save_bot(self, bot: Bot) -> bool:
        """Write the row as a whole; False when it no longer exists. Conflict when another bot has
        its name."""
        sets = ", ".join(f"{column} = ?" for column in BOT_COLUMNS.split(", ")[1:])
        sql = f"UPDATE bot SET {sets} WHERE id = ?"  # noqa: S608 - column names of our own
        try:
            return await self._do(sql, [*bot_row(bot)[1:], bot.id]) > 0
        except sqlite3.IntegrityError as error:
            raise (_name_taken(bot.name) if _is_about_name(error) else error) from None

    async def drop_bot(self, bot_id: str) -> None:
        """Remove the row and everything that depends on it. The journal stays."""
        await self._do("DELETE FROM access WHERE bot_id = ?", [bot_id])
        await self.incidents.drop_alerts_of(bot_id)
        await self._do("DELETE FROM bot WHERE id = ?", [bot_id])

    async def add_crashes(self, bot_id: str, crashes: Iterable[Crash]) -> None:
        """Remember crashes; the newest 50 of a bot are kept."""
        for crash in crashes:
            await self._do(
                "INSERT OR IGNORE INTO crash VALUES (?, ?, ?, ?)",
                [bot_id, crash.at, crash.exit_code, int(crash.oom_killed)],
            )
        await self._do(
            "DELETE FROM crash WHERE bot_id = ?1 AND at NOT IN "
            "(SELECT at FROM crash WHERE bot_id = ?1 ORDER BY at DESC LIMIT ?2)",
            [bot_id, CRASHES_KEPT],
        )

    async def clear_crashes(self, bot_id: str) -> None:
        """Forget a bot's crashes: a person acted, so the count begins again."""
        await self._do("DELETE FROM crash WHERE bot_id = ?", [bot_id])

    # Forms

    async def add_form(self, form: Form) -> None:
        """Give a person a form; old forms go. NotFound when the bot is gone."""
        old = form.expires_at - FORGET_FORMS_AFTER
        await self._do(
            "DELETE FROM form WHERE expires_at < ? AND (settled OR used_at IS NULL)", [old]
        )
        try:
            await self._do(
                "INSERT INTO form (id, bot_id, user_id, rotate, expires_at) VALUES (?, ?, ?, ?, ?)",
                [form.id, form.bot_id, form.user_id, int(form.rotate), form.expires_at],
            )
        except sqlite3.IntegrityError:
            raise NotFound(
                "That bot is gone.", hint="/bot list shows all bots.", code="no-such-bot"
            ) from None

    async def use_form(self, form_id: str, at: float) -> bool:
        """Use the form up; False when somebody else was first."""
        sql = "UPDATE form SET used_at = ?, settled = 0 WHERE id = ? AND used_at IS NULL"
        return await self._do(sql, [at, form_id]) > 0

    async def reopen_form(self, form_id: str) -> None:
        """Let a form be used again, because what it was used for didn't work."""
        await self._do("UPDATE form SET used_at = NULL WHERE id = ?", [form_id])

    async def settle_forms(self, bot_id: str) -> None:
        """The bot was told about everything that its used forms wrote."""
        sql = "UPDATE form SET settled = 1 WHERE bot_id = ? AND used_at IS NOT NULL"
        await self._do(sql, [bot_id])

    async def use_seals(self, seals: Mapping[str, float], now: float) -> None:
        """Use sealed values up, by their nonces and until when each is good; forget expired ones.

        Conflict when one was used before.
        """
        await self._do("DELETE FROM used_seal WHERE until < ?", [now])
        for nonce, until in seals.items():
            sql = "INSERT OR IGNORE INTO used_seal VALUES (?, ?)"
            if not await self._do(sql, [nonce, until]):
                raise Conflict(
                    "This sealed text was used before.",
                    hint="Each can be used once. Seal the value again.",
                    code="seal-used",
                )

    async def reuse_seals(self, nonces: Iterable[str]) -> None:
        """Let sealed values be used again, because what they were used for didn't work."""
        for nonce in nonces:
            await self._do("DELETE FROM used_seal WHERE nonce = ?", [nonce])

    # Cards, grants, facts about the installation

    async def save_card(self, card: Card) -> None:
        """Remember what was published where."""
        await self._do(
            "INSERT OR REPLACE INTO card VALUES (?, ?, ?, ?, ?)",
            [card.bot_id, card.title, card.channel_id, card.message_id, card.digest],
        )

    async def drop_card(self, bot_id: str) -> None:
        """Forget a card."""
        await self._do("DELETE FROM card WHERE bot_id = ?", [bot_id])

    async def save_grant(self, grant: Grant) -> None:
        """Give a role; an earlier one for the same subject and bot is replaced."""
        await self._do(
            "INSERT OR REPLACE INTO access (kind, subject, role, bot_id, source) "
            "VALUES (?, ?, ?, ?, ?)",
            [grant.kind, grant.subject, int(grant.role), grant.bot_id, grant.source],
        )

    async def drop_grant(self, kind: str, subject: int, bot_id: str) -> bool:
        """Take a role away; False when there was none."""
        sql = "DELETE FROM access WHERE kind = ? AND subject = ? AND bot_id = ?"
        return await self._do(sql, [kind, subject, bot_id]) > 0

    async def remember(self, key: str, value: str) -> None:
        """Remember a fact about the installation."""
        await self._do("INSERT OR REPLACE INTO installation VALUES (?, ?)", [key, value])

    # Whoever asks over HTTP

    async def add_token(self, token: Token) -> None:
        """Add a token; one of that name that is over gives way. Conflict when the name is taken."""
        now = token.created_at
        await self._do(
            "DELETE FROM api_token WHERE coalesce(revoked_at, expires_at) < ?",
            [now - FORGET_TOKENS_AFTER],
        )
        await self._do(
            "UPDATE api_token SET revoked_at = expires_at "
            "WHERE name = ? AND revoked_at IS NULL AND expires_at <= ?",
            [token.name, now],
        )
        try:
            await self._insert("api_token", KEY_COLUMNS, token_row(token))
        except sqlite3.IntegrityError:
            raise Conflict(
                f"There is already a token called {token.name}.",
                hint="Choose another name, or revoke that one first.",
                code="token-name-taken",
            ) from None

    async def use_token(self, token_id: str, at: float) -> None:
        """Note that the token was used."""
        await self._do("UPDATE api_token SET used_at = ? WHERE id = ?", [at, token_id])

    async def revoke_token(self, token_id: str, at: float) -> bool:
        """End a token; False when it was revoked before."""
        sql = "UPDATE api_token SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL"
        return await self._do(sql, [at, token_id]) > 0

    async def add_sign_in(self, sign_in: SignIn, now: float) -> None:
        """Let a person sign in. Their earlier codes, and those that are over, go."""
        sql = "DELETE FROM sign_in WHERE user_id = ? OR expires_at <= ?"
        await self._do(sql, [sign_in.user_id, now])
        await self._insert("sign_in", SIGN_IN_COLUMNS, values_of(sign_in, SIGN_IN_COLUMNS))

    async def take_sign_in(self, hashed: bytes) -> SignIn | None:
        """Use a code up; None when there is no such code, or no longer."""
        rows = await self._connection.execute_fetchall(
            f"DELETE FROM sign_in WHERE hash = ? RETURNING {SIGN_IN_COLUMNS}",  # noqa: S608
            [hashed],
        )
        return next((sign_in_of(tuple(row)) for row in rows), None)

    async def add_session(self, session: WebSession) -> None:
        """Somebody signed in. Sessions that were not used for a week go."""
        old = session.created_at - FORGET_SESSIONS_AFTER
        await self._do("DELETE FROM web_session WHERE used_at < ?", [old])
        await self._insert("web_session", SESSION_COLUMNS, values_of(session, SESSION_COLUMNS))

    async def use_session(self, session_id: str, at: float) -> None:
        """Note that the session was used."""
        await self._do("UPDATE web_session SET used_at = ? WHERE id = ?", [at, session_id])

    async def drop_session(self, session_id: str) -> bool:
        """End a session; False when it was over already."""
        return await self._do("DELETE FROM web_session WHERE id = ?", [session_id]) > 0

    async def keep_answer(self, kept: KeptAnswer) -> None:
        """Remember what was answered, or that it is under way; what is older than a day goes."""
        old = kept.at - FORGET_ANSWERS_AFTER
        await self._do("DELETE FROM kept_answer WHERE at < ? OR request = ?", [old, kept.request])
        await self._insert("kept_answer", ANSWER_COLUMNS, values_of(kept, ANSWER_COLUMNS))

    async def drop_answer(self, request: str) -> None:
        """Forget it: nothing was done, so it may be asked again."""
        await self._do("DELETE FROM kept_answer WHERE request = ?", [request])

    # Webhooks

    async def add_webhook(self, webhook: Webhook) -> None:
        """Add a webhook that is sent what the journal gets from now on. Conflict when the name is
        taken."""
        row = replace(webhook, cursor=await self._newest())
        try:
            await self._insert("webhook", WEBHOOK_COLUMNS, webhook_row(row))
        except sqlite3.IntegrityError:
            raise Conflict(
                f"There is already a webhook called {webhook.name}.",
                hint="Choose another name, or remove that one first.",
                code="webhook-name-taken",
            ) from None

    async def drop_webhook(self, webhook_id: str) -> bool:
        """Remove a webhook with its dead letters; False when it was gone already."""
        return await self._do("DELETE FROM webhook WHERE id = ?", [webhook_id]) > 0

    async def save_webhook(self, webhook: Webhook, before: int) -> bool:
        """Write how far it has come; False if it is gone or its cursor isn't at `before` any more,
        because somebody moved it meanwhile."""
        sql = f"UPDATE webhook SET {_WEBHOOK_SETS} WHERE id = ? AND cursor = ?"  # noqa: S608
        return await self._do(sql, [*webhook_row(webhook)[1:], webhook.id, before]) > 0

    async def move_webhook(self, webhook: Webhook) -> bool:
        """The same wherever its cursor is now; False if it is gone."""
        sql = f"UPDATE webhook SET {_WEBHOOK_SETS} WHERE id = ?"  # noqa: S608
        return await self._do(sql, [*webhook_row(webhook)[1:], webhook.id]) > 0

    async def add_dead_letters(self, webhook_id: str, letters: Iterable[DeadLetter]) -> None:
        """Note events that were given up; the newest 1000 of a webhook are kept."""
        for letter in letters:
            await self._do(
                "INSERT OR REPLACE INTO dead_letter VALUES (?, ?, ?, ?)",
                [webhook_id, letter.seq, letter.at, letter.reason],
            )
        await self._do(
            "DELETE FROM dead_letter WHERE webhook_id = ?1 AND seq NOT IN "
            "(SELECT seq FROM dead_letter WHERE webhook_id = ?1 ORDER BY seq DESC LIMIT ?2)",
            [webhook_id, DEAD_LETTERS_MOST],
        )

    async def drop_dead_letters(self, webhook_id: str, behind: int) -> None:
        """Forget those behind that number: they are sent again."""
        sql = "DELETE FROM dead_letter WHERE webhook_id = ? AND seq > ?"
        await self._do(sql, [webhook_id, behind])

    async def _newest(self) -> int:
        rows = await self._connection.execute_fetchall("SELECT max(seq) FROM journal")
        return next((int(row[0] or 0) for row in rows), 0)

    # The journal

    async def append(self, entry: Entry) -> Entry:
        """Add an entry at the end; with its number. Conflict (`duplicate`) for a request that
        is there already."""
        rows = await self._connection.execute_fetchall(
            "SELECT seq, mac FROM journal ORDER BY seq DESC LIMIT 1"
        )
        seq, before = next(iter(rows), (0, chain.START))
        entry = replace(entry, seq=seq + 1)
        row = entry_row(entry)
        marks = ", ".join("?" * (chain.WIDTH + 1))
        values = [*row, chain.mac(self._key, bytes(before), row)]
        try:
            await self._do(f"INSERT INTO journal VALUES ({marks})", values)  # noqa: S608
        except sqlite3.IntegrityError:
            raise Conflict("That was already asked and is under way.", code="duplicate") from None
        self.appended = True
        return entry

    async def drop_archived(self, last: int) -> None:
        """Remove the entries up to that number, which are in monthly files now."""
        await self.remember("journal_archived", str(last))
        await self._do("DELETE FROM journal WHERE seq <= ?", [last])

    # Answers owed

    async def owe(self, owed: Owed) -> None:
        """Note that an answer is owed; what was noted for its request before stays."""
        marks = ", ".join("?" * len(owed_row(owed)))
        sql = f"INSERT OR IGNORE INTO owed ({OWED_COLUMNS}) VALUES ({marks})"  # noqa: S608
        await self._do(sql, owed_row(owed))

    async def keep_owed(self, owed: Owed) -> Owed:
        """Keep the words of an answer; everything else stays as it was noted with its request."""
        await self.owe(owed)
        await self._do("UPDATE owed SET words = ? WHERE request = ?", [owed.words, owed.request])
        await self._do(
            "DELETE FROM owed WHERE request IN "
            "(SELECT request FROM owed ORDER BY asked_at DESC, request LIMIT -1 OFFSET ?)",
            [OWED_MOST],
        )
        rows = await self._connection.execute_fetchall(
            f"SELECT {OWED_COLUMNS} FROM owed WHERE request = ?",  # noqa: S608
            [owed.request],
        )
        return next((owed_of(tuple(row)) for row in rows), owed)

    async def drop_owed(self, request: str) -> None:
        """The answer was given, or is given up."""
        await self._do("DELETE FROM owed WHERE request = ?", [request])

    async def _insert(self, table: str, columns: str, row: Iterable[object]) -> None:
        marks = ", ".join("?" * len(columns.split(", ")))
        await self._do(f"INSERT INTO {table} ({columns}) VALUES ({marks})", row)  # noqa: S608

    async def _do(self, sql: str, values: Iterable[object] = ()) -> int:
        kept = [storable(value) if isinstance(value, str) else value for value in values]
        return (await self._connection.execute(sql, kept)).rowcount

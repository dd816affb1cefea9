"""Releases in the database: their rows as plain values, and what a transaction does with them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import aiosqlite

from controller.domain.access import Principal
from controller.domain.bot import Problem
from controller.domain.journal import Author
from controller.domain.release import Content, Outcome, Release
from controller.store.rows import encode, problem_of, problem_text, storable

COLUMNS = (
    "bot_id, number, content, why, principal_kind, principal_id, principal_name, cause, at, "
    "outcome, ended_at, problem, tail"
)
SELECT = (
    f"SELECT {COLUMNS}, coalesce(text, '') FROM releases "  # noqa: S608 - names of our own
    "LEFT JOIN template_text ON digest = template"
)


def release_of(row: Sequence[Any]) -> Release:
    """A row of SELECT as a release."""
    bot_id, number, content, why, kind, ident, name, cause, at, outcome, ended_at, *rest = row
    problem, tail, snapshot = rest
    return Release(
        bot_id=bot_id,
        number=number,
        content=Content(**json.loads(content)),
        snapshot=snapshot,
        why=why,
        author=Author(Principal(kind, ident, name), cause=cause),
        at=at,
        outcome=Outcome(outcome),
        ended_at=ended_at,
        problem=problem_of(problem),
        tail=tuple(json.loads(tail)),
    )


class ReleaseWriter:
    """Writes releases in a transaction that is under way."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def get(self, bot_id: str, number: int) -> Release | None:
        """One release of a bot, as this transaction sees it."""
        sql = f"{SELECT} WHERE bot_id = ? AND number = ?"
        rows = await self._connection.execute_fetchall(sql, [bot_id, number])
        return next((release_of(tuple(row)) for row in rows), None)

    async def next_number(self, bot_id: str) -> int:
        """The number of the bot's next release."""
        sql = "SELECT coalesce(max(number), 0) + 1 FROM releases WHERE bot_id = ?"
        rows = await self._connection.execute_fetchall(sql, [bot_id])
        return int(next(iter(rows))[0])

    async def add(self, release: Release) -> None:
        """Add a release."""
        digest = await self._keep(release.snapshot)
        who = release.author.principal
        await self._do(
            "INSERT INTO releases (bot_id, number, content, template, why, principal_kind, "
            "principal_id, principal_name, cause, at, outcome) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                *(release.bot_id, release.number, encode(asdict(release.content)), digest),
                *(release.why, who.kind, who.id, who.name, release.author.cause, release.at),
                release.outcome.value,
            ],
        )

    async def amend(self, bot_id: str, number: int, content: Content, snapshot: str) -> None:
        """Say what a candidate is made of now; one that has ended stays as it is."""
        await self._do(
            "UPDATE releases SET content = ?, template = ? "
            "WHERE bot_id = ? AND number = ? AND outcome = 'trying'",
            [encode(asdict(content)), await self._keep(snapshot), bot_id, number],
        )

    async def end(
        self,
        bot_id: str,
        number: int,
        outcome: Outcome,
        at: float,
        problem: Problem | None = None,
        tail: Sequence[str] = (),
    ) -> None:
        """Say how a candidate ended; one that has ended stays as it is."""
        await self._do(
            "UPDATE releases SET outcome = ?, ended_at = ?, problem = ?, tail = ? "
            "WHERE bot_id = ? AND number = ? AND outcome = 'trying'",
            [outcome.value, at, problem_text(problem), json.dumps(list(tail)), bot_id, number],
        )

    async def _keep(self, text: str) -> str:
        if not text:
            return ""
        digest = hashlib.sha256(text.encode()).hexdigest()
        await self._do("INSERT OR IGNORE INTO template_text VALUES (?, ?)", [digest, text])
        return digest

    async def _do(self, sql: str, values: Sequence[object]) -> None:
        kept = [storable(value) if isinstance(value, str) else value for value in values]
        await self._connection.execute(sql, kept)

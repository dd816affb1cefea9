"""Acts on many bots in the database: rows as values, and what a transaction does with them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import aiosqlite

from controller.domain.access import Limit, Principal
from controller.domain.batches import Batch, BatchState, Item, ItemState, Verb
from controller.domain.roles import Role
from controller.store.rows import storable
from controller.store.schedule_rows import fresh_number

BATCH_COLUMNS = (
    "id, act, principal, state, asked_at, until, ended_at, cancelled, channel_id, message_id"
)
ITEMS = "SELECT bot_id, name, state, words FROM batch_bot"
FORGET_AFTER = 2_592_000.0  # seconds; for one that nobody confirmed, from its own end on


def batch_of(row: Sequence[Any], items: Sequence[Sequence[Any]]) -> Batch:
    """A row of BATCH_COLUMNS and its bots' rows as a value."""
    number, act, principal, state, asked_at, until, ended_at, cancelled, channel, message = row
    return Batch(
        id=number,
        verb=Verb.of(act),
        by=_principal_of(principal),
        items=tuple(
            Item(bot_id=bot_id, name=name, state=ItemState(how), words=words)
            for bot_id, name, how, words in items
        ),
        state=BatchState(state),
        asked_at=asked_at,
        until=until,
        ended_at=ended_at,
        cancelled=bool(cancelled),
        channel_id=channel,
        message_id=message,
    )


def _principal_text(who: Principal) -> str:
    """With the Discord roles and the token's limit of then: it goes on after a restart."""
    limit = who.limit
    narrowed = limit and [int(limit.role), sorted(limit.bots), sorted(limit.acts)]
    return storable(json.dumps([who.kind, who.id, who.name, sorted(who.roles), narrowed]))


def _principal_of(text: str) -> Principal:
    kind, ident, name, roles, narrowed = json.loads(text)
    limit = None
    if narrowed:
        role, bots, acts = narrowed
        limit = Limit(Role(role), frozenset(bots), frozenset(acts))
    return Principal(kind, ident, name, frozenset(roles), limit)


class BatchWriter:
    """Writes them in a transaction that is under way."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    async def add(self, batch: Batch) -> Batch:
        """Add one that is asked for, with its number; old ones go."""
        await self._connection.execute(
            "DELETE FROM batch WHERE (state = 'asked' AND until < ?) "
            "OR (state = 'ended' AND ended_at < ?)",
            [batch.asked_at, batch.asked_at - FORGET_AFTER],
        )
        number = await fresh_number(self._connection, "batches")
        await self._connection.execute(
            "INSERT INTO batch (id, act, principal, state, asked_at, until) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            [
                *(number, batch.verb.act.id, _principal_text(batch.by), batch.state.value),
                *(batch.asked_at, batch.until),
            ],
        )
        rows = [
            (number, position, item.bot_id, item.name) for position, item in enumerate(batch.items)
        ]
        await self._connection.executemany(
            "INSERT INTO batch_bot (batch_id, position, bot_id, name) VALUES (?, ?, ?, ?)", rows
        )
        return replace(batch, id=number)

    async def begin(self, batch_id: int) -> bool:
        """It is confirmed; False when it was already, or is gone."""
        sql = "UPDATE batch SET state = 'running' WHERE id = ? AND state = 'asked'"
        return (await self._connection.execute(sql, [batch_id])).rowcount > 0

    async def cancel(self, batch_id: int) -> None:
        """No further bot is begun with."""
        sql = "UPDATE batch SET cancelled = 1 WHERE id = ? AND state <> 'ended'"
        await self._connection.execute(sql, [batch_id])

    async def end(self, batch_id: int, at: float) -> None:
        """All of its bots have ended."""
        sql = "UPDATE batch SET state = 'ended', ended_at = ? WHERE id = ?"
        await self._connection.execute(sql, [at, batch_id])

    async def end_item(self, batch_id: int, position: int, item: Item) -> None:
        """How it went for one bot."""
        sql = "UPDATE batch_bot SET state = ?, words = ? WHERE batch_id = ? AND position = ?"
        values = [item.state.value, storable(item.words), batch_id, position]
        await self._connection.execute(sql, values)

    async def show_in(self, batch_id: int, channel_id: int, message_id: int) -> None:
        """Which message shows how it goes."""
        sql = "UPDATE batch SET channel_id = ?, message_id = ? WHERE id = ?"
        await self._connection.execute(sql, [channel_id, message_id, batch_id])

    async def tell(self, batch_id: int) -> None:
        """Its end is shown, or nobody has to show it any more."""
        await self._connection.execute("UPDATE batch SET told = 1 WHERE id = ?", [batch_id])

"""Transactions: all of it or nothing, whatever goes wrong and whenever a caller gives up."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from controller.domain.access import SYSTEM
from controller.domain.errors import Conflict, StorageTrouble
from controller.domain.journal import Author, Entry, Kind
from controller.store import Store, chain
from controller.store.database import Database, finish
from tests.store.steps import Steps

KEY = bytes(range(32))
TURNS = range(40)  # more turns of the loop than the transactions below take


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    database = await Database.open(tmp_path / "botmaker.db", chain.chaining(KEY))
    yield database
    await database.close()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(tmp_path, KEY)
    yield store
    await store.close()


async def remember(store: Store, key: str, value: str = "") -> None:
    async with store.transaction() as write:
        await write.remember(key, value)


async def test_a_failed_transaction_leaves_nothing(store: Store) -> None:
    """What was written before the failure is undone, and the next write works."""

    async def work() -> None:
        async with store.transaction() as write:
            await write.remember("a", "b")
            await write.append(Entry(at=1.0, kind=Kind.NOTED))
            raise RuntimeError("no")

    with pytest.raises(RuntimeError, match="no"):
        await work()
    assert await store.recall("a") == ""
    assert await store.entries() == []
    await remember(store, "a", "c")
    assert await store.recall("a") == "c"


async def test_a_statement_that_fails_undoes_what_came_before(store: Store) -> None:
    """SQLite's own refusal is StorageTrouble with a hint; nothing of the transaction stays."""

    async def work() -> None:
        async with store.transaction() as write:
            await write.remember("a", "b")
            await write.remember("c", None)  # type: ignore[arg-type]

    with pytest.raises(StorageTrouble) as caught:
        await work()
    assert caught.value.hint
    assert await store.recall("a") == ""
    await remember(store, "a", "b")


@pytest.mark.parametrize("turns", TURNS)
async def test_a_cancelled_transaction_is_whole_or_absent(
    store: Store, tmp_path: Path, turns: int
) -> None:
    """At whatever await its caller gives up, all rows are there or none, and the next one works."""
    began = done = False

    async def work() -> None:
        nonlocal began, done
        async with store.transaction() as write:
            began = True
            await write.remember("a", "1")
            await write.append(Entry(at=1.0, kind=Kind.NOTED))
            await write.remember("b", "2")
            done = True

    caller = asyncio.create_task(work())
    for _ in range(turns):
        await asyncio.sleep(0.0002 if turns % 2 else 0)
    caller.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await caller
    there = [await store.recall("a"), await store.recall("b"), str(len(await store.entries()))]
    assert there in (["1", "2", "1"], ["", "", "0"])
    assert done or there == ["", "", "0"]
    assert not done or not caller.cancelled() or there == ["1", "2", "1"]
    await remember(store, "c", "3")
    with sqlite3.connect(tmp_path / "botmaker.db") as connection:
        assert connection.execute("SELECT value FROM installation WHERE key = 'c'").fetchone()
    connection.close()


async def test_at_every_single_await_a_cancellation_leaves_all_or_nothing(store: Store) -> None:
    """Generated: the same transaction, cancelled at its first await, its second, and so on."""
    at, cancelled = 0, True
    while cancelled:
        steps = Steps(at)

        async def work(name: str) -> None:
            async with store.transaction() as write:
                await write.remember(f"{name} a", "1")
                await write.append(Entry(at=1.0, kind=Kind.NOTED, bot_id=name))
                await write.remember(f"{name} b", "2")

        name = f"await {at}"

        async def drive(name: str = name, steps: Steps = steps) -> None:
            with contextlib.suppress(asyncio.CancelledError):
                await steps.drive(work(name))

        await asyncio.create_task(drive())
        cancelled = steps.cancelled
        there = [
            bool(await store.recall(f"{name} a")),
            bool(await store.recall(f"{name} b")),
            bool(await store.entries(name)),
        ]
        assert len(set(there)) == 1, name
        assert cancelled or all(there)
        at += 1
    assert at > 5
    assert chain.check(KEY, await store.chained()).fault == ""


async def test_a_caller_that_is_cancelled_at_the_commit_loses_nothing(database: Database) -> None:
    """The commit ends, then the caller is cancelled."""
    told = asyncio.Event()

    async def work() -> None:
        async with database.transaction() as connection:
            await connection.execute("INSERT INTO installation VALUES ('a', '1')")
            told.set()

    caller = asyncio.create_task(work())
    await told.wait()
    caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert await database.read("SELECT value FROM installation WHERE key = 'a'") == [("1",)]


async def test_a_transaction_that_is_cancelled_while_it_waits_writes_nothing(
    store: Store,
) -> None:
    """Waiting for another one's end counts as not begun."""
    async with store.transaction() as write:
        waiting = asyncio.create_task(remember(store, "late", "x"))
        await asyncio.sleep(0)
        waiting.cancel()
        await write.remember("first", "y")
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert (await store.recall("first"), await store.recall("late")) == ("y", "")


async def test_readers_wait_for_the_end_of_a_transaction(store: Store) -> None:
    """Nobody reads what may be undone yet."""
    with contextlib.suppress(RuntimeError):
        async with store.transaction() as write:
            await write.remember("a", "half")
            reader = asyncio.create_task(store.recall("a"))
            await asyncio.sleep(0.02)
            assert not reader.done()
            raise RuntimeError
    assert await reader == ""


async def test_a_refusal_inside_undoes_the_rest(store: Store) -> None:
    """A duplicate request takes everything of its transaction with it."""
    asked = Entry(at=1.0, kind=Kind.ASKED, author=Author(SYSTEM, "chat:1"))
    async with store.transaction() as write:
        await write.append(asked)

    async def work() -> None:
        async with store.transaction() as write:
            await write.remember("a", "b")
            await write.append(asked)

    with pytest.raises(Conflict) as caught:
        await work()
    assert caught.value.code == "duplicate"
    assert await store.recall("a") == ""
    assert len(await store.entries()) == 1


async def test_transactions_at_once_follow_each_other(database: Database) -> None:
    """A hundred read-and-add transactions side by side lose none."""
    async with database.transaction() as connection:
        await connection.execute("INSERT INTO installation VALUES ('n', '0')")

    async def add() -> None:
        async with database.transaction() as connection:
            sql = "SELECT value FROM installation WHERE key = 'n'"
            value = int(next(iter(await connection.execute_fetchall(sql)))[0])
            await asyncio.sleep(0)
            await connection.execute(
                "UPDATE installation SET value = ? WHERE key = 'n'", [str(value + 1)]
            )

    await asyncio.gather(*(add() for _ in range(100)))
    assert await database.read("SELECT value FROM installation WHERE key = 'n'") == [("100",)]


async def test_a_close_waits_for_the_transaction_under_way(tmp_path: Path) -> None:
    """A program that ends does not cut a write in half."""
    store = await Store.open(tmp_path, KEY)
    begun = asyncio.Event()

    async def work() -> None:
        async with store.transaction() as write:
            begun.set()
            for number in range(20):
                await write.remember(str(number), "x")

    caller = asyncio.create_task(work())
    await begun.wait()
    await store.close()
    await caller
    again = await Store.open(tmp_path, KEY)
    assert [await again.recall(str(number)) for number in range(20)] == ["x"] * 20
    await again.close()


async def test_what_is_finished_is_finished_however_often_it_is_cancelled() -> None:
    """`finish` ends the work first, passes its error on, and is cancelled only then."""
    ended: list[str] = []

    async def work(error: Exception | None = None) -> None:
        await asyncio.sleep(0.01)
        ended.append("yes")
        if error is not None:
            raise error

    caller = asyncio.create_task(finish(work()))
    for _ in range(3):
        await asyncio.sleep(0)
        caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert ended == ["yes"]
    with pytest.raises(ValueError, match="bad"):
        await finish(work(ValueError("bad")))

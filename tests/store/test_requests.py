"""Requests in the journal: written down before anything is done, and ended whatever happens."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from controller.domain.access import discord_user
from controller.domain.acts import BOT_STOP
from controller.domain.bot import Bot
from controller.domain.errors import Conflict, NotReady, OutcomeUnknown, StorageTrouble
from controller.domain.journal import Entry, Fact, Kind
from controller.fleet.journal import Caller, Journal
from controller.fleet.threads import Threads
from controller.store import Owed, Store, chain
from tests.store.steps import Steps

KEY = bytes(range(32))
BOT = Bot(id="b", name="shop", template="t", provider="p", model="m", channel="c")
ANN = discord_user(1, "ann")


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(tmp_path, KEY)
    yield store
    await store.close()


@pytest.fixture
def journal(store: Store, tmp_path: Path) -> Journal:
    return Journal(store, tmp_path / "journal", Threads())


async def written(store: Store) -> list[Entry]:
    return (await store.entries(limit=100))[::-1]


async def test_a_request_and_its_outcome_are_two_entries(store: Store, journal: Journal) -> None:
    """The first before it is carried out, the second names it; an answer is owed meanwhile."""
    caller = Caller(ANN, "discord:1", "discord")
    async with journal.request(caller, BOT_STOP, BOT, {"why": "because"}) as deed:
        (asked,) = await written(store)
        assert (asked.kind, asked.bot_name, asked.author.principal) == (Kind.ASKED, "shop", ANN)
        assert asked.data == {"act": "bot.stop", "why": "because"}
        assert deed.author.cause == asked.seq == 1
        deed.ended(phase="stopped")
    asked, ended = await written(store)
    assert ended.kind is Kind.OUTCOME
    assert ended.data == {"act": "bot.stop", "result": "done", "phase": "stopped"}
    assert (ended.author.cause, ended.author.request) == (asked.seq, "discord:1")
    assert await store.unended() == []
    owed = Owed(
        request="discord:1",
        reply_via="discord",
        recipient="1",
        act="bot.stop",
        bot_id="b",
        bot_name="shop",
        asked_at=asked.at,
    )
    assert await store.owed() == [owed]


async def test_a_request_is_written_down_with_the_answer_that_it_is_owed_or_not_at_all(
    store: Store, journal: Journal, tmp_path: Path
) -> None:
    """If the debt can't be noted, nothing is carried out and nobody has asked."""
    with contextlib.closing(sqlite3.connect(tmp_path / "botmaker.db")) as file:
        file.execute(
            "CREATE TRIGGER full BEFORE INSERT ON owed BEGIN SELECT RAISE(ABORT, 'no room'); END"
        )
    with pytest.raises(StorageTrouble, match="no room"):
        async with journal.request(Caller(ANN, "discord:1", "discord"), BOT_STOP, BOT):
            pytest.fail("carried out")
    assert await written(store) == []
    async with journal.request(Caller(ANN, "discord:1"), BOT_STOP, BOT):
        pass
    assert [one.kind for one in await written(store)] == [Kind.ASKED, Kind.OUTCOME]


@pytest.mark.parametrize("caller", [Caller(ANN), Caller(ANN, "a:1"), Caller(ANN, "", "discord")])
async def test_without_a_way_to_reply_no_answer_is_owed(
    store: Store, journal: Journal, caller: Caller
) -> None:
    """Neither to the console nor to a request without an id."""
    async with journal.request(caller, BOT_STOP):
        pass
    assert await store.owed() == []


@pytest.mark.parametrize(
    ("error", "data"),
    [
        (NotReady("no", code="being-removed"), {"result": "refused", "code": "being-removed"}),
        (OutcomeUnknown("lost"), {"result": "unknown", "code": "outcome-unknown"}),
        (ZeroDivisionError("a bug"), {"result": "failed"}),
        (asyncio.CancelledError(), {"result": "cut-short"}),
    ],
)
async def test_an_error_is_an_outcome_too(
    store: Store, journal: Journal, error: BaseException, data: dict[str, str]
) -> None:
    """By its code, never by its words; it is raised again."""
    with pytest.raises(type(error)):
        async with journal.request(Caller(ANN), BOT_STOP, BOT):
            raise error
    assert (await written(store))[1].data == {"act": "bot.stop", **data}


async def test_a_request_acts_only_once(store: Store, journal: Journal) -> None:
    """Delivered twice, the second is a Conflict and isn't carried out."""
    done: list[int] = []

    async def ask() -> None:
        async with journal.request(Caller(ANN, "a:1"), BOT_STOP, BOT):
            done.append(1)

    ends = await asyncio.gather(*(ask() for _ in range(4)), return_exceptions=True)
    assert [end.code for end in ends if isinstance(end, Conflict)] == ["duplicate"] * 3
    assert done == [1]
    assert [one.kind for one in await written(store)] == [Kind.ASKED, Kind.OUTCOME]


async def test_cancelled_at_any_await_a_request_has_its_outcome_or_never_was(
    store: Store, journal: Journal
) -> None:
    """Generated: at its first await, its second, and so on; the chain stays sound."""
    at, cancelled = 0, True
    while cancelled:
        steps, request = Steps(at), f"a:{at}"

        async def ask(request: str = request) -> None:
            async with journal.request(Caller(ANN, request, "a"), BOT_STOP, BOT):
                await asyncio.sleep(0)

        async def drive(steps: Steps = steps, work: Any = ask) -> None:
            with contextlib.suppress(asyncio.CancelledError):
                await steps.drive(work())

        await asyncio.create_task(drive())
        cancelled = steps.cancelled
        mine = [one for one in await written(store) if one.author.request == request]
        assert [one.kind for one in mine] in ([], [Kind.ASKED, Kind.OUTCOME]), at
        assert any(owed.request == request for owed in await store.owed()) is bool(mine)
        assert cancelled or mine[1].data["result"] == "done"
        at += 1
    assert at > 2
    assert await store.unended() == []
    assert chain.check(KEY, await store.chained()).fault == ""


@pytest.mark.parametrize("milliseconds", [n / 4 for n in range(24)])
async def test_cancelled_at_any_time_a_request_has_its_outcome_or_never_was(
    store: Store, journal: Journal, milliseconds: float
) -> None:
    """As a task that somebody cancels, while others ask too."""

    async def ask(request: str) -> None:
        async with journal.request(Caller(ANN, request, "a"), BOT_STOP, BOT):
            await asyncio.sleep(0.001)

    tasks = [asyncio.create_task(ask(f"a:{n}")) for n in range(3)]
    await asyncio.sleep(milliseconds / 1000)
    tasks[1].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert await store.unended() == []
    assert chain.check(KEY, await store.chained()).fault == ""


async def test_what_a_dead_controller_left_open_is_ended(store: Store, journal: Journal) -> None:
    """At the next start, once, as cut short."""
    async with store.transaction() as write:
        await write.append(Entry(at=1.0, kind=Kind.ASKED, bot_id="b", data={"act": "bot.stop"}))
    async with journal.request(Caller(ANN), BOT_STOP):
        pass
    assert await journal.end_open() == 1
    assert await journal.end_open() == 0
    ended = (await written(store))[-1]
    assert ended.data == {"act": "bot.stop", "result": "cut-short"}
    assert (ended.author.cause, ended.bot_id) == (1, "b")


async def test_refusals_and_notes_are_single_entries(store: Store, journal: Journal) -> None:
    """Neither has an outcome to wait for, and a refusal owes no answer."""
    await journal.refused(Caller(ANN, "a:1", "a"), "bot.stop", BOT, "denied", "No.")
    await journal.note(Fact(Kind.UNCHECKED, {"exit_code": 3}), BOT)
    refused, note = await written(store)
    assert refused.kind is Kind.REFUSED
    assert refused.data == {"act": "bot.stop", "code": "denied", "message": "No."}
    assert note.author.principal.kind == "system"
    assert await store.unended() == []
    assert await store.owed() == []


async def test_a_request_costs_little_beside_the_disk(store: Store, journal: Journal) -> None:
    """A hundred requests, two transactions each, in a few seconds on a slow disk."""
    begun = time.monotonic()
    for _ in range(100):
        async with journal.request(Caller(ANN), BOT_STOP, BOT):
            pass
    assert time.monotonic() - begun < 10

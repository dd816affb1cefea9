"""The journal's table: numbered without gaps, chained, never rewritten, whatever the text is."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import AsyncIterator
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from controller.domain.access import SYSTEM, discord_user
from controller.domain.errors import Conflict
from controller.domain.journal import Author, Entry, Kind
from controller.store import Store, chain

KEY = bytes(range(32))
ANN = discord_user(1, "ann")
BOT = "6f1c1b9e-7a60-4b8e-9a55-0d6f3f3c2f11"


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(tmp_path, KEY)
    yield store
    await store.close()


def entry(kind: Kind = Kind.NOTED, request: str = "", cause: int = 0, **data: object) -> Entry:
    author = Author(ANN, request, cause)
    return Entry(at=1.5, kind=kind, bot_id=BOT, bot_name="shop", author=author, data=data)


async def append(store: Store, *entries: Entry) -> list[Entry]:
    async with store.transaction() as write:
        return [await write.append(one) for one in entries]


async def fault(store: Store) -> str:
    return chain.check(KEY, await store.chained(limit=10_000)).fault


async def test_entries_are_numbered_from_one_without_gaps(store: Store) -> None:
    """Also where a transaction was undone in between."""
    first = await append(store, entry(), entry())
    with contextlib.suppress(RuntimeError):
        async with store.transaction() as write:
            await write.append(entry())
            raise RuntimeError
    later = await append(store, entry())
    assert [one.seq for one in [*first, *later]] == [1, 2, 3]
    assert [one.seq for one in await store.entries()] == [3, 2, 1]


async def test_an_entry_comes_back_as_it_was_written(store: Store) -> None:
    """Every field of it, with whoever asked."""
    written = await append(
        store,
        entry(Kind.ASKED, "chat:1", act="bot.stop", deep={"list": [1, None, True, 0.5]}),
        Entry(at=2.0, kind=Kind.CRASH, author=Author(SYSTEM, "", 1), data={"exit_code": None}),
    )
    assert await store.entries() == written[::-1]


async def test_entries_are_asked_by_bot_kind_and_number(store: Store) -> None:
    """Newest first, so many at once, from a number on."""
    other = Entry(at=1.0, kind=Kind.CRASH)
    await append(store, *(entry(n=n) for n in range(5)), other, entry(Kind.CRASH))

    async def numbers(*args: Any, **more: Any) -> list[int]:
        return [one.seq for one in await store.entries(*args, **more)]

    assert await numbers(limit=2) == [7, 6]
    assert await numbers(BOT, limit=2) == [7, 5]
    assert await numbers("", [Kind.CRASH]) == [7, 6]
    assert await numbers(BOT, [Kind.NOTED], before=4) == [3, 2, 1]
    assert await numbers("nobody") == []


async def test_a_request_is_written_down_once(store: Store) -> None:
    """Of five at once one is first, the others are a Conflict; no request means no such rule."""
    asked = entry(Kind.ASKED, "chat:1")
    ends = await asyncio.gather(*(append(store, asked) for _ in range(5)), return_exceptions=True)
    refused = [end for end in ends if isinstance(end, Conflict)]
    assert [error.code for error in refused] == ["duplicate"] * 4
    await append(store, entry(Kind.REFUSED, "chat:1"), entry(Kind.OUTCOME, "chat:1", 1))
    await append(store, entry(Kind.ASKED), entry(Kind.ASKED))
    assert [one.seq for one in await store.entries()] == [5, 4, 3, 2, 1]
    assert await fault(store) == ""


async def test_many_at_once_make_one_sound_chain(store: Store) -> None:
    """Numbers and hashes follow each other however requests interleave."""
    await asyncio.gather(*(append(store, entry(n=n), entry(n=n)) for n in range(50)))
    checked = chain.check(KEY, await store.chained())
    assert (checked.entries, checked.fault) == (100, "")


async def test_requests_without_an_outcome_are_told(store: Store) -> None:
    """Oldest first; an outcome belongs to the request that it names."""
    await append(
        store,
        entry(Kind.ASKED, "chat:1"),
        entry(Kind.ASKED, "chat:2"),
        entry(Kind.ASKED, "chat:3"),
        entry(Kind.WISH, "chat:3", 3),
        entry(Kind.OUTCOME, "chat:2", 2, result="done"),
    )
    assert [one.seq for one in await store.unended()] == [1, 3]
    outcomes = await store.outcomes([1, 2, 3])
    assert {seq: one.data for seq, one in outcomes.items()} == {2: {"result": "done"}}
    assert await store.outcomes([]) == {}


_REPLACED = "INSERT OR REPLACE INTO journal SELECT {}, at, kind, bot_id, bot_name, principal_kind, \
principal_id, 'x', {}, cause, data, mac FROM journal WHERE seq = 1"


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM journal",
        "DELETE FROM journal WHERE seq = 3",
        "UPDATE journal SET data = '{}'",
        "UPDATE journal SET principal_id = '2' WHERE seq = 1",
        "UPDATE journal SET mac = mac",
        _REPLACED.format(1, "''"),
        _REPLACED.format(2, "'chat:1'"),
        _REPLACED.format(9, "'chat:1'"),
        _REPLACED.format(0, "''"),
    ],
)
async def test_the_journal_cannot_be_rewritten(store: Store, tmp_path: Path, sql: str) -> None:
    """Not even by somebody with a SQLite shell: the file itself refuses."""
    await append(store, entry(Kind.ASKED, "chat:1"), entry(), entry())
    before = await store.chained()
    with sqlite3.connect(tmp_path / "botmaker.db") as shell:
        with pytest.raises(sqlite3.IntegrityError, match="journal entries are never"):
            shell.execute(sql)
    shell.close()
    assert await store.chained() == before


async def test_only_what_was_archived_leaves_the_table(store: Store, tmp_path: Path) -> None:
    """Up to the number that was noted with it; the rest is refused as before."""
    await append(store, *(entry(n=n) for n in range(5)))
    async with store.transaction() as write:
        await write.drop_archived(3)
    assert [row[0] for row in await store.chained()] == [4, 5]
    shell = sqlite3.connect(tmp_path / "botmaker.db")
    with pytest.raises(sqlite3.IntegrityError):
        shell.execute("DELETE FROM journal WHERE seq = 4")
    with pytest.raises(sqlite3.IntegrityError):
        shell.execute("UPDATE journal SET at = 0 WHERE seq = 4")
    shell.close()
    assert [one.seq for one in await append(store, entry())] == [6]


_FORGED = "INSERT INTO journal SELECT {}, at, kind, bot_id, 'x', principal_kind, principal_id, \
principal_name, '', cause, data, mac FROM journal WHERE seq = 2"
TAMPERED = {
    "UPDATE journal SET data = '{}' WHERE seq = 2": "entry 2 was changed",
    "UPDATE journal SET at = at + 0.001 WHERE seq = 4": "entry 4 was changed",
    "UPDATE journal SET principal_id = '2' WHERE seq = 1": "entry 1 was changed",
    "UPDATE journal SET mac = zeroblob(32) WHERE seq = 3": "entry 3 was changed",
    "UPDATE journal SET bot_name = bot_name || char(0) WHERE seq = 3": "entry 3 was changed",
    "DELETE FROM journal WHERE seq = 3": "entry 3 is missing; the next one that exists is 4",
    "DELETE FROM journal WHERE seq = 1": "entry 1 is missing; the next one that exists is 2",
    "DELETE FROM journal WHERE seq = 3; UPDATE journal SET seq = 3 WHERE seq = 4; "
    "UPDATE journal SET seq = 4 WHERE seq = 5": "entry 3 was changed",
    "UPDATE journal SET seq = 9 WHERE seq = 2; UPDATE journal SET seq = 2 WHERE seq = 3; "
    "UPDATE journal SET seq = 3 WHERE seq = 9": "entry 2 was changed",
    _FORGED.format(6): "entry 6 was changed",
    _FORGED.format(0): "entry 0 was slipped in",
}


@pytest.mark.parametrize(("sql", "found"), TAMPERED.items())
async def test_what_was_done_behind_the_triggers_back_is_found(
    store: Store, tmp_path: Path, sql: str, found: str
) -> None:
    """An entry that was edited, dropped, moved or slipped in; the check names the first one."""
    await append(store, *(entry(n=n) for n in range(5)))
    assert await fault(store) == ""
    shell = sqlite3.connect(tmp_path / "botmaker.db")
    shell.executescript(
        "DROP TRIGGER journal_is_never_rewritten; DROP TRIGGER journal_is_never_deleted;"
        "DROP TRIGGER journal_only_grows;" + sql
    )
    shell.close()
    assert await fault(store) == found


async def test_another_key_finds_the_first_entry_changed(store: Store) -> None:
    """Whoever doesn't have the key can't make entries that fit."""
    await append(store, entry(), entry())
    assert chain.check(bytes(32), await store.chained()).fault == "entry 1 was changed"


async def test_the_head_names_everything_before_it(store: Store) -> None:
    """Equal for equal journals, another after each entry, empty for none."""
    assert chain.check(KEY, []) == chain.Checked(0, "")
    heads = set()
    for _ in range(3):
        await append(store, entry())
        heads.add(chain.check(KEY, await store.chained()).head)
    assert len(heads) == 3
    assert all(len(head) == 64 for head in heads)


texts = st.text(st.characters(codec=None, exclude_categories=[]), max_size=30)
floats = st.floats(allow_nan=False, allow_infinity=False)
plain = st.recursive(
    st.none() | st.booleans() | st.integers() | floats | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)


def test_the_hash_of_what_is_read_back_is_the_hash_of_what_was_written(tmp_path: Path) -> None:
    """For every time and every text: NUL, emoji, half characters, quotes, the negative zero."""
    with asyncio.Runner() as runner:
        store = runner.run(Store.open(tmp_path, KEY))

        @settings(max_examples=150, suppress_health_check=list(HealthCheck), deadline=None)
        @given(
            at=floats, name=texts, ident=texts, request=texts, data=st.dictionaries(texts, plain)
        )
        @example(at=-0.0, name="\0", ident="😀", request="", data={"\0": "\udc80", "a": -0.0})
        @example(at=1e18, name="a\ud83d\ude00", ident='"', request="", data={"n": 10**30})
        @example(at=5e-324, name="\u2028", ident="\\", request="", data={"e": "é\r\n"})
        def claim(at: float, name: str, ident: str, request: str, data: dict[str, Any]) -> None:
            by = Author(discord_user(1, name), request)
            one = Entry(at=at, kind=Kind.NOTED, bot_id=ident, bot_name=name, author=by, data=data)
            (written,) = runner.run(append(store, one))
            rows = runner.run(store.chained(after=max(0, written.seq - 2)))
            before = rows[-2][-1] if len(rows) > 1 else chain.START
            *columns, mac = rows[-1]
            assert chain.mac(KEY, before, columns) == mac
            (back,) = runner.run(store.entries(limit=1))
            assert back.at == at
            if name.isprintable():
                assert (back.bot_name, back.author.principal.name) == (name, name)

        claim()
        checked = chain.check(KEY, runner.run(store.chained(limit=10_000)))
        assert checked.fault == ""
        assert checked.entries > 100
        runner.run(store.close())


async def test_an_entry_takes_less_than_a_millisecond(store: Store) -> None:
    """The median, inside a transaction: what the disk takes for the commit isn't counted."""
    took: list[float] = []
    async with store.transaction() as write:
        for number in range(300):
            begun = time.perf_counter()
            await write.append(entry(n=number))
            took.append(time.perf_counter() - begun)
    assert median(took) < 0.001

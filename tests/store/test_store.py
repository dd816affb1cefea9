"""What the tables give back: bots whole, names once, forms once, an audit that stays."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.domain.access import Grant
from controller.domain.bot import Bot, Crash, Problem, Wish
from controller.domain.errors import Conflict, NotFound
from controller.domain.names import new_bot_id
from controller.domain.roles import Role
from controller.store import Card, Entry, Form, Store
from controller.store.store import CRASHES_KEPT

BOT = Bot(
    id="6f1c1b9e-7a60-4b8e-9a55-0d6f3f3c2f11",
    name="shop",
    template="demo",
    provider="demo",
    model="small",
    channel="demo",
)
ASKED = Entry(at=1.0, request="r1", user_id=1, user_name="ann", action="stop", bot_id=BOT.id)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
times = st.floats(0, 1e11)
problems = st.builds(Problem, code=texts, message=texts, hint=texts, at=times)
bots = st.builds(
    Bot,
    id=st.uuids().map(str),
    name=texts,
    template=texts,
    provider=texts,
    model=texts,
    channel=texts,
    fields=st.dictionaries(texts, texts, max_size=4),
    wish=st.sampled_from(Wish),
    ended_run=texts,
    reload_run=texts,
    image=texts,
    problem=st.none() | problems,
    accounted_end=times,
    created_at=times,
    created_by=st.integers(0, 2**63 - 1),
)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(tmp_path)
    yield store
    await store.close()


def test_a_bot_comes_back_as_it_was_written(tmp_path: Path) -> None:
    """Every field survives add, save and a new connection."""
    with asyncio.Runner() as runner:
        store = runner.run(Store.open(tmp_path))

        @settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
        @given(first=bots, later=bots)
        def claim(first: Bot, later: Bot) -> None:
            async def check() -> None:
                await store.add_bot(first)
                assert await store.bots() == [first]
                changed = replace(later, id=first.id)
                assert await store.save_bot(changed)
                assert await store.bots() == [changed]
                await store.drop_bot(first.id)
                assert await store.bots() == []

            runner.run(check())

        claim()
        runner.run(store.close())


async def test_every_field_of_a_bot_has_a_column(store: Store) -> None:
    """A bot with a value in every field is read back equal by another connection."""
    bot = replace(
        BOT,
        fields={"behaviour": "steady"},
        wish=Wish.STOP,
        ended_run="run",
        reload_run="another run",
        image="sha256:1",
        problem=Problem("code", "message", "hint", 5.0),
        accounted_end=6.5,
        log_floor=7.0,
        created_at=7.5,
        created_by=8,
    )
    empty = Bot(id="", name="", template="", provider="", model="", channel="")
    names = Bot.__dataclass_fields__
    assert all(getattr(bot, name) != getattr(empty, name) for name in names), "one is at default"
    await store.add_bot(bot)
    assert await store.bots() == [bot]


async def test_a_name_is_taken_once(store: Store) -> None:
    """The second bot of a name is a Conflict that names it, also when both come at once."""
    await store.add_bot(BOT)
    with pytest.raises(Conflict, match="shop") as caught:
        await store.add_bot(replace(BOT, id=new_bot_id()))
    assert caught.value.code == "name-taken"
    twins = [replace(BOT, id=new_bot_id(), name="twin") for _ in range(5)]
    done = await asyncio.gather(*map(store.add_bot, twins), return_exceptions=True)
    assert sum(isinstance(one, Conflict) for one in done) == 4


async def test_saving_a_bot_that_is_gone_says_so(store: Store) -> None:
    """No row appears by a save."""
    assert not await store.save_bot(BOT)
    assert await store.bots() == []


async def test_the_installation_keeps_its_id(tmp_path: Path) -> None:
    """Made once, the same at every start, another one elsewhere."""
    first = await Store.open(tmp_path)
    instance = await first.instance()
    assert await first.instance() == instance
    await first.close()
    again = await Store.open(tmp_path)
    assert await again.instance() == instance
    await again.close()
    (tmp_path / "other").mkdir()
    other = await Store.open(tmp_path / "other")
    assert await other.instance() != instance
    await other.close()


async def test_the_newest_crashes_are_kept(store: Store) -> None:
    """Fifty a bot; the same crash twice is one; they go with the bot."""
    await store.add_bot(BOT)
    every = tuple(Crash(float(at), at % 7 or None, at % 2 == 0) for at in range(80))
    await store.add_crashes(BOT.id, every[:60])
    await store.add_crashes(BOT.id, every[40:])
    assert (await store.crashes())[BOT.id] == list(every[-CRASHES_KEPT:])
    await store.clear_crashes(BOT.id)
    assert await store.crashes() == {}
    await store.add_crashes(BOT.id, every[:2])
    await store.drop_bot(BOT.id)
    assert await store.crashes() == {}


async def test_a_form_is_used_by_one(store: Store) -> None:
    """Of many at once one gets it; reopened it can be used again; it goes with its bot."""
    await store.add_bot(BOT)
    form = Form("f1", BOT.id, 1, True, 100.0)
    await store.add_form(form)
    assert await store.form("f1") == form
    done = await asyncio.gather(*(store.use_form("f1", float(at)) for at in range(5)))
    assert sum(done) == 1
    await store.reopen_form("f1")
    assert await store.use_form("f1", 9.0)
    await store.drop_bot(BOT.id)
    assert await store.form("f1") is None
    with pytest.raises(NotFound):
        await store.add_form(form)


async def test_forms_that_ended_long_ago_go(store: Store) -> None:
    """A new form sweeps those that nobody can use any more."""
    await store.add_bot(BOT)
    await store.add_form(Form("old", BOT.id, 1, False, 1_000.0))
    await store.add_form(Form("new", BOT.id, 1, False, 1_000.0 + 200_000))
    assert await store.form("old") is None
    assert await store.form("new") is not None


async def test_cards_outlive_their_bot(store: Store) -> None:
    """The last edit of a message is due after the row went."""
    await store.add_bot(BOT)
    card = Card(BOT.id, "shop", 2**62, 2**61, "digest")
    await store.save_card(replace(card, digest="old"))
    await store.save_card(card)
    await store.drop_bot(BOT.id)
    assert await store.cards() == [card]
    await store.drop_card(BOT.id)
    assert await store.cards() == []


async def test_a_grant_replaces_the_former_one(store: Store) -> None:
    """One role for a subject and a bot; those for a bot go with it."""
    await store.add_bot(BOT)
    general = Grant("user", 5, Role.VIEWER)
    await store.save_grant(Grant("user", 5, Role.OPERATOR))
    await store.save_grant(general)
    await store.save_grant(Grant("role", 5, Role.OPERATOR, BOT.id))
    await store.drop_bot(BOT.id)
    assert await store.grants() == [general]
    assert await store.drop_grant("user", 5, "")
    assert not await store.drop_grant("user", 5, "")


async def test_a_request_is_begun_once(store: Store) -> None:
    """The same request id gets no second line, also at once; no id means no such rule."""
    begun = await asyncio.gather(*(store.begin_entry(ASKED) for _ in range(5)))
    assert sum(entry_id is not None for entry_id in begun) == 1
    assert len([await store.begin_entry(replace(ASKED, request=None)) for _ in range(2)]) == 2
    assert len(await store.entries()) == 3


async def test_the_first_outcome_stays(store: Store) -> None:
    """An entry ends once; a later word does not overwrite it."""
    entry_id = await store.begin_entry(ASKED)
    assert entry_id is not None
    await store.end_entry(entry_id, "done", 2.0)
    await store.end_entry(entry_id, "changed", 3.0)
    (entry,) = await store.entries()
    assert (entry.outcome, entry.ended_at) == ("done", 2.0)


@pytest.mark.parametrize(
    "sql",
    [
        "DELETE FROM audit",
        "UPDATE audit SET outcome = 'nothing happened'",
        "UPDATE audit SET user_id = 2",
        "UPDATE audit SET outcome = NULL",
    ],
)
async def test_the_audit_cannot_be_rewritten(store: Store, tmp_path: Path, sql: str) -> None:
    """Not even by somebody with a SQLite shell: the file itself refuses."""
    entry_id = await store.begin_entry(ASKED)
    assert entry_id is not None
    await store.end_entry(entry_id, "done", 2.0)
    before = await store.entries()
    connection = sqlite3.connect(tmp_path / "botmaker.db")
    with pytest.raises(sqlite3.IntegrityError, match="audit rows are never"):
        connection.execute(sql)
    connection.close()
    assert await store.entries() == before


async def test_the_audit_stays_when_its_bot_goes(store: Store) -> None:
    """History is asked by bot, newest first, and has an end."""
    await store.add_bot(BOT)
    for number in range(5):
        await store.begin_entry(replace(ASKED, request=None, detail=str(number)))
    await store.begin_entry(replace(ASKED, request=None, bot_id="other"))
    await store.drop_bot(BOT.id)
    assert [entry.detail for entry in await store.entries(BOT.id, 3)] == ["4", "3", "2"]
    assert len(await store.entries()) == 6

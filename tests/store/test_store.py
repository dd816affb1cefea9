"""What the tables give back: bots whole, names once, forms once, answers until they are given."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.domain.access import Grant
from controller.domain.bot import Bot, Crash, Problem, Wish
from controller.domain.ends import CRASHES_KEPT
from controller.domain.errors import Conflict, NotFound
from controller.domain.names import new_bot_id
from controller.domain.roles import Role
from controller.domain.run import Run
from controller.store import (
    Card,
    Form,
    Owed,
    SignIn,
    Store,
    Token,
    Transaction,
    WebSession,
)
from controller.store.transaction import FORGET_SESSIONS_AFTER, FORGET_TOKENS_AFTER

BOT = Bot(
    id="6f1c1b9e-7a60-4b8e-9a55-0d6f3f3c2f11",
    name="shop",
    template="demo",
    provider="demo",
    model="small",
    channel="demo",
)
KEY = bytes(range(32))

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
    run=st.builds(Run, to_end=texts, to_reload=texts, accounted_end=times, log_floor=times),
    image=texts,
    problem=st.none() | problems,
    created_at=times,
    created_by=st.integers(0, 2**63 - 1),
)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(tmp_path, KEY)
    yield store
    await store.close()


async def do(store: Store, *writes: Callable[[Transaction], Awaitable[Any]]) -> Any:
    """These writes in one transaction; what the last one gave."""
    given: Any = None
    async with store.transaction() as write:
        for one in writes:
            given = await one(write)
    return given


def test_a_bot_comes_back_as_it_was_written(tmp_path: Path) -> None:
    """Every field survives add, save and a new connection."""
    with asyncio.Runner() as runner:
        store = runner.run(Store.open(tmp_path, KEY))

        @settings(max_examples=60, suppress_health_check=list(HealthCheck), deadline=None)
        @given(first=bots, later=bots)
        def claim(first: Bot, later: Bot) -> None:
            async def check() -> None:
                await do(store, lambda w: w.add_bot(first))
                assert await store.bots() == [first]
                changed = replace(later, id=first.id)
                assert await do(store, lambda w: w.save_bot(changed))
                assert await store.bots() == [changed]
                await do(store, lambda w: w.drop_bot(first.id))
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
        run=Run(to_end="run", to_reload="another run", accounted_end=6.5, log_floor=7.0),
        image="sha256:1",
        image_ref="demo:1",
        source="file:shop",
        secret_set=3,
        held="{}",
        release=4,
        candidate=5,
        limits={"memory": "1g"},
        restoring=2,
        state_kept=True,
        problem=Problem("code", "message", "hint", 5.0),
        setback=Problem("code", "message", "hint", 6.0),
        created_at=7.5,
        created_by=8,
    )
    empty = Bot(id="", name="", template="", provider="", model="", channel="")
    names = Bot.__dataclass_fields__
    assert all(getattr(bot, name) != getattr(empty, name) for name in names), "one is at default"
    run_names = Run.__dataclass_fields__
    assert all(getattr(bot.run, name) != getattr(Run(), name) for name in run_names)
    await do(store, lambda w: w.add_bot(bot))
    assert await store.bots() == [bot]


async def test_a_name_is_taken_once(store: Store) -> None:
    """The second bot of a name is a Conflict that names it, also when both come at once."""
    await do(store, lambda w: w.add_bot(BOT))
    with pytest.raises(Conflict, match="shop") as caught:
        await do(store, lambda w: w.add_bot(replace(BOT, id=new_bot_id())))
    assert caught.value.code == "name-taken"
    twins = [replace(BOT, id=new_bot_id(), name="twin") for _ in range(5)]
    done = await asyncio.gather(
        *(do(store, lambda w, twin=twin: w.add_bot(twin)) for twin in twins), return_exceptions=True
    )
    assert sum(isinstance(one, Conflict) for one in done) == 4


async def test_saving_a_bot_that_is_gone_says_so(store: Store) -> None:
    """No row appears by a save."""
    assert not await do(store, lambda w: w.save_bot(BOT))
    assert await store.bots() == []


async def test_the_installation_keeps_its_id(tmp_path: Path) -> None:
    """Made once, the same at every start, another one elsewhere."""
    first = await Store.open(tmp_path, KEY)
    instance = await first.instance()
    assert await first.instance() == instance
    await first.close()
    again = await Store.open(tmp_path, KEY)
    assert await again.instance() == instance
    await again.close()
    (tmp_path / "other").mkdir()
    other = await Store.open(tmp_path / "other", KEY)
    assert await other.instance() != instance
    await other.close()


async def test_the_newest_crashes_are_kept(store: Store) -> None:
    """Fifty a bot; the same crash twice is one; they go with the bot."""
    await do(store, lambda w: w.add_bot(BOT))
    every = tuple(Crash(float(at), at % 7 or None, at % 2 == 0) for at in range(80))
    await do(store, lambda w: w.add_crashes(BOT.id, every[:60]))
    await do(store, lambda w: w.add_crashes(BOT.id, every[40:]))
    assert (await store.crashes())[BOT.id] == list(every[-CRASHES_KEPT:])
    await do(store, lambda w: w.clear_crashes(BOT.id))
    assert await store.crashes() == {}
    await do(store, lambda w: w.add_crashes(BOT.id, every[:2]))
    await do(store, lambda w: w.drop_bot(BOT.id))
    assert await store.crashes() == {}


async def test_a_form_is_used_by_one(store: Store) -> None:
    """Of many at once one gets it; reopened it can be used again; it goes with its bot."""
    await do(store, lambda w: w.add_bot(BOT))
    form = Form("f1", BOT.id, 1, True, 100.0)
    await do(store, lambda w: w.add_form(form))
    assert await store.form("f1") == form
    done = await asyncio.gather(
        *(do(store, lambda w, at=at: w.use_form("f1", at)) for at in range(5))
    )
    assert sum(done) == 1
    await do(store, lambda w: w.reopen_form("f1"))
    assert await do(store, lambda w: w.use_form("f1", 9.0))
    await do(store, lambda w: w.drop_bot(BOT.id))
    assert await store.form("f1") is None
    with pytest.raises(NotFound):
        await do(store, lambda w: w.add_form(form))


async def test_forms_that_ended_long_ago_go(store: Store) -> None:
    """A new form sweeps those that nobody can use any more."""
    await do(store, lambda w: w.add_bot(BOT))
    await do(store, lambda w: w.add_form(Form("old", BOT.id, 1, False, 1_000.0)))
    await do(store, lambda w: w.add_form(Form("new", BOT.id, 1, False, 1_000.0 + 200_000)))
    assert await store.form("old") is None
    assert await store.form("new") is not None


async def test_cards_outlive_their_bot(store: Store) -> None:
    """The last edit of a message is due after the row went."""
    await do(store, lambda w: w.add_bot(BOT))
    card = Card(BOT.id, "shop", 2**62, 2**61, "digest")
    await do(store, lambda w: w.save_card(replace(card, digest="old")))
    await do(store, lambda w: w.save_card(card))
    await do(store, lambda w: w.drop_bot(BOT.id))
    assert await store.cards() == [card]
    await do(store, lambda w: w.drop_card(BOT.id))
    assert await store.cards() == []


async def test_a_grant_replaces_the_former_one(store: Store) -> None:
    """One role for a subject and a bot; those for a bot go with it."""
    await do(store, lambda w: w.add_bot(BOT))
    general = Grant("user", 5, Role.VIEWER)
    await do(store, lambda w: w.save_grant(Grant("user", 5, Role.OPERATOR)))
    await do(store, lambda w: w.save_grant(general))
    await do(store, lambda w: w.save_grant(Grant("role", 5, Role.OPERATOR, BOT.id)))
    await do(store, lambda w: w.drop_bot(BOT.id))
    assert await store.grants() == [general]
    assert await do(store, lambda w: w.drop_grant("user", 5, ""))
    assert not await do(store, lambda w: w.drop_grant("user", 5, ""))


async def unsettled(store: Store) -> set[str]:
    return {form.bot_id for form in await store.unsettled()}


async def test_a_form_is_settled_with_what_it_led_to(store: Store) -> None:
    """Used and not settled is told, also a second time; reopened or settled it isn't."""
    await do(store, lambda w: w.add_bot(BOT), lambda w: w.add_form(Form("f1", BOT.id, 1, True, 9)))
    assert await unsettled(store) == set()
    await do(store, lambda w: w.use_form("f1", 1.0))
    assert await unsettled(store) == {BOT.id}
    await do(store, lambda w: w.reopen_form("f1"))
    assert await unsettled(store) == set()
    await do(store, lambda w: w.use_form("f1", 2.0), lambda w: w.settle_forms(BOT.id))
    assert await unsettled(store) == set()
    await do(store, lambda w: w.reopen_form("f1"), lambda w: w.use_form("f1", 3.0))
    assert await unsettled(store) == {BOT.id}, "what it is used for again is not settled"


async def test_an_unsettled_form_is_not_forgotten(store: Store) -> None:
    """However old it is: what it wrote may still have to be used."""
    await do(store, lambda w: w.add_bot(BOT), lambda w: w.add_form(Form("f1", BOT.id, 1, True, 9)))
    await do(store, lambda w: w.use_form("f1", 1.0))
    await do(store, lambda w: w.add_form(Form("f2", BOT.id, 1, True, 1e9)))
    assert await unsettled(store) == {BOT.id}
    await do(store, lambda w: w.settle_forms(BOT.id))
    await do(store, lambda w: w.add_form(Form("f3", BOT.id, 1, True, 1e9)))
    assert await store.form("f1") is None
    assert await store.usable_forms(1e9) == {"f2", "f3"}
    assert await store.usable_forms(1e9 + 1) == set()


def owed(request: str, at: float = 1.0, words: str | None = None) -> Owed:
    return Owed(
        request=request,
        reply_via="discord",
        recipient="1",
        act="bot.stop",
        bot_id=BOT.id,
        bot_name="shop",
        asked_at=at,
        words=words,
    )


async def test_an_answer_is_owed_until_it_is_given(store: Store) -> None:
    """Its words are kept with what was noted when it was asked; given, it is gone."""
    await do(store, lambda w: w.owe(owed("b", 2.0)), lambda w: w.owe(owed("a", 1.0)))
    await do(store, lambda w: w.owe(replace(owed("a"), act="other")))
    assert await store.owed() == [owed("a"), owed("b", 2.0)]
    late = replace(owed("a", 50.0, "words"), act="", bot_name="")
    assert await do(store, lambda w: w.keep_owed(late)) == owed("a", words="words")
    assert await store.owed() == [owed("a", words="words"), owed("b", 2.0)]
    await do(store, lambda w: w.drop_owed("a"))
    assert await store.owed() == [owed("b", 2.0)]


async def test_the_newest_thousand_answers_are_kept(store: Store) -> None:
    """More than that nobody reads; the oldest go."""
    async with store.transaction() as write:
        for number in range(1003):
            await write.keep_owed(owed(str(number), float(number), "words"))
    assert [one.request for one in await store.owed()] == [str(n) for n in range(3, 1003)]


async def test_what_is_over_for_long_is_forgotten(store: Store) -> None:
    """Tokens, sessions and links: each with the next of its kind, and none that still counts."""
    ann = {"user_id": "1", "user_name": "ann"}

    def token(name: str, at: float) -> Token:
        whose: dict[str, Any] = {"owner_kind": "user", "owner_id": "1", "owner_name": "ann"}
        times: dict[str, Any] = {"created_at": at, "expires_at": at + 1}
        return Token(id=name, name=name, hash=name.encode(), role=Role.VIEWER, **whose, **times)

    def session(name: str, at: float) -> WebSession:
        times = {"created_at": at, "used_at": at}
        return WebSession(id=name, hash=name.encode(), about="", **ann, **times)  # type: ignore[arg-type]

    def link(name: str, user: str, ends: float) -> SignIn:
        return SignIn(hash=name.encode(), user_id=user, user_name="", expires_at=ends)

    async with store.transaction() as write:
        for name, at in (("old", 0.0), ("new", 1.0), ("next", FORGET_TOKENS_AFTER + 1.5)):
            await write.add_token(token(name, at))
        for name, at in (("old", 0.0), ("new", 1.0), ("next", FORGET_SESSIONS_AFTER + 0.5)):
            await write.add_session(session(name, at))
        await write.add_sign_in(link("old", "1", 10.0), 0.0)
        await write.add_sign_in(link("new", "2", 11.0), 0.0)
        await write.add_sign_in(link("next", "3", 30.0), 10.0)
    assert [one.name for one in await store.tokens()] == ["new", "next"]
    assert [one.id for one in await store.sessions()] == ["new", "next"]
    links = [await store.sign_in(name.encode()) for name in ("old", "new", "next")]
    assert [one is not None for one in links] == [False, True, True]


async def test_words_with_half_characters_are_kept(store: Store) -> None:
    """A lone surrogate becomes a replacement character; emoji and NUL stay."""
    await do(store, lambda w: w.keep_owed(owed("a", words="a\ud800b \0 😀")))
    assert [one.words for one in await store.owed()] == ["a\ufffdb \0 😀"]

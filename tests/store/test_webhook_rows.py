"""Webhooks in the database: how far each has come, and what was given up."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from controller.domain.errors import Conflict
from controller.domain.journal import Entry, Kind
from controller.domain.webhooks import DeadLetter, Format, Webhook
from controller.store import Store
from controller.store.transaction import DEAD_LETTERS_MOST

HOOK = Webhook(
    id="w",
    name="ops",
    format=Format.SLACK,
    host="hooks.slack.com",
    fingerprint="aaaaa-bbbbb",
    plain=True,
    events=("bot.crash", "access.*"),
    created_at=1.5,
    created_by='ann "o\\ 😀',
)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(tmp_path, b"k" * 32)
    yield store
    await store.close()


async def happened(store: Store, *kinds: Kind) -> None:
    async with store.transaction() as write:
        for kind in kinds:
            await write.append(Entry(at=1.0, kind=kind))


async def test_a_webhook_comes_back_as_it_was_kept(store: Store) -> None:
    """It begins behind the newest entry; a name is used once."""
    await happened(store, Kind.NOTED, Kind.NOTED)
    async with store.transaction() as write:
        await write.add_webhook(HOOK)
    assert await store.webhooks() == [replace(HOOK, cursor=2)]
    with pytest.raises(Conflict, match="already a webhook called ops"):
        async with store.transaction() as write:
            await write.add_webhook(replace(HOOK, id="other"))
    assert await store.webhook("other") is None


async def test_a_cursor_that_somebody_moved_is_not_overwritten(store: Store) -> None:
    """Whoever saves says where it was; and nothing comes back that was removed."""
    async with store.transaction() as write:
        await write.add_webhook(HOOK)
        assert await write.save_webhook(replace(HOOK, cursor=5), 0)
        assert not await write.save_webhook(replace(HOOK, cursor=6), 4)
        assert await write.move_webhook(replace(HOOK, cursor=2, stopped=True))
    moved = await store.webhook("w")
    assert moved is not None
    assert (moved.cursor, moved.stopped) == (2, True)
    async with store.transaction() as write:
        await write.add_dead_letters("w", [DeadLetter(1, 2.0, "no")])
        assert await write.drop_webhook("w")
        assert not await write.drop_webhook("w")
        assert not await write.save_webhook(HOOK, 2)
        assert not await write.move_webhook(HOOK)
    assert await store.dead_letters("w", 10) == []


async def test_what_was_given_up_is_bounded(store: Store) -> None:
    """The newest thousand; those behind a number go when they are sent again."""
    async with store.transaction() as write:
        await write.add_webhook(HOOK)
        letters = [DeadLetter(n, 2.0, "no") for n in range(1, DEAD_LETTERS_MOST + 6)]
        await write.add_dead_letters("w", letters)
        await write.add_dead_letters("w", [DeadLetter(9, 3.0, "again")])
    kept = await store.dead_letters("w", 5000)
    assert [one.seq for one in kept] == list(range(DEAD_LETTERS_MOST + 5, 5, -1))
    assert kept[-4] == DeadLetter(9, 3.0, "again")
    async with store.transaction() as write:
        await write.drop_dead_letters("w", 7)
    assert [one.seq for one in await store.dead_letters("w", 10)] == [7, 6]


async def test_what_follows_is_read_with_what_there_is(store: Store) -> None:
    """Of these kinds, oldest first; also where nothing is chosen, or nothing is there."""
    empty = await store.ahead(0, [Kind.CRASH], 10)
    assert (empty.oldest, empty.newest, list(empty.entries)) == (0, 0, [])
    await happened(store, Kind.NOTED, Kind.CRASH, Kind.GRANT, Kind.CRASH)
    async with store.transaction() as write:
        await write.drop_archived(1)
    found = await store.ahead(0, [Kind.CRASH, Kind.GRANT], 2)
    assert (found.oldest, found.newest) == (2, 4)
    assert [(one.seq, one.kind) for one in found.entries] == [(2, Kind.CRASH), (3, Kind.GRANT)]
    assert [one.seq for one in (await store.ahead(2, [Kind.CRASH], 10)).entries] == [4]
    nothing = await store.ahead(0, [Kind.REMOVED], 10)
    assert (nothing.oldest, nothing.newest, list(nothing.entries)) == (2, 4, [])
    assert await store.waiting(2, [Kind.CRASH, Kind.GRANT]) == 2

"""Incidents and who is pinged, in the database: what is kept, and what goes."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from controller.domain.announcing import Alert
from controller.domain.incident import Incident, Trouble
from controller.store import Store
from controller.store.incident_rows import KEPT_MOST
from tests.store.test_store import BOT, KEY

ONE = Incident(subject="b", trouble=Trouble.CRASHED, opened_at=1.0)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    store = await Store.open(tmp_path, KEY)
    yield store
    await store.close()


async def test_the_newest_thousand_that_are_over_are_kept_and_every_open_one(store: Store) -> None:
    """However old that is."""
    async with store.transaction() as write:
        still = await write.incidents.save(ONE)
        for _ in range(KEPT_MOST + 2):
            await write.incidents.save(replace(ONE, over_at=2.0))
    assert await store.incidents.open_ones() == [still]
    kept = await store.incidents.newest(limit=2 * KEPT_MOST)
    assert [one.id for one in kept] == [*range(KEPT_MOST + 3, 3, -1), 1]


async def test_who_is_pinged_for_a_bot_is_forgotten_with_it(store: Store) -> None:
    """People and roles; those for all bots stay."""
    every = Alert(kind="user", subject=1)
    about = [Alert(kind=kind, subject=2, bot_id=BOT.id) for kind in ("user", "role")]
    async with store.transaction() as write:
        await write.add_bot(BOT)
        for alert in (every, *about):
            await write.incidents.save_alert(alert)
    async with store.transaction() as write:
        await write.drop_bot(BOT.id)
    assert await store.incidents.alerts() == [every]

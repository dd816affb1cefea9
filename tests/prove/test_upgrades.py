"""A controller that finds a database of any version with a journal: no bot notices.

Next door: tests/process/test_upgrade.py has those from before, and what people read afterwards.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
from pathlib import Path

import docker
import pytest

from controller.store.database import migrations
from tests.process.console import botmaker
from tests.process.process import eventually, open_place, said
from tests.prove.engine_fixtures import left_out
from tests.prove.tally import Tally

pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]
NEWEST = max(migrations())
WITH_JOURNAL = range(5, NEWEST)


def aged(path: Path, version: int) -> None:
    """Replace the database by one with the same rows that the program of that schema made."""
    former = path.with_name("former.db")
    with contextlib.closing(sqlite3.connect(path)) as base:
        base.execute("VACUUM INTO ?", [str(former)])
    for file in path.parent.glob("botmaker.db*"):
        file.unlink()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as base:
        base.create_function("journal_mac", -1, lambda *_: "")  # nothing is there to be chained
        for number in range(1, version + 1):
            base.executescript(migrations()[number])
        base.execute("PRAGMA journal_mode=WAL")
        base.execute("ATTACH ? AS former", [str(former)])
        tables = "SELECT name FROM {}.sqlite_master WHERE type = 'table'"
        known = {str(name) for (name,) in base.execute(tables.format("former"))}
        here = [str(name) for (name,) in base.execute(tables.format("main"))]
        for table in here:
            if table not in known or table.startswith("sqlite_"):
                continue
            both = [
                {str(row[1]) for row in base.execute(f"PRAGMA {place}.table_info({table})")}
                for place in ("main", "former")
            ]
            shared = ", ".join(sorted(both[0] & both[1]))
            base.execute(f"DELETE FROM main.{table}")
            base.execute(f"INSERT INTO main.{table} ({shared}) SELECT {shared} FROM former.{table}")
        base.execute("DETACH former")
    former.unlink()


@pytest.mark.parametrize("version", WITH_JOURNAL)
async def test_a_database_of_an_earlier_version_migrates_under_running_bots(
    tmp_path: Path, docker_client: docker.APIClient, demo_image: str, tally: Tally, version: int
) -> None:
    """0 restarts; the journal is whole, and a change made now is tried as a release."""
    if version != NEWEST - 1 and left_out(tally):
        return
    async with open_place(tmp_path, docker_client) as place:
        controller = place.controller
        ids = {name: await place.bot(name) for name in ("shop", "quiet")}
        await said(await place.ann.slash("bot stop", name="quiet"), "stopped")
        await place.card_says("quiet", "stopped")
        await controller.stop()
        before = {name: controller.inspect(ids[name]) for name in ids}
        await asyncio.to_thread(aged, controller.database, version)
        await controller.start()
        assert controller.rows("PRAGMA user_version") == [(NEWEST,)]
        await said(await place.ann.slash("bot list"), "shop")
        status, text, _ = await botmaker(controller, "history", "--verify")
        assert (status, "unchanged" in text) == (0, True)
        for name, bot_id in ids.items():
            after, was = controller.inspect(bot_id), before[name]
            assert was is not None
            assert after is not None
            assert (after["Id"], after["State"]["StartedAt"], after["RestartCount"]) == (
                *(was["Id"], was["State"]["StartedAt"]),
                0,
            )
        await place.ann.slash("bot restart", name="shop")
        run = before["shop"]["State"]["StartedAt"] if before["shop"] else ""
        await eventually(
            lambda: (controller.inspect(ids["shop"]) or {})["State"]["StartedAt"] != run
        )
        tally.tried["migrations"] += 1

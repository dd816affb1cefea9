"""A controller that finds a database of an earlier version: migrated, and no bot notices.
Next door: tests/store has the migrations themselves."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path

import pytest

from controller.store.database import migrations
from tests.process.console import botmaker
from tests.process.process import Place, eventually, said

pytestmark = pytest.mark.engine
NEWEST = max(migrations())
EARLIER = (1, 2, 3, 4)  # the schemas that a version had which somebody may run; 5 came with 6
LATE = "About your request"
BOT = (
    "id, name, template, provider, model, channel, fields, wish, ended_run, image, problem, "
    "accounted_end, created_at, created_by"
)
FORM = "id, bot_id, user_id, rotate, expires_at, used_at"
KEPT = {
    "installation": "key, value",
    "bot": BOT,
    "crash": "bot_id, at, exit_code, oom_killed",
    "form": FORM,
    "card": "bot_id, title, channel_id, message_id, digest",
    "access": "kind, subject, bot_id, role",
}
AUDIT = (
    "INSERT INTO audit (at, request, user_id, user_name, action, bot_id, bot_name, detail, "
    "outcome, ended_at) VALUES (?, ?, ?, ?, ?, ?, ?, '', ?, ?)"
)


def aged(path: Path, version: int, ann: int, open_one: tuple[str, str]) -> None:
    """Replace the database by one with the same rows that the program of that schema made.

    Its audit tells of a creation, of secrets and of a crash, and of one request for the bot
    `open_one` (its id and name) whose answer is still owed.
    """
    former = path.with_name("former.db")
    with contextlib.closing(sqlite3.connect(path)) as base:
        base.execute("VACUUM INTO ?", [str(former)])
    for file in path.parent.glob("botmaker.db*"):
        file.unlink()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as base:
        for number in range(1, version + 1):
            base.executescript(migrations()[number])
        base.execute("PRAGMA journal_mode=WAL")
        base.execute("ATTACH ? AS former", [str(former)])
        base.execute("PRAGMA foreign_keys=ON")
        for table, columns in KEPT.items():
            more = {3: ", log_floor", 4: ", log_floor, reload_run"} if table == "bot" else {}
            every = columns + more.get(version, "")
            base.execute(f"INSERT INTO {table} ({every}) SELECT {every} FROM former.{table}")
        bot_id, name = open_one
        now = time.time()
        about = (ann, "ann")
        for row in (
            (now - 90, "11", *about, "create", bot_id, name, "made, waiting for secrets", now - 90),
            (now - 80, "12", *about, "enter secrets", bot_id, name, "wrote api_key", now - 79),
            (now - 70, None, 0, "BotMaker", "crash", bot_id, name, "exit 3", now - 70),
            (now - 60, "13", *about, "start", bot_id, name, None, None),
        ):
            base.execute(AUDIT, row)
        if version >= 2:
            owed = ("13", ann, "start", bot_id, name, now - 60)
            base.execute("INSERT INTO outbox VALUES (?, ?, ?, ?, ?, ?, NULL)", owed)
        base.execute("DETACH former")
    former.unlink()


@pytest.mark.parametrize("version", EARLIER)
async def test_a_database_of_an_earlier_version_migrates_under_running_bots(
    place: Place, version: int, pytestconfig: pytest.Config
) -> None:
    """0 restarts; cards, forms, history and an answer that is owed go on from where they were."""
    if version not in (EARLIER[0], EARLIER[-1]) and not pytestconfig.getoption("--prove"):
        pytest.skip("between the oldest and the newest of these: with --prove")
    controller = place.controller
    ids = {name: await place.bot(name) for name in ("shop", "busy", "quiet")}
    await said(await place.ann.slash("bot stop", name="quiet"), "stopped")
    await place.create("fresh")
    card = await place.card_says("shop", "running")
    await place.card_says("quiet", "stopped")
    await place.card_says("fresh", "waiting for secrets")
    cards = list(place.cards)
    await controller.stop()
    before = {name: controller.inspect(ids[name]) for name in ids}
    aged(controller.database, version, place.ann.id, (ids["busy"], "busy"))

    await controller.start()
    assert controller.rows("PRAGMA user_version") == [(NEWEST,)]
    copies = {f"botmaker.db.before-{number}" for number in range(version + 1, NEWEST + 1)}
    assert {file.name for file in controller.data.glob("*.before-*")} == copies
    await said(await place.ann.slash("bot list"), "shop")
    await eventually(lambda: not controller.unended())
    if version >= 2:
        await eventually(lambda: [dm for dm in place.ann.dms if LATE in dm.content])
        await eventually(lambda: not controller.owed())
    assert controller.ends("bot.start", "busy") == [{"result": "cut-short"}]
    history = await said(await place.ann.slash("bot history", name="busy"), "exit 3")
    assert "made, waiting for secrets" in history.text
    status, text, _ = await botmaker(controller, "history", "--verify")
    assert (status, "unchanged" in text) == (0, True)

    done = await place.submit(await place.open_form("fresh"))
    await said(done, "**fresh** — running")
    await said(await place.ann.click(card, label="Logs"), "start 1")
    assert place.cards == cards
    for name, bot_id in ids.items():
        after, was = controller.inspect(bot_id), before[name]
        assert was is not None
        assert after is not None
        assert after["Id"] == was["Id"]
        assert after["RestartCount"] == 0
        assert after["State"]["StartedAt"] == was["State"]["StartedAt"]
        assert after["State"]["Running"] == (name != "quiet")
    assert controller.noted("crash") == []

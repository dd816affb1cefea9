"""What the journal tells at the console: a bot's history, whether it is sound, a bot's story.
Next door: test_console.py has the other commands."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.process.console import botmaker
from tests.process.process import Place, eventually, said

pytestmark = pytest.mark.engine
LINE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ (?P<bot>\S+) (?P<who>.+?): (?P<what>.+)")


def _behind_its_back(database: Path, *statements: str) -> None:
    """Change the database as somebody does who can write the file and knows of its triggers."""
    with contextlib.closing(sqlite3.connect(database)) as base, base:
        triggers = base.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'journal'"
        ).fetchall()
        for name, _ in triggers:
            base.execute(f"DROP TRIGGER {name}")
        for statement in statements:
            base.execute(statement)
        for _, sql in triggers:
            base.execute(sql)


def _told(text: str) -> list[tuple[str, str, str]]:
    """The lines of a history: the bot, who it was, and what happened."""
    found = [LINE.fullmatch(line) for line in text.splitlines()]
    assert all(found), text
    return [(m["bot"], m["who"], m["what"]) for m in found if m]


async def test_history_says_who_did_what_and_how_it_ended(place: Place) -> None:
    """Of one bot or of everything, newest first; a bot that crashed is there with its exit code."""
    bot_id = await place.bot("shop")
    await place.create("other")
    await said(await place.ann.slash("bot stop", name="shop"), "stopped")
    await said(await place.ann.slash("bot start", name="shop"), "running")
    found = place.controller.inspect(bot_id)
    assert found is not None
    os.kill(found["State"]["Pid"], 9)
    await eventually(lambda: place.controller.noted("crash"))
    status, text, err = await botmaker(place.controller, "history", "shop")
    assert (status, err) == (0, "")
    assert _told(text) == [
        ("shop", "BotMaker", "crashed, exit 137: ended by SIGKILL"),
        ("shop", "ann", "bot.start: done (phase running)"),
        ("shop", "ann", "bot.stop: done (phase stopped)"),
        ("shop", "ann", "bot.secrets: done (names api_key channel_token)"),
        ("shop", "ann", "bot.create: done"),
    ]
    status, text, _ = await botmaker(place.controller, "history")
    assert status == 0
    assert [bot for bot, _, what in _told(text) if what.startswith("bot.create")] == [
        "other",
        "shop",
    ]
    status, text, _ = await botmaker(place.controller, "history", "shop", "--lines", "2")
    assert len(_told(text)) == 2
    status, text, err = await botmaker(place.controller, "history", "nobody")
    assert (status, text) == (1, "")
    assert "no bot of that name" in err


async def test_history_is_sound_beside_a_running_controller_and_after_it(place: Place) -> None:
    """It says how many entries there are and the newest hash, and changes nothing."""
    await place.bot("shop")
    count = len(place.controller.rows("SELECT 1 FROM journal"))
    status, text, err = await botmaker(place.controller, "history", "--verify")
    assert (status, err) == (0, "")
    (head,) = place.controller.rows("SELECT lower(hex(mac)) FROM journal ORDER BY seq DESC LIMIT 1")
    assert text == f"{count} entries, unchanged. Head: {head[0]}\n"
    await place.controller.kill()
    assert await botmaker(place.controller, "history", "--verify") == (0, text, "")


TAMPERED = {
    "a name": (["UPDATE journal SET principal_name = 'eve' WHERE seq = 3"], "entry 3 was changed"),
    "an outcome": (
        ["UPDATE journal SET data = json_set(data, '$.result', 'refused') WHERE seq = 4"],
        "entry 4 was changed",
    ),
    "a gap": (["DELETE FROM journal WHERE seq = 3"], "entry 3 is missing"),
    "a closed gap": (
        [
            "DELETE FROM journal WHERE seq = 3",
            "UPDATE journal SET seq = -seq WHERE seq > 3",
            "UPDATE journal SET seq = -seq - 1 WHERE seq < 0",
        ],
        "entry 3 was changed",
    ),
}


async def test_an_entry_that_was_tampered_with_is_told_by_its_number(
    place: Place, tmp_path: Path
) -> None:
    """Status 1, the number, and how far the journal is sound; no traceback."""
    await place.bot("shop")
    await place.controller.stop()
    for what, (statements, words) in TAMPERED.items():
        left_out = shutil.ignore_patterns("*.sock")
        copy = shutil.copytree(place.controller.data, tmp_path / what, ignore=left_out)
        there = {"BOTMAKER_DATA_DIR": str(copy)}
        assert (await botmaker(place.controller, "history", "--verify", **there))[0] == 0
        _behind_its_back(copy / place.controller.database.name, *statements)
        status, text, err = await botmaker(place.controller, "history", "--verify", **there)
        assert (status, text) == (1, ""), what
        assert f"The journal can't be trusted: {words}" in err, what
        sound = int(words.split()[1]) - 1
        assert f"Sound up to entry {sound}." in err, what


async def test_story_shows_the_last_looks_and_steps_of_a_bot(place: Place) -> None:
    """From the memory of the running controller; with its newest line last, and no secret."""
    await place.bot("shop")
    await said(await place.ann.slash("bot restart", name="shop"), "running")
    status, text, err = await botmaker(place.controller, "story", "shop")
    assert (status, err) == (0, "")
    lines = text.splitlines()
    assert all(re.match(r"\d\d:\d\d:\d\d\.\d{3} (look|verdict|step|end|held) ", o) for o in lines)
    steps = [line.split()[2] for line in lines if line.split()[1] == "step"]
    assert steps == ["create", "start", "restart"]
    assert not [value for value in place.controller.entered if value in text]
    status, text, err = await botmaker(place.controller, "story", "nobody")
    assert (status, text) == (1, "")
    assert "There is no bot called nobody." in err


async def test_a_story_without_a_controller_is_refused_in_a_sentence(place: Place) -> None:
    """Stories are in memory only: it says so and what to do, also beside a killed one's socket."""
    await place.bot("shop")
    await place.controller.kill()
    status, text, err = await botmaker(place.controller, "story", "shop")
    assert (status, text) == (3, "")
    assert "No controller answers on the data folder" in err
    assert "botmaker run" in err
    await place.controller.start()
    assert (await botmaker(place.controller, "story", "shop"))[0] == 0

"""What `list` and `doctor` say when something is in the way: each trouble stays its own.
Next door: test_looking.py holds that they change nothing."""

from __future__ import annotations

import os
import shutil
import sqlite3
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from controller.cli import offline
from controller.domain.bot import Bot
from controller.domain.errors import ControllerError
from controller.runtime.hostconfig import bot_labels
from controller.settings import Reading, Settings, read_settings
from controller.store import Store
from tests.cli.places import SECRETS, read_only, reading_of, settings_for, start_once
from tests.runtime.fakeengine import Exchange, FakeEngine

Rows = Mapping[str, str]  # phase by name


@pytest.fixture
def fake(tmp_path: Path) -> Iterator[FakeEngine]:
    with FakeEngine(tmp_path / "engine.sock") as engine:
        yield engine


def settings_with(fake: FakeEngine, folder: Path) -> Settings:
    return settings_for(folder, docker={"DOCKER_HOST": fake.url})


async def phases(settings: Settings) -> Rows:
    return {row["name"]: row["phase"] for row in await offline.list_bots(settings)}


def listing(*bots: Bot) -> Callable[[Exchange], None]:
    """A rule: these bots have a container that runs."""
    rows = [
        {
            "Id": bot.id * 2,
            "Names": [f"/botmaker-{bot.id}"],
            "Labels": {"botmaker.bot-id": bot.id},
            "State": "running",
            "Status": "Up 3 minutes (healthy)",
        }
        for bot in bots
    ]
    return lambda exchange: exchange.answer(200, rows)


async def test_the_engine_is_asked_once_for_all_bots(fake: FakeEngine, tmp_path: Path) -> None:
    """Not once for each, whose trouble would be everybody's."""
    bots = await start_once(tmp_path, *(f"bot-{number}" for number in range(20)))
    fake.rules["/containers/json"] = listing(*bots[:10])
    found = await phases(settings_with(fake, tmp_path))
    assert list(found.values()) == ["running"] * 10 + ["starting"] * 10
    asked = [request for request in fake.requests if "/version" not in request]
    assert len(asked) == 1


async def test_a_printed_log_hides_the_bots_secrets(fake: FakeEngine, tmp_path: Path) -> None:
    """By their values: they have the form of no key that everybody knows."""
    (bot,) = await start_once(tmp_path, "bee")
    store = await Store.open_read_only(tmp_path / "data")
    labels = bot_labels(bot.id, await store.recall("instance"))
    await store.close()
    text = f"2026-01-01T00:00:00Z it is {SECRETS['api_key']}, really\n".encode()

    def printed(exchange: Exchange) -> None:
        exchange.send_response(200)
        exchange.send_header("Content-Length", str(8 + len(text)))
        exchange.end_headers()
        exchange.wfile.write(struct.pack(">BxxxL", 1, len(text)) + text)

    fake.rules[f"/{bot.container_name}/json"] = lambda e: e.answer(
        200, {"Id": "c" * 64, "Name": f"/{bot.container_name}", "Config": {"Labels": labels}}
    )
    fake.rules["/logs"] = printed
    shown = await offline.read_log(settings_with(fake, tmp_path), "bee", 10)
    assert shown == [("2026-01-01T00:00:00Z", "stdout", "it is [redacted], really")]


async def test_a_hanging_engine_costs_one_time_limit(fake: FakeEngine, tmp_path: Path) -> None:
    """However many bots there are."""
    await start_once(tmp_path, *(f"bot-{number}" for number in range(20)))
    fake.rules["/containers/json"] = fake.hang
    began = time.monotonic()
    assert set((await phases(settings_with(fake, tmp_path))).values()) == {"unknown"}
    assert time.monotonic() - began < 8


@pytest.mark.parametrize("what", ["removed", "a file", "unreadable"])
async def test_one_bots_secrets_are_nobody_elses_trouble(
    fake: FakeEngine, tmp_path: Path, what: str
) -> None:
    """Without secrets it is created, or else as the engine says; the others are as they are."""
    good, bad = await start_once(tmp_path, "good", "bad")
    fake.rules["/containers/json"] = listing(good)
    folder = tmp_path / "secrets" / bad.id
    shutil.rmtree(folder)
    if what == "a file":
        folder.write_text("")
    if what == "unreadable":
        folder.symlink_to("/proc/1/fd/none")
    found = await phases(settings_with(fake, tmp_path))
    assert found["good"] == "running"
    assert found["bad"] == ("created" if what == "removed" else "starting")


async def examined(settings: Settings | Reading) -> tuple[int, list[str]]:
    reading = reading_of(settings) if isinstance(settings, Settings) else settings
    said: list[str] = []
    return await offline.doctor(reading, said.append), said


def line(said: list[str], begin: str) -> str:
    return next(one for one in said if one.startswith(begin))


async def test_before_the_first_start_nothing_is_damaged(tmp_path: Path) -> None:
    """What a start creates isn't missing; nobody is told to restore a copy."""
    _, said = await examined(settings_for(tmp_path))
    assert line(said, "ℹ️ database") == "ℹ️ database: created at the first start"
    assert [one for one in said if "created at the first start" in one][1:] == [
        f"ℹ️ folder: {tmp_path}/data is created at the first start",
        f"ℹ️ folder: {tmp_path}/secrets is created at the first start",
    ]
    assert not any("estore" in one for one in said)
    assert [one for one in said if one.startswith("❌")] == [
        line(said, "❌ settings: Missing: "),
        line(said, "❌ engine: Can't reach Docker"),
    ]


@pytest.mark.skipif(os.geteuid() != 0, reason="a file system that refuses even root")
async def test_a_folder_that_a_start_could_not_create_is_found(tmp_path: Path) -> None:
    """Before the first start too."""
    with read_only(tmp_path):
        status, said = await examined(settings_for(tmp_path))
    assert status == 1
    assert f"{tmp_path}/data can't be created: {tmp_path} isn't" in line(said, "❌ folder")


async def test_a_database_that_went_away_is_missed(tmp_path: Path) -> None:
    """The key beside it tells that BotMaker has run here."""
    await start_once(tmp_path, "bee")
    for file in (tmp_path / "data").glob("botmaker.db*"):
        file.unlink()
    status, said = await examined(settings_for(tmp_path))
    assert status == 1
    assert "estore the newest copy" in line(said, "❌ database")


async def test_a_secrets_folder_that_went_away_is_missed(tmp_path: Path) -> None:
    """It isn't "created at the first start" any more: a disk isn't mounted, or secrets are lost."""
    await start_once(tmp_path, "bee")
    shutil.rmtree(tmp_path / "secrets")
    status, said = await examined(settings_for(tmp_path))
    assert status == 1
    assert f"{tmp_path}/secrets is gone" in line(said, "❌ folder")
    assert not any("created at the first start" in one for one in said)


@pytest.mark.parametrize(
    ("version", "mark", "word"),
    [(1, "✅", "sound"), (0, "✅", "sound"), (999, "❌", "of a newer BotMaker")],
)
async def test_another_schema_is_no_damage(
    tmp_path: Path, version: int, mark: str, word: str
) -> None:
    """An older one is brought up to date by the next start, a newer one needs the newer program."""
    await start_once(tmp_path)
    base = sqlite3.connect(tmp_path / "data" / "botmaker.db")
    base.execute(f"PRAGMA user_version = {version}")
    base.close()
    _, said = await examined(settings_for(tmp_path))
    assert word in line(said, f"{mark} database")
    assert not any("estore the newest" in one for one in said)


WRONG = {
    "BOTMAKER_GUILD_ID": "words",
    "BOTMAKER_LOG_LEVEL": "loud",
    "BOTMAKER_TEMPLATES_DIR": "/absent",
    "BOTMAKER_IMAGES": "nonsense",
    "BOTMAKER_DATA_DIRR": "x",
    "BOTMAKER_DISCORD_API_URL": "https://evil.example",
    "BOTMAKER_DISCORD_TOKEN_FILE": "/absent/token",
    "DOCKER_HOST": "nonsense://x",
    "DOCKER_TLS_VERIFY": "1",
}


@pytest.mark.parametrize("name", WRONG)
async def test_one_wrong_setting_hides_no_other_check(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str
) -> None:
    """It is found with a remedy, and the other checks still run."""
    await start_once(tmp_path)
    for given in list(os.environ):
        if given.startswith(("BOTMAKER_", "DOCKER_")):
            monkeypatch.delenv(given)
    lines = {
        "BOTMAKER_DATA_DIR": str(tmp_path / "data"),
        "BOTMAKER_SECRETS_DIR": str(tmp_path / "secrets"),
        "DOCKER_HOST": "unix:///absent.sock",
        "DOCKER_CERT_PATH": str(tmp_path),
        name: WRONG[name],
    }
    file = tmp_path / ".env"
    file.write_text("".join(f"{key}={value}\n" for key, value in lines.items()))
    status, said = await examined(read_settings(str(file)))
    assert status == 1
    assert "✅ database: sound" in said
    assert line(said, "✅ templates")
    short = name.removeprefix("BOTMAKER_").removesuffix("_DIR")
    found = [
        one for one in said if short in one or (name.startswith("DOCKER") and "❌ engine" in one)
    ]
    assert found or name == "BOTMAKER_TEMPLATES_DIR"
    assert all("→" in one for one in said if one[0] in "❌")


async def test_a_settings_file_that_is_no_text_hides_no_check(tmp_path: Path) -> None:
    """The environment alone is used then."""
    file = tmp_path / ".env"
    file.write_text("BOTMAKER_GUILD_ID=1", encoding="utf-16")
    _, said = await examined(read_settings(str(file)))
    assert "isn't UTF-8 text" in line(said, "❌ settings")
    assert line(said, "✅ templates")


async def no_data(folder: Path) -> None:
    """Nothing was ever started."""


async def no_database(folder: Path) -> None:
    (folder / "data").mkdir()


async def newer(folder: Path) -> None:
    await start_once(folder)
    base = sqlite3.connect(folder / "data" / "botmaker.db")
    base.execute("PRAGMA user_version = 999")
    base.close()


async def older(folder: Path) -> None:
    await start_once(folder)
    base = sqlite3.connect(folder / "data" / "botmaker.db")
    base.execute("PRAGMA user_version = 1")
    base.close()


async def no_key(folder: Path) -> None:
    await start_once(folder)
    (folder / "data" / "install.key").unlink()


async def short_key(folder: Path) -> None:
    await start_once(folder)
    (folder / "data" / "install.key").write_bytes(b"short")


async def key_is_a_folder(folder: Path) -> None:
    await no_key(folder)
    (folder / "data" / "install.key").mkdir()


async def data_is_a_file(folder: Path) -> None:
    (folder / "data").write_text("")


async def database_is_a_folder(folder: Path) -> None:
    (folder / "data" / "botmaker.db").mkdir(parents=True)


async def no_database_at_all(folder: Path) -> None:
    (folder / "data").mkdir()
    (folder / "data" / "botmaker.db").write_bytes(b"this is no database, but a long text" * 100)


async def damaged_archive(folder: Path) -> None:
    await start_once(folder)
    (folder / "data" / "journal").mkdir()
    (folder / "data" / "journal" / "2020-01.jsonl.gz").write_bytes(b"no gzip")


SITUATIONS = (
    *(no_data, no_database, newer, older, no_key, short_key, key_is_a_folder, data_is_a_file),
    *(database_is_a_folder, no_database_at_all, damaged_archive),
)


@pytest.mark.parametrize("situation", SITUATIONS)
async def test_checking_the_journal_says_what_is_in_the_way(
    tmp_path: Path, situation: Callable[..., object]
) -> None:
    """A sentence with what to do, for every wrong situation; never a traceback, never "forged"."""
    await situation(tmp_path)  # type: ignore[misc]
    with pytest.raises(ControllerError) as caught:
        await offline.verify_history(settings_for(tmp_path))
    assert caught.value.message.endswith(".")
    assert caught.value.hint.endswith(".")

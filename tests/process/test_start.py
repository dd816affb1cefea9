"""Starts that can't work: one sentence that says what to do, status 78, no traceback.
Next door: test_restart.py has the starts that work."""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import engine_socket
from tests.process.process import Controller, Place, eventually, free_port

pytestmark = pytest.mark.engine
CANNOT_START = 78


async def _refusal(controller: Controller, within: float = 20.0) -> str:
    """Start it, wait for its end, and return the one sentence it printed."""
    controller.log_path.unlink(missing_ok=True)
    await controller.launch()
    assert controller.process is not None
    status = await asyncio.wait_for(controller.process.wait(), within)
    said = [line for line in controller.log.splitlines() if line.startswith("botmaker: ")]
    assert status == CANNOT_START, controller.log
    assert len(said) == 1, controller.log
    assert controller.log.splitlines()[-1] == said[0]
    assert "Traceback" not in controller.log
    assert not controller.trouble(), controller.trouble()
    return said[0]


def _second(place: Place, folder: Path) -> Controller:
    folder.mkdir()
    second = Controller(place.world, place.controller.engine, folder)
    second.env = place.controller.env | {"BOTMAKER_HTTP_LISTEN": f"127.0.0.1:{free_port()}"}
    return second


async def test_a_second_controller_on_one_data_folder_ends_at_once(
    place: Place, tmp_path: Path
) -> None:
    """It takes at most a second beyond its imports; the first controller goes on."""
    second = _second(place, tmp_path / "second")
    second.fresh = True
    began = time.monotonic()
    only_imports = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", "import controller.app"), stdout=asyncio.subprocess.DEVNULL
    )
    assert await only_imports.wait() == 0
    imports = time.monotonic() - began
    began = time.monotonic()
    text = await _refusal(second)
    assert time.monotonic() - began < 1.0 + 2 * imports  # a busy machine slows both
    assert "Another controller is using the data folder" in text
    assert str(place.controller.data) in text
    inv = await place.ann.slash("bot list")
    assert "no bots yet" in inv.text
    assert place.world.gateway.sessions == 1


Break = Callable[[Place, Path], None]


def _set(**env: str) -> Break:
    return lambda place, _: place.controller.env.update(env)


def _unset(*names: str) -> Break:
    def do(place: Place, _: Path) -> None:
        for name in names:
            del place.controller.env[name]

    return do


def _newer_database(place: Place, _: Path) -> None:
    place.controller.data.mkdir()
    base = sqlite3.connect(place.controller.database)
    base.execute("PRAGMA user_version = 999")
    base.close()


def _no_database(place: Place, _: Path) -> None:
    place.controller.data.mkdir()
    place.controller.database.write_bytes(b"this is no database at all, but a long text" * 100)


def _file_for_folder(setting: str) -> Break:
    def do(place: Place, folder: Path) -> None:
        (folder / "file").write_text("")
        place.controller.env[setting] = str(folder / "file")

    return do


def _env_file(content: str, encoding: str = "utf-8") -> Break:
    def do(_: Place, folder: Path) -> None:
        (folder / ".env").write_text(content, encoding)

    return do


def _env_folder(_: Place, folder: Path) -> None:
    (folder / ".env").mkdir()


def _engine_in_the_file(place: Place, folder: Path) -> None:
    place.controller.env.pop("DOCKER_HOST", None)
    (folder / ".env").write_text("DOCKER_HOST=unix:///absent/of-the-file.sock\n")


def _folder_for_socket(place: Place, _: Path) -> None:
    (place.controller.data / "control.sock").mkdir(parents=True)


def _not_an_engine(place: Place, folder: Path) -> None:
    place.controller.env["DOCKER_HOST"] = f"tcp://127.0.0.1:{place.world.port}"


BREAKS: dict[str, tuple[Break, list[str]]] = {
    "no token": (_unset("BOTMAKER_DISCORD_TOKEN"), ["BOTMAKER_DISCORD_TOKEN"]),
    "nothing set": (
        _unset("BOTMAKER_DISCORD_TOKEN", "BOTMAKER_GUILD_ID", "BOTMAKER_ADMIN_CHANNEL_ID"),
        ["BOTMAKER_DISCORD_TOKEN", "BOTMAKER_GUILD_ID", "BOTMAKER_ADMIN_CHANNEL_ID"],
    ),
    "token file absent": (
        _set(BOTMAKER_DISCORD_TOKEN_FILE="/absent/token"),
        ["BOTMAKER_DISCORD_TOKEN_FILE", "No such file"],
    ),
    "wrong token": (
        _set(BOTMAKER_DISCORD_TOKEN="quite.wrong.token"),
        ["BOTMAKER_DISCORD_TOKEN", "developer portal"],
    ),
    "engine not there": (
        _set(DOCKER_HOST="unix:///absent/docker.sock"),
        ["Can't reach Docker", "--wait"],
    ),
    "engine port dead": (_set(DOCKER_HOST="tcp://127.0.0.1:9"), ["Can't reach Docker"]),
    "engine address nonsense": (_set(DOCKER_HOST="nonsense://x"), ["DOCKER_HOST"]),
    "not an engine": (_not_an_engine, ["refused", "DOCKER_HOST", "Docker engine"]),
    "newer database": (_newer_database, ["newer BotMaker", "schema 999"]),
    "database damaged": (_no_database, ["database", "botmaker.db"]),
    "remote Discord": (
        _set(BOTMAKER_DISCORD_API_URL="http://203.0.113.7/api/v10"),
        ["BOTMAKER_ALLOW_REMOTE_API", "loopback"],
    ),
    "remote gateway": (
        _set(BOTMAKER_DISCORD_GATEWAY_URL="ws://discord.example"),
        ["BOTMAKER_ALLOW_REMOTE_API"],
    ),
    "guild id in words": (_set(BOTMAKER_GUILD_ID="my-server"), ["BOTMAKER_GUILD_ID"]),
    "guild id negative": (_set(BOTMAKER_GUILD_ID="-5"), ["BOTMAKER_GUILD_ID"]),
    "user ids in words": (
        _set(BOTMAKER_ADMIN_USER_IDS="12,ann"),
        ["BOTMAKER_ADMIN_USER_IDS", "ids"],
    ),
    "listen in words": (_set(BOTMAKER_HTTP_LISTEN="everywhere"), ["BOTMAKER_HTTP_LISTEN"]),
    "runtime swarm": (_set(BOTMAKER_RUNTIME="swarm"), ["BOTMAKER_RUNTIME"]),
    "data folder is a file": (_file_for_folder("BOTMAKER_DATA_DIR"), ["BOTMAKER_DATA_DIR"]),
    "secrets folder is a file": (_file_for_folder("BOTMAKER_SECRETS_DIR"), ["secrets"]),
    "guild of others": (_set(BOTMAKER_GUILD_ID="42"), ["BOTMAKER_GUILD_ID"]),
    "live checks elsewhere": (
        _set(BOTMAKER_LIVE_CHECKS="https://checks.example"),
        ["BOTMAKER_LIVE_CHECKS", "on, off", "this machine"],
    ),
    "images misspelt": (_set(BOTMAKER_IMAGES="openclaw:latest"), ["BOTMAKER_IMAGES", "openclaw="]),
    "image of no template": (
        _set(BOTMAKER_IMAGES="absent=openclaw:latest"),
        ["BOTMAKER_IMAGES", "absent", "openclaw"],
    ),
    "settings file in UTF-16": (_env_file("A=1", "utf-16"), [".env can't be read", "UTF-8"]),
    "settings file in cp1252": (_env_file("# ü\n", "cp1252"), [".env can't be read", "UTF-8"]),
    "settings file is a folder": (_env_folder, [".env can't be read", "Is a directory"]),
    "settings file names a dead engine": (_engine_in_the_file, ["Can't reach Docker"]),
    "context absent": (
        _set(DOCKER_HOST="", DOCKER_CONTEXT="far"),
        ["context `far`", "DOCKER_HOST"],
    ),
    "ssh address nonsense": (_set(DOCKER_HOST="ssh://"), ["DOCKER_HOST", "ssh://user@host"]),
    "home of nobody": (_set(BOTMAKER_DATA_DIR="~nobody-at-all/x"), ["BOTMAKER_DATA_DIR", "~"]),
    "console socket in use": (_folder_for_socket, ["control.sock", "BOTMAKER_DATA_DIR"]),
    "templates folder absent": (_set(BOTMAKER_TEMPLATES_DIR="/absent"), ["/absent"]),
}


@pytest.mark.parametrize("what", BREAKS)
async def test_a_start_that_cannot_work_says_why_in_one_sentence(
    idle: Place, tmp_path: Path, what: str
) -> None:
    """Status 78; the sentence names the setting or the cause and says what to do; no traceback."""
    apply, words = BREAKS[what]
    apply(idle, tmp_path)
    idle.controller.fresh = what == "nothing set"  # the first that a newcomer meets
    text = await _refusal(idle.controller)
    for word in words:
        assert word in text
    assert "quite.wrong.token" not in idle.controller.log
    assert idle.world.token not in idle.controller.log
    assert idle.controller.containers() == [] if idle.controller.instance else True


async def test_a_taken_port_is_said_and_nothing_runs(idle: Place) -> None:
    """BOTMAKER_HTTP_LISTEN is set to a port that another program uses."""
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", idle.controller.port)
    try:
        text = await _refusal(idle.controller)
    finally:
        server.close()
        await server.wait_closed()
    assert f"BOTMAKER_HTTP_LISTEN=127.0.0.1:{idle.controller.port}" in text
    assert "in use" in text


async def test_with_wait_an_engine_that_is_not_there_is_waited_for(
    idle: Place, tmp_path: Path
) -> None:
    """It says that it waits, goes on once the engine answers, and can be stopped meanwhile."""
    controller, door = idle.controller, tmp_path / "docker.sock"
    controller.env["DOCKER_HOST"] = f"unix://{door}"
    await controller.launch("--wait")
    await eventually(lambda: "waiting for the engine" in controller.log)
    assert controller.running
    await controller.stop()
    assert "Traceback" not in controller.log
    await controller.launch("--wait")
    await eventually(lambda: controller.log.count("waiting for the engine") > 1)
    door.symlink_to(engine_socket())
    await controller.wait_ready()
    assert "no bots yet" in (await idle.ann.slash("bot list")).text


async def test_an_unknown_setting_is_a_warning_with_the_nearest_name(idle: Place) -> None:
    """It may be a typing error that turns something off; the start goes on."""
    idle.controller.env["BOTMAKER_ADMIN_USERS"] = "1"
    await idle.controller.start()
    (line,) = [one for one in idle.controller.log.splitlines() if "BOTMAKER_ADMIN_USERS" in one]
    assert "WARNING" in line
    assert "Did you mean BOTMAKER_ADMIN_USER_IDS?" in line


async def test_a_token_from_a_file_is_as_good(idle: Place, tmp_path: Path) -> None:
    """BOTMAKER_DISCORD_TOKEN_FILE works instead of the token itself."""
    (tmp_path / "token").write_text(f"{idle.world.token}\n")
    del idle.controller.env["BOTMAKER_DISCORD_TOKEN"]
    idle.controller.env["BOTMAKER_DISCORD_TOKEN_FILE"] = str(tmp_path / "token")
    await idle.controller.start()
    assert "no bots yet" in (await idle.ann.slash("bot list")).text


async def test_settings_can_come_from_dot_env(idle: Place, tmp_path: Path) -> None:
    """A .env file in the working folder may hold the same names."""
    moved = {k: v for k, v in idle.controller.env.items() if k.startswith("BOTMAKER_")}
    lines = [f"{name}={value}\n" for name, value in moved.items()]
    (tmp_path / ".env").write_text("".join(lines))
    for name in moved:
        del idle.controller.env[name]
    await idle.controller.start()
    assert "no bots yet" in (await idle.ann.slash("bot list")).text

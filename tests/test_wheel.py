"""The wheel in an empty environment, outside the checkout: init, doctor, run, a first bot."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import site
import sqlite3
import subprocess
import sys
import venv
import zipfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import docker
import pytest

from tests.cli.seat import seated
from tests.conftest import DEMO_IMAGE, remove_everything_of
from tests.loopback import LoopbackDiscord
from tests.process.process import free_port
from tests.project_copy import copy_project, packed_files

pytestmark = pytest.mark.timeout(900)  # it builds and installs
SECRETS = {"api_key": "FAKE-key-of-the-wheel-test", "channel_token": "FAKE-token-of-the-wheel-test"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this tree without the network."""
    folder = tmp_path_factory.mktemp("wheel")
    project = copy_project(folder / "project")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*command, "--no-index", "-w", folder, project], check=True, cwd=folder)
    (made,) = folder.glob("botmaker-*.whl")
    return made


@pytest.fixture(scope="module")
def botmaker(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The console script in an environment of its own.

    What it depends on is borrowed from this one, where it was installed by the lock file.
    """
    folder = tmp_path_factory.mktemp("empty")
    venv.create(folder, with_pip=False)
    install = [sys.executable, "-m", "pip", "--python", folder / "bin" / "python", "install"]
    subprocess.run([*install, "--quiet", "--no-index", "--no-deps", wheel], check=True)
    (packages,) = folder.glob("lib/python*/site-packages")
    borrowed = packages / "borrowed"
    borrowed.mkdir()
    for path in Path(site.getsitepackages()[0]).iterdir():
        # Not the link to this checkout: everything of BotMaker comes from the wheel.
        if "botmaker" not in path.name and path.suffix != ".pth":
            (borrowed / path.name).symlink_to(path)
    (packages / "borrowed.pth").write_text(f"{borrowed}\n")
    return folder / "bin" / "botmaker"


def test_the_wheel_has_every_file_that_the_program_reads(wheel: Path) -> None:
    """Each file of the package and of the recipes that git knows, and nothing else."""
    parts = ("controller/", "edge/", "images/")
    known = [name for name in packed_files() if name.startswith(parts)]
    wanted = {name if name.startswith("controller/") else f"controller/{name}" for name in known}
    with zipfile.ZipFile(wheel) as packed:
        inside = {name for name in packed.namelist() if ".dist-info/" not in name}
        metadata = next(n for n in packed.namelist() if n.endswith(".dist-info/METADATA"))
        text = packed.read(metadata).decode()
    assert inside == wanted
    assert "Name: botmaker\n" in text
    assert "License-Expression: MIT\n" in text


def environment(folder: Path) -> dict[str, str]:
    keep = {name: os.environ[name] for name in ("PATH", "DOCKER_HOST") if name in os.environ}
    return keep | {"HOME": str(folder)}


def test_templates_come_from_the_package(botmaker: Path, tmp_path: Path) -> None:
    """In an empty folder, without any setting."""
    done = subprocess.run(
        [botmaker, "templates"],
        cwd=tmp_path,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        check=True,
    )
    named = {line.split()[0] for line in done.stdout.splitlines()}
    assert named == {"demo", "discordpy", "maubot", "openclaw"}
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
async def world() -> AsyncIterator[LoopbackDiscord]:
    async with LoopbackDiscord() as world:
        yield world


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Path]:
    """An empty folder; afterwards what its installation left on the engine is removed."""
    folder = tmp_path / "home"
    folder.mkdir()
    yield folder
    database = folder / "data" / "botmaker.db"
    if database.exists():
        with contextlib.closing(sqlite3.connect(database)) as base:
            found = base.execute("SELECT value FROM installation WHERE key = 'instance'")
            instance = str(found.fetchone()[0])
        client = docker.from_env(version="1.41").api
        remove_everything_of(client, instance)
        client.close()


@pytest.mark.engine
async def test_from_pip_install_to_a_running_bot(
    botmaker: Path, world: LoopbackDiscord, home: Path, demo_image: str
) -> None:
    """The demo image by its recipe, init at a terminal, run, the first message, the first bot."""
    assert demo_image == DEMO_IMAGE
    base = {"BOTMAKER_DISCORD_API_URL": world.api_url}
    base |= {"BOTMAKER_DISCORD_GATEWAY_URL": world.gateway_url}
    base |= {"BOTMAKER_HTTP_LISTEN": f"127.0.0.1:{free_port()}", "BOTMAKER_LIVE_CHECKS": "off"}
    (home / ".env").write_text("".join(f"{name}={value}\n" for name, value in base.items()))
    env = environment(home)
    recipe = await asyncio.create_subprocess_exec(
        *(botmaker, "build-image", "demo", "--if-missing"), cwd=home, env=env
    )
    assert await recipe.wait() == 0
    async with seated(["init"], home, env, [str(botmaker)]) as person:
        await person.sees("Bot token")
        await person.types(world.token)
        for _ in ("server", "channel"):
            await person.sees("to look again")
            await person.types("1")
        await person.sees("✅ engine")
        await person.sees("Next: botmaker run")
        assert await person.ends() == 0, person.screen
    with (home / "log").open("wb") as log:
        running = await asyncio.create_subprocess_exec(
            *(botmaker, "run"), cwd=home, env=env, stdout=log, stderr=log
        )
    try:
        await first_bot(world)
    finally:
        running.send_signal(signal.SIGTERM)
        status = await asyncio.wait_for(running.wait(), 60)
    assert status == 0, (home / "log").read_text()
    doctor = await asyncio.create_subprocess_exec(
        *(botmaker, "list", "--json"), cwd=home, env=env, stdout=asyncio.subprocess.PIPE
    )
    out, _ = await doctor.communicate()
    assert [row["name"] for row in json.loads(out)] == ["first"]
    assert {path.name for path in home.iterdir()} >= {".env", "discord-token", "data", "secrets"}


async def first_bot(world: LoopbackDiscord) -> None:
    """What the owner of the application does after the first start."""
    channel = world.admin_channel_id
    await world.wait_ready(60)
    await world.until(lambda w: w.messages(channel), 60)
    (message,) = world.messages(channel)
    assert "**BotMaker is ready.**" in message.content
    pressed = await world.owner.click(message, label="Create a bot", within=30)
    form = await pressed.modal_sent
    values = {"name": "first", "template": ["Demo bot"]}
    created = await world.owner.submit(form, values, within=30)
    await created.until(lambda i: "is created" in i.text, 30)
    await world.until(lambda _: world.owner.dms, 30)
    opened = await world.owner.click(world.owner.dms[-1], label="Enter secrets", within=30)
    form = await opened.modal_sent
    kept = {field["custom_id"]: field["value"] or "" for field in form.fields}
    await world.owner.submit(form, kept | SECRETS, within=30)
    await world.until(
        lambda w: any("**first** — running" in m.content for m in w.messages(channel)), 120
    )

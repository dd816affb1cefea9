"""Whole console scripts: where their output can't be written, and what a health check is told.
Next door: test_answers.py has what they say."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import re
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import yaml
from aiohttp import web

from controller import healthcheck
from controller.api import serve_console
from controller.cli import controller_client
from controller.cli.looking import told
from controller.domain.errors import BadSetting, ControllerError, NotFound, Unreachable
from tests.cli.places import start_once
from tests.conftest import ROOT
from tests.manager.rig import Rig

BOTMAKER = (sys.executable, "-m", "controller")


def environment(folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "PYTHONPATH": str(ROOT),
        "BOTMAKER_DATA_DIR": str(folder / "data"),
        "BOTMAKER_SECRETS_DIR": str(folder / "secrets"),
        "DOCKER_HOST": f"unix://{folder}/no.sock",
    }


COMMANDS = ("list", "list --json", "history --verify", "templates", "doctor", "--help")


@pytest.mark.parametrize("command", COMMANDS)
async def test_a_full_output_is_said_in_a_sentence(tmp_path: Path, command: str) -> None:
    """Status 1, and nothing else on stderr: no traceback, no "Exception ignored"."""
    await start_once(tmp_path, "bee")
    with Path("/dev/full").open("w") as full:
        ended = subprocess.run(
            [*BOTMAKER, *command.split()],
            env=environment(tmp_path),
            cwd=tmp_path,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    said = "botmaker: The output can't be written: No space left on device.\n"
    assert (ended.returncode, ended.stderr) == (1, said)


async def test_a_reader_that_has_seen_enough_is_no_error(tmp_path: Path) -> None:
    """As in `botmaker templates explain demo | head -1`."""
    line = f"{' '.join(BOTMAKER)} templates explain openclaw | head -1"
    ended = subprocess.run(
        ["bash", "-c", line],
        env=environment(tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.stderr == ""
    assert ended.stdout.count("\n") == 1


# The console's socket: `story`, and the health check of the image.


@pytest.fixture
async def served(tmp_path: Path) -> AsyncIterator[Rig]:
    """A controller that serves its console's socket, without HTTP."""
    rig = Rig(tmp_path)
    await rig.open()
    rig.run()
    server = asyncio.create_task(serve_console(rig.manager, lambda: False, rig.data))
    while not (rig.data / "control.sock").exists():
        await asyncio.sleep(0.01)
    yield rig
    server.cancel()
    await asyncio.gather(server, return_exceptions=True)
    await rig.kill()


def health_checks() -> dict[str, str]:
    """The shell commands of both, as the engine would run them."""
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
    test = compose["services"]["botmaker"]["healthcheck"]["test"]
    assert test[0] == "CMD-SHELL"
    image = re.search(r"HEALTHCHECK [^\n]*\\\n +CMD (.+)", (ROOT / "Dockerfile").read_text())
    assert image is not None
    shell, flag, command = json.loads(image[1])
    assert (shell, flag) == ("/bin/sh", "-c")
    return {"compose": test[1].replace("$$", "$"), "image": command}


@pytest.mark.parametrize("which", ["compose", "image"])
async def test_the_health_check_needs_no_http(served: Rig, which: str) -> None:
    """It finds a controller that has BOTMAKER_HTTP_LISTEN off, and misses one that isn't there."""
    command = health_checks()[which].replace("python3", sys.executable)
    env = environment(served.folder)
    assert stat.S_IMODE((served.data / "control.sock").stat().st_mode) == 0o600

    async def status() -> int:
        made = await asyncio.create_subprocess_exec(
            *("sh", "-c", command), env=env, cwd=served.folder, stderr=subprocess.DEVNULL
        )
        return await asyncio.wait_for(made.wait(), 20)

    assert await status() == 0
    del env["BOTMAKER_DATA_DIR"]  # ./data is the default
    assert await status() == 0
    env["BOTMAKER_DATA_DIR"] = str(served.folder / "elsewhere")
    assert await status() == 1
    env["BOTMAKER_DATA_DIR"] = str(served.templates)
    assert await status() == 1


async def test_a_socket_that_a_killed_controller_left_is_replaced(
    served: Rig, tmp_path: Path
) -> None:
    """Nobody answers there; the next controller takes its place instead of refusing to start."""
    folder = tmp_path / "killed"
    folder.mkdir()
    handle = os.open(folder, os.O_RDONLY)
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(f"/proc/self/fd/{handle}/control.sock")
    os.close(handle)
    serving = asyncio.create_task(serve_console(served.manager, lambda: False, folder))
    door = controller_client.local(folder)
    try:
        while True:
            assert not serving.done(), serving.exception()
            with contextlib.suppress(Unreachable):
                assert await asyncio.to_thread(lambda: list(door.pages("/bots"))) == []
                break
            await asyncio.sleep(0.01)
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def test_a_controller_that_answers_with_an_error_is_not_healthy(tmp_path: Path) -> None:
    """Only the status tells: something listens and speaks HTTP."""

    async def broken(_: web.Request) -> web.Response:
        return web.Response(status=500, text="200")

    app = web.Application()
    app.add_routes([web.get("/health", broken)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, tmp_path / "control.sock").start()
    assert await asyncio.to_thread(healthcheck.main, str(tmp_path)) == 1
    await runner.cleanup()


async def test_a_story_is_told_by_the_controller_that_runs(served: Rig) -> None:
    """And a name that nobody has, however strange, is a sentence."""
    bot = await served.running()
    local = controller_client.local(served.data)
    assert "look" in await asyncio.to_thread(told, local, bot.name)
    for name in ("nobody", "", "../health", "a/b", "a?b#c", "x" * 3000, "ä \u202e"):
        with pytest.raises(NotFound, match="There is no bot called") as caught:
            await asyncio.to_thread(told, local, name)
        assert "botmaker list" in caught.value.hint


def _absent(folder: Path) -> None:
    """No data folder."""


def _empty(folder: Path) -> None:
    folder.mkdir()


def _file(folder: Path) -> None:
    folder.write_text("")


def _stale(folder: Path) -> None:
    folder.mkdir()
    made = subprocess.run(
        [sys.executable, "-c", "import socket; socket.socket(socket.AF_UNIX).bind('control.sock')"],
        cwd=folder,
        check=True,
    )
    assert made.returncode == 0


def _no_socket(folder: Path) -> None:
    folder.mkdir()
    (folder / "control.sock").write_text("")


@pytest.mark.parametrize("situation", [_absent, _empty, _file, _stale, _no_socket])
async def test_without_a_controller_a_story_is_a_sentence(
    tmp_path: Path, situation: object
) -> None:
    """Whatever is in the data folder's place."""
    situation(tmp_path / "data")  # type: ignore[operator]
    with pytest.raises(Unreachable) as caught:
        await asyncio.to_thread(told, controller_client.local(tmp_path / "data"), "bee")
    assert caught.value.message.endswith(".")
    assert caught.value.hint.endswith(".")


async def test_a_socket_that_cannot_be_created_is_a_setting_to_change(tmp_path: Path) -> None:
    """Not a traceback out of a running controller."""
    rig = Rig(tmp_path)
    await rig.open()
    (rig.data / "control.sock").mkdir()
    with pytest.raises(BadSetting, match=r"control\.sock can't be created") as caught:
        await serve_console(rig.manager, lambda: True, rig.data)
    assert isinstance(caught.value, ControllerError)
    assert "BOTMAKER_DATA_DIR" in caught.value.hint
    await rig.kill()

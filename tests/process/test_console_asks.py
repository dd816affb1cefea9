"""The console script with a real controller and engine: a bot's whole life from a file, over the
socket and by a token over HTTP. Next door: test_console.py has what it says without asking."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import docker
import pytest
import pytest_asyncio

from tests.process.console import botmaker
from tests.process.fork_server import PIPE
from tests.process.process import Place, a_secret, eventually, open_place

pytestmark = [pytest.mark.engine, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def place(
    tmp_path_factory: pytest.TempPathFactory, docker_client: docker.APIClient, demo_image: str
) -> AsyncIterator[Place]:
    """A place whose controller serves the API."""
    folder = tmp_path_factory.mktemp("place")
    async with open_place(folder, docker_client, BOTMAKER_API="1") as found:
        yield found


def fleet(place: Place, name: str, **settings: str) -> Path:
    """A fleet's file with one bot, and files with its secrets."""
    folder = place.controller.folder / f"fleet-{name}"
    folder.mkdir(exist_ok=True)
    for secret in ("api_key", "channel_token"):
        file = folder / secret
        if not file.exists():
            value = a_secret()
            file.write_text(value + "\n")
            place.controller.entered.append(value)
    rows = "".join(f'{key} = "{value}"\n' for key, value in settings.items())
    file = folder / "fleet.toml"
    file.write_text(
        f'fleet = "{name}"\n[bots.{name}]\ntemplate = "brisk"\nwish = "running"\n'
        f"[bots.{name}.settings]\n{rows}[bots.{name}.secrets]\n"
        'api_key = { file = "api_key" }\nchannel_token = { file = "channel_token" }\n'
    )
    return file


async def token_for(place: Place, name: str, role: str) -> tuple[str, ...]:
    """The options for a fresh token of this role."""
    status, text, _ = await botmaker(place.controller, "token", "create", name, "--role", role)
    assert status == 0
    file = place.controller.folder / f"token-{name}"
    file.touch(0o600)
    file.write_text(text)
    return "--url", f"http://127.0.0.1:{place.controller.port}", "--token-file", str(file)


@pytest.mark.parametrize("way", ["socket", "token"])
async def test_a_bots_life_from_a_file_to_its_end(place: Place, way: str) -> None:
    """Created until it runs, logs, restart, stop, start, delete; nothing is left of it."""
    controller, name = place.controller, f"by-{way}"
    there = await token_for(place, "admin", "admin") if way == "token" else ()
    file = fleet(place, name)
    status, out, err = await botmaker(controller, *there, "create", "--wait", str(file))
    assert (status, err) == (0, ""), (out, err)
    bot_id = controller.bot_id(name)
    began = controller.started_at(bot_id)
    home = controller.secrets_dir / bot_id
    assert (home / "api_key").read_text() == (file.parent / "api_key").read_text().strip()
    status, out, _ = await botmaker(controller, *there, "logs", name)
    assert status == 0
    assert "demo bot starting" in out
    status, out, _ = await botmaker(controller, *there, "restart", name, "--wait")
    assert (status, out) == (0, f"{name}: running\n")
    assert controller.started_at(bot_id) != began
    status, out, _ = await botmaker(controller, *there, "stop", name, "--wait", "--json")
    assert (status, json.loads(out)[0]["outcome"]["phase"]) == (0, "stopped")
    assert controller.started_at_or_none(bot_id) is None
    status, _, _ = await botmaker(controller, *there, "plan", str(file))
    assert status == 4
    status, out, _ = await botmaker(controller, *there, "apply", str(file))
    assert (status, out) == (0, f"~ {name}: start: done\n")
    await eventually(lambda: controller.started_at_or_none(bot_id))
    status, out, _ = await botmaker(controller, *there, "delete", name, "--yes")
    assert (status, out) == (0, f"{name}: deleted\n")
    assert controller.inspect(bot_id) is None
    assert not home.exists()
    status, out, _ = await botmaker(controller, *there, "show", name)
    assert (status, out) == (1, "")


async def test_a_token_without_the_right_changes_nothing(place: Place) -> None:
    """Each command that acts is refused in words; the bot goes on."""
    bot_id = await place.bot("kept")
    began = place.controller.started_at(bot_id)
    there = await token_for(place, "watcher", "viewer")
    status, out, _ = await botmaker(place.controller, *there, "list")
    assert status == 0
    assert "kept" in out
    file = fleet(place, "never")
    for words in (
        ("stop", "kept"),
        ("restart", "kept", "--wait"),
        ("delete", "kept", "--yes"),
        ("create", str(file)),
        ("apply", str(file)),
        ("export",),
        ("token", "list"),
    ):
        status, out, err = await botmaker(place.controller, *there, *words)
        assert status == 1, words
        assert "needs the role" in err, words
    assert place.controller.started_at(bot_id) == began
    assert not place.controller.rows("SELECT 1 FROM bot WHERE name = 'never'")


async def test_a_log_is_followed_across_a_kill_of_the_controller(place: Place) -> None:
    """Every line once: none is lost with the controller, and none comes again."""
    await place.bot("talker")
    controller = place.controller
    words = ("logs", "talker", "--follow", "--json")
    made = await controller.begin(*words, stdout=PIPE, stderr=PIPE)
    assert made.stdout is not None
    assert made.stderr is not None
    beats: list[str] = []

    async def heard(count: int) -> None:
        assert made.stdout is not None
        async with asyncio.timeout(60):
            while len(beats) < count:
                line = json.loads(await made.stdout.readline())
                if "heartbeat" in line.get("text", ""):
                    beats.append(line["at"])

    await heard(2)
    await controller.kill()
    assert b"The controller is away" in await made.stderr.readline()
    await controller.start()
    await heard(len(beats) + 3)
    made.send_signal(signal.SIGINT)
    assert await asyncio.wait_for(made.wait(), 10) == 130
    status, out, _ = await botmaker(controller, "logs", "talker", "--json", "--grep", "heartbeat")
    assert status == 0
    printed = [json.loads(line)["at"] for line in out.splitlines()]
    assert beats == printed[: len(beats)]


async def test_a_container_becomes_a_template_that_passes_the_check(
    place: Place, docker_client: docker.APIClient
) -> None:
    """One that BotMaker didn't make; what it had as a secret isn't in the draft."""
    controller = place.controller
    secret = a_secret()
    made = docker_client.create_container(
        "botmaker-demo:2",
        name=f"old-{os.getpid()}",
        environment={"BOT_TOKEN": secret, "DEMO_BEHAVIOUR": "steady"},
        host_config=docker_client.create_host_config(mem_limit="64m"),
    )
    try:
        draft = controller.folder / "taken-over.toml"
        words = ("import", "container", f"old-{os.getpid()}", "--output", str(draft))
        status, out, err = await botmaker(controller, *words)
        assert (status, out, err) == (0, "", "")
        status, out, _ = await botmaker(controller, "templates", "check", str(draft))
        assert (status, out) == (0, "1 template checked: no mistakes.\n")
        text = draft.read_text()
        assert secret not in text
        assert 'memory = "64m"' in text
        assert 'env = "DEMO_BEHAVIOUR"' in text
        status, _, err = await botmaker(controller, *words)
        assert status == 1
        assert "is there already" in err
    finally:
        docker_client.remove_container(made["Id"], force=True)

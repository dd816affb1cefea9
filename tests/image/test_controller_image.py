"""The controller's own image: built from the Dockerfile, run with the socket; it creates a bot.

Its data has another path inside than outside, so the tests cover the translation of paths.
"""

from __future__ import annotations

import asyncio
import shutil
import socket
import sqlite3
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from tests.conftest import ROOT, engine_socket, remove_everything_of
from tests.loopback import LoopbackDiscord, Person

pytestmark = [pytest.mark.engine, pytest.mark.timeout(600)]
IMAGE = "botmaker:local"
SECRETS = {"api_key": "FAKE-key-of-the-image-test", "channel_token": "FAKE-token-of-the-image-test"}


@pytest.fixture(scope="session")
def controller_image(docker_client: docker.APIClient) -> str:
    """The image, built as by `make image`."""
    subprocess.run([sys.executable, "images/build.py", "controller"], cwd=ROOT, check=True)
    docker_client.inspect_image(IMAGE)
    return IMAGE


@pytest.fixture
def home(docker_client: docker.APIClient, tmp_path: Path) -> Iterator[Path]:
    """A host folder for the controller's data; afterwards its bots' leftovers are removed."""
    folder = tmp_path / "on-the-host"
    folder.mkdir(mode=0o700)
    yield folder
    database = folder / "data" / "botmaker.db"
    if database.exists():
        with sqlite3.connect(database) as connection:
            rows = connection.execute("SELECT value FROM installation WHERE key = 'instance'")
            remove_everything_of(docker_client, str(rows.fetchone()[0]))
        connection.close()
    shutil.rmtree(folder)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@pytest.fixture
def start(docker_client: docker.APIClient, controller_image: str, home: Path) -> Iterator[Any]:
    """Start the controller's container as compose.yaml does; returns its id."""
    made: list[str] = []

    def run(world: LoopbackDiscord, admin: Person, *command: str) -> str:
        mounts = [
            docker.types.Mount("/var/run/docker.sock", engine_socket(), type="bind"),
            docker.types.Mount("/inside", str(home), type="bind"),
        ]
        container = docker_client.create_container(
            controller_image,
            list(command),
            name=f"botmaker-image-test-{uuid.uuid4().hex[:8]}",
            user="0:0",
            environment={
                "BOTMAKER_DISCORD_TOKEN": world.token,
                "BOTMAKER_GUILD_ID": str(world.guild_id),
                "BOTMAKER_ADMIN_CHANNEL_ID": str(world.admin_channel_id),
                "BOTMAKER_ADMIN_USER_IDS": str(admin.id),
                "BOTMAKER_DATA_DIR": "/inside/data",
                "BOTMAKER_SECRETS_DIR": "/inside/secrets",
                "BOTMAKER_HTTP_LISTEN": f"127.0.0.1:{_free_port()}",
                "BOTMAKER_DISCORD_API_URL": world.api_url,
                "BOTMAKER_DISCORD_GATEWAY_URL": world.gateway_url,
            },
            host_config=docker_client.create_host_config(
                network_mode="host",
                mounts=mounts,
                read_only=True,
                cap_drop=["ALL"],
                cap_add=["CHOWN", "DAC_OVERRIDE", "FOWNER"],
                security_opt=["no-new-privileges:true"],
                tmpfs={"/tmp": "size=64m"},
                init=True,
            ),
        )["Id"]
        made.append(container)
        docker_client.start(container)
        return str(container)

    yield run
    for container in made:
        docker_client.remove_container(container, force=True, v=True)


async def test_in_its_own_container_it_makes_a_sibling_that_can_read_its_secrets(
    docker_client: docker.APIClient, demo_image: str, start: Any, home: Path
) -> None:
    """Host paths differ from its own, but the bot finds its secrets, owned by its uid."""
    async with LoopbackDiscord() as world:
        ann = world.person("ann")
        controller = start(world, ann)
        await world.wait_ready(timeout=30)
        await ann.slash("bot create", name="sibling", template="demo")
        await world.until(lambda _: bool(ann.dms), timeout=10)
        form = await ann.click(ann.dms[-1], label="Enter secrets")
        assert form.modal is not None
        await ann.submit(form.modal, SECRETS)

        def running(_: LoopbackDiscord) -> bool:
            cards = [m.content for m in world.messages(world.admin_channel_id)]
            return any("sibling" in card and "— running" in card for card in cards)

        await world.until(running, timeout=30)
        answer = await ann.slash("bot logs", name="sibling")
        await answer.until(lambda inv: "secrets read: api_key channel_token" in inv.text)

        folders = list((home / "secrets").iterdir())
        assert len(folders) == 1
        for file in (folders[0] / name for name in SECRETS):
            assert (file.stat().st_uid, file.stat().st_mode & 0o777) == (1000, 0o600)
        described = str(docker_client.inspect_container(f"botmaker-{folders[0].name}"))
        said = docker_client.logs(controller).decode()
        for value in SECRETS.values():
            assert value not in described
            assert value not in said


async def test_doctor_inside_the_container_finds_its_secrets_readable(
    docker_client: docker.APIClient, demo_image: str, start: Any, home: Path
) -> None:
    """The probe container reads a canary through the translated path."""
    (home / "secrets").mkdir(0o700)
    async with LoopbackDiscord() as world:
        container = start(world, world.person("ann"), "doctor")
        # In a thread, because doctor asks the loopback Discord, which runs in this event loop.
        await asyncio.to_thread(docker_client.wait, container, timeout=60)
        said = docker_client.logs(container).decode()
        assert "secrets: readable inside a container as uid 1000" in said, said
        assert "✅ token" in said, said


async def test_the_image_says_whether_it_is_healthy(
    docker_client: docker.APIClient, controller_image: str
) -> None:
    """It isn't root by default, and its healthcheck asks the controller's socket."""
    config = docker_client.inspect_image(controller_image)["Config"]
    assert config["User"] == "10001:10001"
    assert "controller.healthcheck" in " ".join(config["Healthcheck"]["Test"])

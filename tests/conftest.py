"""Shared by all tests: the real engine or a visible absence of it, and places to work in."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

from controller.domain.spec import INSTANCE_LABEL

ROOT = Path(__file__).parents[1]
DEMO_IMAGE = "botmaker-demo:1"


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--no-engine` leaves the engine tests out and says so; `--prove` runs the proofs in full."""
    parser.addoption("--no-engine", action="store_true", help="leave out what needs Docker")
    parser.addoption("--prove", action="store_true", help="the proofs in full (make prove)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect (never silently skip) the engine tests when that was asked for."""
    if not config.getoption("--no-engine"):
        return
    left_out = [item for item in items if item.get_closest_marker("engine")]
    items[:] = [item for item in items if not item.get_closest_marker("engine")]
    config.hook.pytest_deselected(items=left_out)
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.write_line(f"--no-engine: {len(left_out)} tests that need Docker are left out")


@pytest.fixture(scope="session")
def docker_client() -> Iterator[docker.APIClient]:
    """The real engine; a test that needs it fails where none answers."""
    client = docker.APIClient(version="1.41")
    client.ping()
    yield client
    client.close()


@pytest.fixture(scope="session")
def demo_image(docker_client: docker.APIClient) -> str:
    """The demo bot's image, built if it is not there."""
    subprocess.run(
        [sys.executable, "images/build.py", "demo", "--if-missing"], cwd=ROOT, check=True
    )
    docker_client.inspect_image(DEMO_IMAGE)
    return DEMO_IMAGE


def remove_everything_of(client: docker.APIClient, instance: str) -> None:
    """Remove what a test's own installation left on the engine: containers, volumes, network."""
    mine = {"label": f"{INSTANCE_LABEL}={instance}"}
    for row in client.containers(all=True, filters=mine):
        try:
            client.remove_container(row["Id"], force=True, v=True)
        except docker.errors.NotFound:
            continue
        except docker.errors.APIError as error:
            if error.status_code != 409:  # its removal is under way already
                raise
    deadline = time.monotonic() + 10
    while client.containers(all=True, filters=mine) and time.monotonic() < deadline:
        time.sleep(0.05)
    for row in client.volumes(filters=mine)["Volumes"] or []:
        client.remove_volume(row["Name"], force=True)
    for row in client.networks(filters=mine):
        client.remove_network(row["Id"])

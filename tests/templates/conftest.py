"""The images of the built-in templates' bots, and the address at which bots reach this machine."""

from __future__ import annotations

import subprocess
import sys

import docker
import pytest

from tests.conftest import ROOT, bridge_address


@pytest.fixture(scope="session")
def bridge(docker_client: docker.APIClient) -> str:
    """Where bots reach this machine."""
    return bridge_address(docker_client)


def _built(docker_client: docker.APIClient, name: str) -> str:
    command = [sys.executable, "images/build.py", name, "--if-missing"]
    subprocess.run(command, cwd=ROOT, check=True)
    docker_client.inspect_image(f"botmaker-{name}:1")
    return f"botmaker-{name}:1"


@pytest.fixture(scope="session")
def discordpy_image(docker_client: docker.APIClient) -> str:
    """The image of the template `discordpy`, built if it is not there."""
    return _built(docker_client, "discordpy")


@pytest.fixture(scope="session")
def maubot_image(docker_client: docker.APIClient) -> str:
    """The image of the template `maubot`, built if it is not there."""
    return _built(docker_client, "maubot")

"""The image of OpenClaw, and a table of what was measured at the end of the run."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import docker
import pytest

from controller.catalog import Template, load
from tests.conftest import ROOT

IMAGE = "openclaw:latest"
_MEASURED = pytest.StashKey[list[tuple[str, str]]]()


@pytest.fixture(scope="session")
def openclaw_image(docker_client: docker.APIClient) -> str:
    """OpenClaw's image, built if there is none."""
    subprocess.run(
        [sys.executable, "images/build.py", "openclaw", "--if-missing"], cwd=ROOT, check=True
    )
    docker_client.inspect_image(IMAGE)
    return IMAGE


@pytest.fixture(scope="session")
def template() -> Template:
    """The built-in template."""
    return load().get("openclaw")


@pytest.fixture(scope="session")
def measured(pytestconfig: pytest.Config) -> list[tuple[str, str]]:
    """Where a test notes what it measured: `measured.append(("start", "12 s"))`."""
    return pytestconfig.stash.setdefault(_MEASURED, [])


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    """Print what was measured."""
    found = config.stash.get(_MEASURED, [])
    if found:
        terminalreporter.section("measured with a real OpenClaw")
        for what, figure in found:
            terminalreporter.write_line(f"{what:<44} {figure}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Every test here needs the engine and is given the time that a big program takes."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.engine)
            if item.get_closest_marker("timeout") is None:
                item.add_marker(pytest.mark.timeout(300))

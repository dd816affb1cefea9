"""One demo after another: each makes a container, a network, a volume and a folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import docker
import pytest

from tests.conftest import ROOT, remove_everything_of
from tests.demo.leftovers import left_by
from tests.demo.visited import INSTALLATION
from tests.prove.tally import Tally

SECONDS = 120.0  # for one run, on a busy machine
RUNS = 40

pytestmark = [pytest.mark.engine, pytest.mark.timeout(RUNS * SECONDS)]


def test_demo_runs_in_a_row_leave_nothing(
    tmp_path: Path, docker_client: docker.APIClient, demo_image: str, tally: Tally
) -> None:
    """After each Ctrl-C: status 0, one line, and nothing of it on the engine or the disk."""
    if not tally.full:
        pytest.skip("tests/demo looks what one run leaves: with --prove")
    folder = tmp_path / "data" / "demo"
    for _ in range(RUNS):
        tally.tried["demo runs"] += 1
        ended = subprocess.run(
            [sys.executable, "-m", "tests.demo.visited", str(folder)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        said = [line for line in ended.stdout.splitlines() if line]
        (named,) = [line for line in said if line.startswith(INSTALLATION)]
        instance = named.removeprefix(INSTALLATION)
        left = left_by(docker_client, instance)
        if left:
            tally.lost["demo runs"] += 1
            remove_everything_of(docker_client, instance)
        assert left == []
        assert ended.returncode == 0
        assert "Traceback" not in ended.stderr  # it may warn of a slow engine
        assert "🟢 **bee** — running" in said
        assert said[-1].endswith("removed, with all data and secrets.")
        assert list(tmp_path.iterdir()) == []

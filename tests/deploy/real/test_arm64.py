"""Nothing that a server needs is for one kind of processor alone."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

ONLY_ONE = re.compile(r"amd64|x86[-_]64|linux-64")


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_every_locked_package_has_a_wheel_for_arm64(python: str, tmp_path: Path) -> None:
    """So nothing is compiled on the server, which has no compiler."""
    subprocess.run(
        [
            *(sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"),
            *("--dry-run", "--ignore-installed", "--target", str(tmp_path / "nowhere")),
            *("--no-deps", "--only-binary=:all:", "--require-hashes", "-r", "requirements.txt"),
            *("--python-version", python, "--implementation", "cp"),
            *("--platform", "manylinux_2_28_aarch64", "--platform", "manylinux_2_17_aarch64"),
        ],
        cwd=ROOT,
        check=True,
    )


def test_no_file_of_deploy_names_another_processor() -> None:
    """But for the check of what the script is made for."""
    files = [path for path in (ROOT / "deploy").rglob("*") if path.is_file()]
    named = [
        line
        for path in (*files, ROOT / "compose.yaml", ROOT / "Dockerfile")
        for line in path.read_text().splitlines()
        if ONLY_ONE.search(line)
    ]
    assert named
    assert all("arm64" in line for line in named), named

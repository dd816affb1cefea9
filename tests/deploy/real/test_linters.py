"""What linters and parsers of others say about our files: nothing."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.conftest import ROOT

TOOLS = ROOT / "build/server/bin"
UNITS = sorted((ROOT / "deploy/systemd").iterdir())
EXPOSED_MOST = 3.0


def said(*words: str | Path, **environment: str) -> str:
    """All that a tool says, which must end well."""
    done = subprocess.run(
        [*map(str, words)],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_shellcheck_finds_nothing() -> None:
    """In setup-server.sh, and in the scripts that are shell."""
    shell = [path for path in (ROOT / "scripts").iterdir() if b"bash" in path.read_bytes()[:30]]
    assert len(shell) > 5
    assert said(TOOLS / "shellcheck", ROOT / "deploy/setup-server.sh", *shell) == ""


def test_hadolint_finds_nothing() -> None:
    """In every Dockerfile."""
    files = [ROOT / "Dockerfile", *(ROOT / "images").glob("*/Dockerfile")]
    assert said(TOOLS / "hadolint", *files) == ""


@pytest.mark.parametrize("profile", ["", "caddy", "nginx", "cloudflared"])
def test_docker_compose_accepts_every_profile(profile: str, tmp_path: Path) -> None:
    """And starts the controller in each."""
    for name in ("compose.yaml", "deploy"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path / ".env").write_text((ROOT / ".env.example").read_text())
    command = (TOOLS / "docker-compose", "--project-directory", tmp_path, "config")
    assert said(*command, "--quiet", COMPOSE_PROFILES=profile) == ""
    services = said(*command, "--services", COMPOSE_PROFILES=profile).split()
    assert sorted(services) == sorted(filter(None, {"botmaker", profile}))


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_systemd_understands_every_line_of_the_units(unit: Path, tmp_path: Path) -> None:
    """It only warns about what it doesn't know: so it must say nothing at all."""
    for path in UNITS:  # their programs aren't installed here
        text = re.sub(
            r"^ExecStart=\S+", "ExecStart=/bin/true", path.read_text(), flags=re.MULTILINE
        )
        (tmp_path / path.name).write_text(text)
    command = ("systemd-analyze", "verify", "--man=no", "--recursive-errors=no")
    assert said(*command, tmp_path / unit.name, LC_ALL="C") == ""


@pytest.mark.parametrize(
    "unit", [path for path in UNITS if path.suffix == ".service"], ids=lambda path: path.name
)
def test_systemd_finds_the_services_well_fenced(unit: Path) -> None:
    """Of 10, less is better."""
    told = said("systemd-analyze", "security", "--offline=true", unit, LC_ALL="C")
    (exposed,) = re.findall(r"Overall exposure level for \S+: ([\d.]+)", told)
    assert float(exposed) <= EXPOSED_MOST

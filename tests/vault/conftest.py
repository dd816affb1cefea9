"""A vault in a fresh folder, and a folder that an unprivileged user can reach."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.vault import Vault
from tests.vault.places import NOBODY, ROOT


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    """An opened vault."""
    vault = Vault(tmp_path / "secrets")
    vault.open()
    return vault


@pytest.fixture
def reachable() -> Iterator[Path]:
    """A folder that the user of `as_nobody` owns and can reach."""
    folder = Path(tempfile.mkdtemp())
    if ROOT:
        os.chown(folder, NOBODY, NOBODY)
    yield folder
    shutil.rmtree(folder)

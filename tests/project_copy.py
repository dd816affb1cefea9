"""A copy of this project as git knows it: what is packed, without what builds left behind."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.conftest import ROOT

PACKED = ("controller/", "edge/", "images/", "scripts/")


def packed_files() -> list[str]:
    """The files that a package is made of, those not committed yet included."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    names = [name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]
    return [name for name in names if name.startswith(PACKED) or "/" not in name]


def copy_project(folder: Path) -> Path:
    """Put them into a folder of that name."""
    for name in packed_files():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / name, folder / name)
    return folder

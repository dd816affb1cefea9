"""The demo's folder: made at the start, removed at the end. Only one that the demo made."""

from __future__ import annotations

import shutil
from pathlib import Path

MARK = "made-by-botmaker-demo"


class Folder:
    """A folder for one demo after another.

    One that exists and isn't empty is used as it is, and never removed, unless an earlier demo
    made it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._made: list[Path] = []

    def make(self) -> None:
        """Create it, unless it exists. Raises OSError."""
        missing = [one for one in (self.path, *self.path.parents) if not one.exists()]
        self.path.mkdir(parents=True, exist_ok=True)
        self._made = missing
        if not any(self.path.iterdir()):
            (self.path / MARK).touch()

    def remove(self) -> None:
        """Remove it with all that is in it, and the parents that `make` created if empty."""
        if not (self.path / MARK).is_file():
            return
        shutil.rmtree(self.path)
        for parent in self._made[1:]:
            if any(parent.iterdir()):
                break
            parent.rmdir()

"""In which order files are forced to the disk, named and removed: what a power cut would show.

A kill can't show it, because the kernel still has everything then. The calls themselves are
recorded, with the names that their handles stand for.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest


class DiskOrder:
    """Records every fsync, rename, link, removal and new folder, and does them all the same."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.synced: list[tuple[int, Path]] = []
        self.named: list[tuple[int, Path, Path]] = []  # when, the temporary name, the name
        self.changed: list[tuple[int, Path]] = []  # when, the folder in which something changed
        self._count = 0
        fsync, rename, link = os.fsync, os.rename, os.link
        mkdir, unlink, rmdir = os.mkdir, os.unlink, os.rmdir

        def synced(handle: int) -> None:
            self.synced.append((self._next(), Path(os.readlink(f"/proc/self/fd/{handle}"))))
            fsync(handle)

        def named(real: Any) -> Any:
            def record(source: Any, target: Any, **options: Any) -> None:
                real(source, target, **options)
                old = _place(source, options.get("src_dir_fd"))
                new = _place(target, options.get("dst_dir_fd"))
                self.named.append((self._next(), old, new))

            return record

        def changed(real: Any) -> Any:
            def record(name: Any, *more: Any, dir_fd: int | None = None) -> None:
                real(name, *more, dir_fd=dir_fd)
                self.changed.append((self._next(), _place(name, dir_fd).parent))

            return record

        monkeypatch.setattr(os, "fsync", synced)
        monkeypatch.setattr(os, "rename", named(rename))
        monkeypatch.setattr(os, "link", named(link))
        for name, real in (("mkdir", mkdir), ("unlink", unlink), ("rmdir", rmdir)):
            monkeypatch.setattr(os, name, changed(real))

    def _next(self) -> int:
        self._count += 1
        return self._count

    def names(self) -> set[str]:
        """The names that something complete got."""
        return {new.name for _, _, new in self.named}

    def too_early(self) -> list[str]:
        """What got its name before its content was on the disk."""
        return [
            new.name
            for when, old, new in self.named
            if not any(at < when and path == old for at, path in self.synced)
        ]

    def unsure(self) -> list[str]:
        """The folders whose last change need not be on the disk yet."""
        last = {new.parent: when for when, _, new in self.named}
        for when, folder in self.changed:
            last[folder] = max(when, last.get(folder, 0))
        return [
            folder.name
            for folder, when in last.items()
            if folder.exists() and not any(at > when and path == folder for at, path in self.synced)
        ]


def _place(name: Any, folder: int | None) -> Path:
    text = os.fsdecode(name)
    if folder is None:
        return Path(text).absolute()
    return Path(os.readlink(f"/proc/self/fd/{folder}")) / text

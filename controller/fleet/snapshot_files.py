"""Snapshots of bots' states on the disk: one archive each, whole or not there. Blocking.

What a snapshot is follows from its file's name, so nothing else can disagree with it.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
from pathlib import Path

from controller.domain.bot_limits import size_words
from controller.domain.disk_words import storage
from controller.domain.errors import NotReady
from controller.domain.snapshot import Snapshot, next_number

SNAPSHOTS = "snapshots"  # the folder in the data folder, with one folder a bot
_NAME = re.compile(r"(\d{1,9})\.(\d{1,9})\.([a-z]{1,20})\.([0-9a-f]{32})\.tar", re.ASCII)
_PIECE = 1 << 20  # bytes
_UNFINISHED = ".new.tmp"


class Archive:
    """A snapshot that is being written, of at most so many bytes, until `finish` or `discard`."""

    def __init__(self, home: Path, why: str, release: int, number: int, most: int) -> None:
        self._home = home
        self._name = f"{number}.{release}.{why}"
        self._digest = hashlib.sha256()
        self._most = most
        self._size = 0
        self._unfinished = home / _UNFINISHED
        self._unfinished.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        self._file = os.fdopen(os.open(self._unfinished, flags, 0o600), "wb")

    def write(self, piece: bytes) -> None:
        """Add the next bytes. NotReady (`state-too-large`) once there are too many."""
        self._size += len(piece)
        if self._size > self._most:
            raise NotReady(
                f"The bot's state takes more than {size_words(self._most)}, so there is no "
                "snapshot of it.",
                hint="Raise `snapshot_most` under [state] in its template, or set `snapshot` to "
                "false there.",
                code="state-too-large",
            )
        self._digest.update(piece)
        with storage("A snapshot can't be written"):
            self._file.write(piece)

    def finish(self) -> Snapshot:
        """Have it on the disk for good, under its name."""
        with storage("A snapshot can't be written"):
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            whole = self._home / f"{self._name}.{_short(self._digest)}.tar"
            self._unfinished.rename(whole)
            _sync(self._home)
            found = _snapshot_of(whole)
        assert found is not None, "it was just written"
        return found

    def discard(self) -> None:
        """Leave nothing of it."""
        with contextlib.suppress(OSError):  # what couldn't be written can't be flushed either
            self._file.close()
        self._unfinished.unlink(missing_ok=True)


class SnapshotFiles:
    """The snapshots of all bots, below one folder that only the controller reads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def listed(self, bot_id: str) -> list[Snapshot]:
        """A bot's snapshots, oldest first."""
        home = self._folder / bot_id
        with storage("The snapshots can't be read"):
            names = [entry.name for entry in home.iterdir()] if home.is_dir() else []
            found = [_snapshot_of(home / name) for name in names]
        return sorted(filter(None, found), key=lambda one: one.number)

    def begin(self, bot_id: str, why: str, release: int, most: int) -> Archive:
        """A new snapshot, which is there once it's finished."""
        home = self._folder / bot_id
        number = next_number(self.listed(bot_id))
        with storage("A snapshot can't be written"):
            for folder in (self._folder, home):
                folder.mkdir(mode=0o700, exist_ok=True)
            return Archive(home, why, release, number, most)

    def archive(self, bot_id: str, number: int) -> Path | None:
        """The file of a snapshot, if it's there with every byte that was written."""
        path = self._path(bot_id, number)
        with storage("A snapshot can't be read"):
            return path if path is not None and _is_whole(path) else None

    def remove(self, bot_id: str, snapshot: Snapshot) -> None:
        """Remove one; success when it's gone."""
        with storage("A snapshot can't be removed"):
            path = self._path(bot_id, snapshot.number)
            if path is not None:
                path.unlink(missing_ok=True)

    def _path(self, bot_id: str, number: int) -> Path | None:
        found = self._folder.joinpath(bot_id).glob(f"{number}.*.tar")
        return next((path for path in found if _NAME.fullmatch(path.name)), None)

    def drop(self, bot_id: str) -> None:
        """Remove all that there is of a bot; success when it's gone."""
        shutil.rmtree(self._folder / bot_id, ignore_errors=True)

    def sweep(self) -> None:
        """Remove what a controller that died left half-written."""
        for unfinished in self._folder.glob(f"*/{_UNFINISHED}"):
            unfinished.unlink(missing_ok=True)


def _snapshot_of(path: Path) -> Snapshot | None:
    match = _NAME.fullmatch(path.name)
    if match is None:
        return None
    about = path.stat()
    return Snapshot(
        number=int(match[1]),
        release=int(match[2]),
        why=match[3],
        at=about.st_mtime,
        size=about.st_size,
    )


def _is_whole(path: Path) -> bool:
    match, digest = _NAME.fullmatch(path.name), hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            digest.update(piece)
    return match is not None and match[4] == _short(digest)


def _short(digest: hashlib._Hash) -> str:
    return digest.hexdigest()[:32]


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""Writes a backup: beside its place, encrypted, and there under its name only when it's complete.

Blocking: for a thread. No plain text touches the disk; a kill leaves an encrypted, nameless rest.
"""

from __future__ import annotations

import hashlib
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from controller.backups.contents import (
    HEADER,
    MANIFEST,
    Header,
    ListedBot,
    ListedFile,
    Manifest,
    limit_of,
)
from controller.backups.encryption import Locks, seal
from controller.backups.tape import END, pack
from controller.domain.disk_words import storage
from controller.domain.errors import Conflict, StorageTrouble

Item = tuple[str, bytes]  # a file's name in the archive, and its content
_TEMP = ".tmp"


@dataclass(frozen=True, slots=True)
class Written:
    """A backup that is complete and on the disk."""

    path: Path
    size: int  # bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """What the manifest tells beside the files; asked for when the last item was taken."""

    bots: tuple[ListedBot, ...]
    journal_entries: int
    journal_head: str


def write(
    path: Path,
    header: Header,
    items: Iterable[Item],
    story: Callable[[], Story],
    locks: Locks,
) -> Written:
    """Write the backup to a path that doesn't exist yet.

    Raises Conflict (`backup-exists`), BadInput, StorageTrouble; nothing is left there then.
    """
    if path.exists() or path.is_symlink():
        raise _exists(path)
    temp = path.with_name(f".{path.name}{_TEMP}")
    with storage(f"The backup {path} can't be written"):
        sweep(path.parent)
        handle = os.open(temp, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                seal(_archive(header, items, story), cast(BinaryIO, file), locks)
                file.flush()
                os.fsync(file.fileno())
                size = file.tell()
            os.link(temp, path)  # unlike a rename, it never replaces a file
        except FileExistsError:
            raise _exists(path) from None
        finally:
            temp.unlink(missing_ok=True)
        _sync(path.parent)
    return Written(path, size)


def sweep(folder: Path) -> int:
    """Remove what a kill in the middle of a backup left in the folder; returns how many files."""
    left = [one for one in folder.glob(f".botmaker-*.age{_TEMP}") if _is_plain(one)]
    for one in left:
        one.unlink(missing_ok=True)
    return len(left)


def _is_plain(path: Path) -> bool:
    return stat.S_ISREG(path.lstat().st_mode)


def _exists(path: Path) -> Conflict:
    return Conflict(f"{path} exists already.", hint="Choose another name.", code="backup-exists")


def _archive(header: Header, items: Iterable[Item], story: Callable[[], Story]) -> Iterator[bytes]:
    at, listed = int(header.created_at), []
    yield from pack(HEADER, header.model_dump_json().encode(), at)
    for name, data in items:
        limit = limit_of(name)
        if limit is None or len(data) > limit:
            raise StorageTrouble(
                f"{name} is too large for a backup, or has a name that a restore would refuse.",
                hint="Move it away, then try again.",
                code="backup-too-large",
            )
        digest = hashlib.sha256(data).hexdigest()
        listed.append(ListedFile(name=name, size=len(data), sha256=digest))
        yield from pack(name, data, at)
    told = story()
    manifest = Manifest(
        files=tuple(listed),
        bots=told.bots,
        journal_entries=told.journal_entries,
        journal_head=told.journal_head,
    )
    yield from pack(MANIFEST, manifest.model_dump_json().encode(), at)
    yield END


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

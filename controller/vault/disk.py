"""Open folders, and files that are either complete or absent. `files` decides what is kept where.

Every name is opened relative to an open folder, and never through a symlink.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from controller.domain.disk_words import storage as storage  # noqa: PLC0414 - used with this
from controller.domain.disk_words import trouble as trouble  # noqa: PLC0414 - module's others

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# NONBLOCK, or opening a pipe would hang.
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC

_thread = threading.local()


@contextmanager
def working_while(wanted: Callable[[], bool]) -> Iterator[None]:
    """What this thread does in the block takes effect only while somebody wants it."""
    _thread.wanted = wanted
    try:
        yield
    finally:
        del _thread.wanted


def require_wanted() -> None:
    """Raise OSError if nobody wants the work of this thread any more.

    Called right before a change takes effect: on a disk that hung, whoever asked was told so long
    ago, and a newer value may be there.
    """
    if not getattr(_thread, "wanted", lambda: True)():
        raise OSError(errno.ETIMEDOUT, os.strerror(errno.ETIMEDOUT))


@contextmanager
def folder(path: str | Path, inside: int | None = None) -> Iterator[int]:
    """Open a folder for the length of the block; OSError if it is a symlink or a file."""
    handle = os.open(path, _FOLDER, dir_fd=inside)
    try:
        yield handle
    finally:
        os.close(handle)


def temp_name(name: str) -> str:
    """A temporary name for a file that will be renamed to `name`; `is_temp` recognises it."""
    return f".{name}.{secrets.token_hex(8)}.tmp"


def is_temp(name: str) -> bool:
    """Whether a file of this name belongs to an unfinished write."""
    return name.startswith(".") and name.endswith(".tmp")


def write_new(name: str, data: bytes, inside: int, owner: tuple[int, int] | None = None) -> None:
    """Create a file of mode 0600, on disk when this returns; a failure leaves nothing behind."""
    handle = os.open(name, _NEW, 0o600, dir_fd=inside)
    try:
        try:
            _write_all(handle, data)
            hand_over(handle, 0o600, owner)
            os.fsync(handle)
        finally:
            os.close(handle)
    except BaseException:
        discard(name, inside)
        raise


def hand_over(handle: int, mode: int, owner: tuple[int, int] | None) -> None:
    """Set mode and owner where they differ: the mode first, while the file is still ours."""
    seen = os.fstat(handle)
    if seen.st_mode & 0o7777 != mode:
        os.fchmod(handle, mode)
    if owner is not None and (seen.st_uid, seen.st_gid) != owner:
        os.fchown(handle, *owner)


def _write_all(handle: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]


def read_small(name: str, inside: int, limit: int) -> bytes | None:
    """The content of a regular file of at most `limit` bytes, else None."""
    try:
        handle = os.open(name, READ, dir_fd=inside)
    except OSError as error:
        if error.errno in {errno.ENOENT, errno.ELOOP, errno.ENXIO}:
            return None
        raise
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return None
        with os.fdopen(os.dup(handle), "rb") as file:
            data = file.read(limit + 1)
        return data if len(data) <= limit else None
    finally:
        os.close(handle)


def names_in(handle: int) -> list[str]:
    """The names of everything in an open folder."""
    with os.scandir(handle) as entries:
        return [entry.name for entry in entries]


def discard(name: str, inside: int) -> None:
    """Unlink it if possible, without an error: for cleaning up while another error is raised."""
    with suppress(OSError):
        os.unlink(name, dir_fd=inside)

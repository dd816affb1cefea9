"""Errors of files and folders in words: one wrapper for whatever touches the disk.

Besides OSError, a path with a NUL character raises ValueError, and a file in another encoding
UnicodeError. All three are a person's to fix, so each becomes one sentence.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from controller.domain.errors import BadSetting, ControllerError, StorageTrouble

FAULTS = (OSError, ValueError)  # UnicodeError is a ValueError

_FULL = ("the disk is full", "Free some space on it, then try again.", "disk-full")
_MAY_NOT = (
    "permission denied",
    "Give that folder to the user that BotMaker runs as, with mode 0700.",
    "not-permitted",
)
_NOT_A_FOLDER = (
    "a symlink or a file is where a folder should be",
    "Find out who put it there, remove it and try again.",
    "not-a-folder",
)
_CAUSES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.EACCES: _MAY_NOT,
    errno.EPERM: _MAY_NOT,
    errno.ENOTDIR: _NOT_A_FOLDER,
    errno.ELOOP: _NOT_A_FOLDER,
    errno.EEXIST: _NOT_A_FOLDER,
    errno.EROFS: (
        "the file system is read-only",
        "Mount it writable, then try again.",
        "read-only",
    ),
    errno.ENOENT: ("the folder is gone", "Restart BotMaker: it creates the folder again.", "gone"),
    errno.EISDIR: (
        "a folder is where a file should be",
        "Find out who put it there, remove it and try again.",
        "not-a-file",
    ),
}


def trouble(what: str, error: OSError) -> StorageTrouble:
    """Put a disk error into words: what failed, why, and what to do."""
    why, hint, code = _CAUSES.get(
        error.errno or 0,
        (
            error.strerror or "the disk refused it",
            "Check the machine's disk and its system log.",
            "storage",
        ),
    )
    return StorageTrouble(f"{what}: {why}.", hint=hint, code=code)


@contextmanager
def storage(what: str) -> Iterator[None]:
    """Turn every OSError in the block into a StorageTrouble whose message begins with `what`."""
    try:
        yield
    except OSError as error:
        raise trouble(what, error) from error


@contextmanager
def starting(what: str, hint: str, *, code: str | None = None) -> Iterator[None]:
    """Turn every fault of a file or folder in the block into a BadSetting: "`what`: why. `hint`".

    A ControllerError passes as it is.
    """
    try:
        yield
    except ControllerError:
        raise
    except FAULTS as error:
        raise BadSetting(f"{what}: {reason(error)}.", hint=hint, code=code) from None


def read_begin(file: Path, limit: int) -> bytes:
    """At most `limit` bytes from a file's beginning. Never waits for a pipe."""
    handle = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        return os.read(handle, limit)
    finally:
        os.close(handle)


def reason(error: OSError | ValueError) -> str:
    """Why a file or folder can't be used, in a few words and without its content."""
    if isinstance(error, UnicodeError):
        return "it isn't UTF-8 text"
    if isinstance(error, OSError):
        return error.strerror or "the disk refused it"
    return "it has a NUL character" if "null" in str(error) else "it can't be used"

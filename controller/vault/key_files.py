"""The installation's own keys: 32 bytes each, in files of the data folder, private, made once."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path

from controller.domain.disk_words import read_begin
from controller.domain.errors import NotReady, StorageTrouble
from controller.vault import disk

INSTALL_KEY = "install.key"  # makes fingerprints and chains the journal
MASTER_KEY = "master.key"  # opens what is sealed
NEXT_MASTER_KEY = "master.next.key"  # while everything is being sealed again
GIVEN_MAX = 4096  # bytes of a file that somebody else made
_KEY_BYTES = 32


def install_key(data_dir: Path) -> bytes:
    """This installation's key, created by the first call; simultaneous first calls get the same.

    Raises StorageTrouble when the key can't be read or created, or isn't 32 bytes long.
    """
    return made_once(data_dir, INSTALL_KEY)


def master_key(data_dir: Path, given: Path | None = None) -> bytes:
    """The key behind everything that is sealed: from the `given` file, else one of our own.

    The given file has 32 bytes, as they are or in hex. Raises StorageTrouble as `install_key`.
    """
    if given is None:
        return made_once(data_dir, MASTER_KEY)
    with disk.storage(f"BOTMAKER_MASTER_KEY_FILE, {given}, can't be read"):
        data = read_begin(given, GIVEN_MAX)
    key = _from_hex(data) if len(data) != _KEY_BYTES else data
    if key is None:
        raise StorageTrouble(
            f"BOTMAKER_MASTER_KEY_FILE, {given}, isn't a master key.",
            hint="It must hold 32 bytes, or 64 hex digits: `openssl rand -hex 32` makes some.",
            code="bad-master-key",
        )
    return key


def _from_hex(data: bytes) -> bytes | None:
    try:
        key = bytes.fromhex(data.decode("ascii").strip())
    except ValueError:
        return None
    return key if len(key) == _KEY_BYTES else None


def made_once(data_dir: Path, file: str) -> bytes:
    """The key in that file of the data folder, made by the first call. Raises StorageTrouble."""
    what = f"This installation's key, {data_dir / file}, can't be read or created"
    with disk.storage(what):
        os.makedirs(data_dir, 0o700, exist_ok=True)  # noqa: PTH103 - Path.mkdir follows umask
        with disk.folder(data_dir.resolve()) as home:
            key = _read(home, file)
            if key is None:
                _make(home, file)
                key = _read(home, file)
            _sweep(home, file)
    return _checked(data_dir / file, key)


def known_key(data_dir: Path) -> bytes:
    """The key as `install_key` returns it, where one exists; NotReady where none does.

    Changes nothing.
    """
    return _known(data_dir, INSTALL_KEY)


def known_master_key(data_dir: Path, given: Path | None = None) -> bytes:
    """The key as `master_key` returns it, where one exists; NotReady where none does.

    Changes nothing.
    """
    return _known(data_dir, MASTER_KEY) if given is None else master_key(data_dir, given)


def _known(data_dir: Path, file: str) -> bytes:
    what = f"This installation's key, {data_dir / file}, can't be read"
    try:
        with disk.storage(what), disk.folder(data_dir.resolve()) as home:
            key = disk.read_small(file, home, _KEY_BYTES)
            absent = key is None and file not in disk.names_in(home)
    except StorageTrouble as error:
        if error.code != "gone":
            raise
        absent, key = True, None
    if absent:
        raise NotReady(
            f"There is no key {data_dir / file} yet, or no longer.",
            hint="The first start creates it. If it was lost, restore it from a backup.",
        )
    return _checked(data_dir / file, key)


def _checked(place: Path, key: bytes | None) -> bytes:
    if key is None or len(key) != _KEY_BYTES:
        lost = (
            "fingerprints then differ from those shown before"
            if place.name == INSTALL_KEY
            else "what was sealed before can then be opened no more"
        )
        raise StorageTrouble(
            f"{place} isn't a BotMaker key.",
            hint="Restore it from a backup. If there is none, remove it: BotMaker creates a new "
            f"one, and {lost}.",
            code="bad-install-key",
        )
    return key


def _read(home: int, file: str) -> bytes | None:
    """The key; empty when something else is in its place, None when nothing is."""
    try:
        seen = os.stat(file, dir_fd=home, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if seen.st_mode & 0o077 and seen.st_uid == os.geteuid():
        _tighten(home, file)
    return disk.read_small(file, home, _KEY_BYTES) or b""


def _tighten(home: int, file: str) -> None:
    try:
        handle = os.open(file, disk.READ, dir_fd=home)
    except OSError as error:
        if error.errno == errno.ELOOP:
            return
        raise
    try:
        os.fchmod(handle, 0o600)
    finally:
        os.close(handle)


def _make(home: int, file: str) -> None:
    """Create the key. By link, not rename: a link fails if the name exists, so the first stays."""
    temp = disk.temp_name(file)
    disk.write_new(temp, secrets.token_bytes(_KEY_BYTES), home)
    try:
        os.link(temp, file, src_dir_fd=home, dst_dir_fd=home, follow_symlinks=False)
    except (FileExistsError, FileNotFoundError):
        pass  # another call was first, and may have swept our file away
    finally:
        disk.discard(temp, home)
    os.fsync(home)


def _sweep(home: int, file: str) -> None:
    for name in disk.names_in(home):
        if name.startswith(f".{file}.") and disk.is_temp(name):
            disk.discard(name, home)

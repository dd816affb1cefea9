"""Fingerprints: how a secret is shown. Ten digits of a keyed hash, never part of the value."""

from __future__ import annotations

import errno
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from controller.domain.errors import NotReady, StorageTrouble
from controller.vault import disk

_KEY_FILE = "install.key"
_KEY_BYTES = 32


class Fingerprints:
    """Makes the fingerprints of one installation."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __call__(self, name: str, value: str) -> str:
        """Ten hex digits such as `a1b2c-d3e4f`, always the same for the same name and value."""
        text = name.encode() + b"\0" + value.encode("utf-8", "surrogatepass")
        digits = hmac.new(self._key, text, hashlib.sha256).hexdigest()
        return f"{digits[:5]}-{digits[5:10]}"

    def of_value(self, value: str) -> str:
        """A keyed hash of the value alone, whatever it's called: to find the same value again."""
        key = derived_key(self._key, "value")
        return hmac.new(key, value.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def derived_key(key: bytes, purpose: str) -> bytes:
    """A key of its own for another purpose; it tells nothing about the first one."""
    return hmac.new(key, purpose.encode(), hashlib.sha256).digest()


def journal_key(key: bytes) -> bytes:
    """The key that chains the journal, made from the installation's own."""
    return derived_key(key, "journal")


def install_key(data_dir: Path) -> bytes:
    """This installation's key, created by the first call; simultaneous first calls get the same.

    Raises StorageTrouble when the key can't be read or created, or isn't 32 bytes long.
    """
    what = f"This installation's key, {data_dir / _KEY_FILE}, can't be read or created"
    with disk.storage(what):
        os.makedirs(data_dir, 0o700, exist_ok=True)  # noqa: PTH103 - Path.mkdir follows umask
        with disk.folder(data_dir.resolve()) as home:
            key = _read(home)
            if key is None:
                _make(home)
                key = _read(home)
            _sweep(home)
    return _checked(data_dir, key)


def known_key(data_dir: Path) -> bytes:
    """The key as `install_key` returns it, where one exists; NotReady where none does.

    Changes nothing.
    """
    what = f"This installation's key, {data_dir / _KEY_FILE}, can't be read"
    try:
        with disk.storage(what), disk.folder(data_dir.resolve()) as home:
            key = disk.read_small(_KEY_FILE, home, _KEY_BYTES)
            absent = key is None and _KEY_FILE not in disk.names_in(home)
    except StorageTrouble as error:
        if error.code != "gone":
            raise
        absent, key = True, None
    if absent:
        raise NotReady(
            f"There is no key {data_dir / _KEY_FILE} yet, or no longer.",
            hint="The first start creates it. If it was lost, restore it from a backup.",
        )
    return _checked(data_dir, key)


def _checked(data_dir: Path, key: bytes | None) -> bytes:
    if key is None or len(key) != _KEY_BYTES:
        raise StorageTrouble(
            f"{data_dir / _KEY_FILE} isn't a BotMaker key.",
            hint="Restore it from a backup. If there is none, remove it: BotMaker creates a new "
            "one, and fingerprints then differ from those shown before.",
            code="bad-install-key",
        )
    return key


def _read(home: int) -> bytes | None:
    """The key; empty when something else is in its place, None when nothing is."""
    try:
        seen = os.stat(_KEY_FILE, dir_fd=home, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if seen.st_mode & 0o077 and seen.st_uid == os.geteuid():
        _tighten(home)
    return disk.read_small(_KEY_FILE, home, _KEY_BYTES) or b""


def _tighten(home: int) -> None:
    try:
        handle = os.open(_KEY_FILE, disk.READ, dir_fd=home)
    except OSError as error:
        if error.errno == errno.ELOOP:
            return
        raise
    try:
        os.fchmod(handle, 0o600)
    finally:
        os.close(handle)


def _make(home: int) -> None:
    """Create the key. By link, not rename: a link fails if the name exists, so the first stays."""
    temp = disk.temp_name(_KEY_FILE)
    disk.write_new(temp, secrets.token_bytes(_KEY_BYTES), home)
    try:
        os.link(temp, _KEY_FILE, src_dir_fd=home, dst_dir_fd=home, follow_symlinks=False)
    except (FileExistsError, FileNotFoundError):
        pass  # another call was first, and may have swept our file away
    finally:
        disk.discard(temp, home)
    os.fsync(home)


def _sweep(home: int) -> None:
    for name in disk.names_in(home):
        if name.startswith(f".{_KEY_FILE}.") and disk.is_temp(name):
            disk.discard(name, home)

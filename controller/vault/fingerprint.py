"""Fingerprints: how a secret is shown. Ten digits of a keyed hash, never a part of the value."""

from __future__ import annotations

import errno
import hashlib
import hmac
import os
import secrets
from pathlib import Path

from controller.domain.errors import StorageTrouble
from controller.vault import disk

_KEY_FILE = "install.key"
_KEY_BYTES = 32


class Fingerprints:
    """Makes the fingerprints of one installation."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def __call__(self, name: str, value: str) -> str:
        """Ten hex digits like `a1b2c-d3e4f`: the same for the same name and value."""
        text = name.encode() + b"\0" + value.encode("utf-8", "surrogatepass")
        digits = hmac.new(self._key, text, hashlib.sha256).hexdigest()
        return f"{digits[:5]}-{digits[5:10]}"


def derived_key(key: bytes, purpose: str) -> bytes:
    """A key of its own for another purpose; it tells nothing about the first one."""
    return hmac.new(key, purpose.encode(), hashlib.sha256).digest()


def install_key(data_dir: Path) -> bytes:
    """This installation's key, made at the first call; of two first calls both get the same."""
    what = f"The key of this installation, {data_dir / _KEY_FILE}, cannot be read or made"
    with disk.storage(what):
        os.makedirs(data_dir, 0o700, exist_ok=True)  # noqa: PTH103 - Path.mkdir follows umask
        with disk.folder(data_dir.resolve()) as home:
            key = _read(home)
            if key is None:
                _make(home)
                key = _read(home)
            _sweep(home)
    if key is None or len(key) != _KEY_BYTES:
        raise StorageTrouble(
            f"{data_dir / _KEY_FILE} is not a key of this program.",
            hint="Put it back from a backup. If there is none, remove it: fingerprints shown from "
            "then on differ from those shown before.",
            code="bad-install-key",
        )
    return key


def _read(home: int) -> bytes | None:
    """The key, empty when something else stands in its place, None when nothing does."""
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
    """A link does not replace a name as a rename does: so the first key stays."""
    temp = disk.temp_name(_KEY_FILE)
    disk.write_new(temp, secrets.token_bytes(_KEY_BYTES), home)
    try:
        os.link(temp, _KEY_FILE, src_dir_fd=home, dst_dir_fd=home, follow_symlinks=False)
    except (FileExistsError, FileNotFoundError):
        pass  # somebody else was first, and may have swept our file away
    finally:
        disk.remove(temp, home)
    os.fsync(home)


def _sweep(home: int) -> None:
    for name in disk.listing(home):
        if name.startswith(f".{_KEY_FILE}.") and disk.is_temp(name):
            disk.remove(name, home)

"""What the doctor needs of the secrets folder: a look, and a trial that leaves it as it was."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from controller.vault import disk
from controller.vault.files import Owner, Vault

NAME = "canary"


@dataclass(frozen=True, slots=True)
class Canary:
    """A made-up secret, stored as a bot's would be."""

    folder: Path
    owner: Owner
    value: str = field(repr=False)


@contextmanager
def untouched(root: Path) -> Iterator[int]:
    """The open root; what is created and removed in the block leaves its times as they were."""
    with disk.folder(root) as handle:
        before = os.fstat(handle)
        try:
            yield handle
        finally:
            with suppress(OSError):  # read-only: nothing has changed
                os.utime(handle, ns=(before.st_atime_ns, before.st_mtime_ns))


def store_canary(vault: Vault, user: str) -> Canary:
    """Store a canary for a container whose template asks for this user. Blocking.

    Its name is that of a probe: the next start sweeps it away if `remove_canary` never ran.
    """
    name, value = disk.temp_name("probe"), secrets.token_hex(16)
    what = f"The secrets folder {vault.root} can't be used"
    with disk.storage(what), untouched(vault.root) as root:
        owner = vault.owner_for(user)
        os.mkdir(name, 0o700, dir_fd=root)
        try:
            with disk.folder(name, root) as home:
                disk.hand_over(home, 0o700, owner)
                disk.write_new(NAME, value.encode(), home, owner)
        except BaseException:
            _remove(name, root)
            raise
    return Canary(vault.root / name, owner, value)


def remove_canary(canary: Canary) -> None:
    """Remove the canary. Blocking."""
    what = f"{canary.folder} couldn't be removed"
    with disk.storage(what), untouched(canary.folder.parent) as root:
        _remove(canary.folder.name, root)


def _remove(name: str, root: int) -> None:
    with disk.folder(name, root) as home:
        for entry in disk.names_in(home):
            os.unlink(entry, dir_fd=home)
    os.rmdir(name, dir_fd=root)

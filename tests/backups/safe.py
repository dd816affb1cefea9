"""A backup of an installation without an engine, and places to restore it into."""

from __future__ import annotations

import io
import os
from collections.abc import Sequence
from pathlib import Path

import pyrage

from controller.backups import Item, Keys, Locks, keys_from, locks_from
from controller.backups.contents import MANIFEST
from controller.backups.encryption import seal
from controller.backups.tape import END, pack
from controller.domain.access import CONSOLE
from controller.fleet.journal import Caller
from controller.manager.backups import BackupOrder
from controller.manager.restore_places import Places
from controller.manager.restoring import restore, verify
from tests.manager.rig import Rig

IDENTITY = pyrage.x25519.Identity.generate()
RECIPIENT = str(IDENTITY.to_public())
KEYS = keys_from(str(IDENTITY))
LOCKS = locks_from([RECIPIENT])
CONSOLE_ASKS = Caller(CONSOLE)


async def backed_up(
    rig: Rig, name: str = "copy.age", locks: Locks = LOCKS, *, volumes: bool = False
) -> Path:
    """The installation's backup, made by its controller."""
    path = rig.folder / name
    order = BackupOrder(
        recipients=locks.recipients, passphrase=locks.passphrase, out=str(path), volumes=volumes
    )
    await rig.manager.backups.write(CONSOLE_ASKS, order)
    return path


def empty(folder: Path) -> Places:
    """Places that don't exist yet."""
    return Places(folder / "data", folder / "secrets", folder / "templates")


async def restored(file: Path, places: Places, keys: Keys = KEYS, *, start: bool = False) -> None:
    """Restore it there."""
    with file.open("rb") as opened:
        found = verify(opened, keys)
        await restore(opened, keys, found, places, start=start)


def everything(folder: Path) -> dict[str, bytes | str]:
    """All that is in a folder: the content of files, and what else there is."""
    if not folder.exists():
        return {}
    return {
        str(path.relative_to(folder)): path.read_bytes()
        if path.is_file() and not path.is_symlink()
        else oct(os.lstat(path).st_mode)
        for path in sorted(folder.rglob("*"))
    }


def plain(file: Path, keys: Keys = KEYS) -> bytes:
    """What is inside, decrypted."""
    out = io.BytesIO()
    with file.open("rb") as opened:
        from controller.backups.encryption import unseal

        unseal(opened, out.write, keys)
    return out.getvalue()


def sealed(data: bytes, path: Path, locks: Locks = LOCKS) -> Path:
    """Anything at all, encrypted as a backup is."""
    with path.open("wb") as file:
        seal(iter([data]), file, locks)
    return path


def archive(items: Sequence[Item]) -> bytes:
    """Files of any name as an archive."""
    return b"".join(b"".join(pack(name, data, 0)) for name, data in items) + END


def items_of(data: bytes) -> list[Item]:
    """The files of an archive, with its first and its last."""
    found: list[Item] = []

    class Sink:
        def begin(self, name: str, size: int) -> None:
            found.append((name, b""))

        def take(self, piece: bytes) -> None:
            name, before = found.pop()
            found.append((name, before + piece))

        def end(self) -> None:
            pass

    from controller.backups.tape import Unpacking

    unpacking = Unpacking(Sink())
    unpacking.take(data)
    unpacking.finish()
    assert found[-1][0] == MANIFEST
    return found

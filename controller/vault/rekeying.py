"""Another master key: everything that is sealed is sealed again. While no controller runs.

Killed at any point, nothing is lost: until all is done both keys are there and both open, and the
next `rekey` goes on with the same new key.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from controller.vault import disk
from controller.vault.at_rest import AtRest
from controller.vault.key_files import (
    MASTER_KEY,
    NEXT_MASTER_KEY,
    known_master_key,
    made_once,
    master_key,
)

FILE_MAX = 4 << 20  # bytes


def masters(data_dir: Path, given: Path | None = None) -> tuple[bytes, ...]:
    """The master keys that open what is sealed: one, or two after a `rekey` that was cut short.

    The first one seals. Makes the key that isn't there yet.
    """
    own = master_key(data_dir, given)
    if given is not None or not (data_dir / NEXT_MASTER_KEY).exists():
        return (own,)
    return own, made_once(data_dir, NEXT_MASTER_KEY)


def rekey(data_dir: Path, folders: Iterable[Path], given: Path | None, former: Path | None) -> int:
    """Seal everything in these folders again; how many files that were. Blocking.

    Without a given key BotMaker's own one is replaced. With one, that is the new key. `former` is
    the file of the one before; without it, that was BotMaker's own. What no key opens is left.
    """
    old = known_master_key(data_dir, former)
    if given is not None:
        return _sealed_again(folders, AtRest((master_key(data_dir, given), old)))
    new = made_once(data_dir, NEXT_MASTER_KEY)
    count = _sealed_again(folders, AtRest((new, old)))
    with disk.storage("The new master key could not be put in place"):
        (data_dir / NEXT_MASTER_KEY).rename(data_dir / MASTER_KEY)
        with disk.folder(data_dir.resolve()) as home:
            os.fsync(home)
    return count


def _sealed_again(folders: Iterable[Path], box: AtRest) -> int:
    count = 0
    for place in folders:
        with disk.storage(f"What is sealed in {place} could not be sealed again"):
            if not place.is_dir():
                continue
            with disk.folder(place.resolve()) as home:
                for name in disk.names_in(home):
                    count += _file_again(name, home, box)
                os.fsync(home)
    return count


def _file_again(name: str, home: int, box: AtRest) -> int:
    sealed = None if disk.is_temp(name) else disk.read_small(name, home, FILE_MAX)
    plain = box.open(sealed, name) if sealed is not None else None
    if plain is None:
        return 0
    temp = disk.temp_name(name)
    disk.write_new(temp, box.seal(plain, name), home)
    try:
        os.rename(temp, name, src_dir_fd=home, dst_dir_fd=home)
    except OSError:
        disk.discard(temp, home)
        raise
    return 1

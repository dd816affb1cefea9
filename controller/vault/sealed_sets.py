"""Former sets of secrets, sealed until the set that replaced them has proved itself.

One private file a set, named by the bot and the set's number, in a folder of the controller's own;
no container sees them. Blocking: for a thread.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from controller.domain.errors import BadInput
from controller.domain.names import is_bot_id
from controller.vault import disk
from controller.vault.at_rest import AtRest

SETS = "sets"  # the folder, in the data folder
FILE_MAX = 4 << 20  # bytes
_NAME = re.compile(r"(?P<bot>[0-9a-f-]{36})\.(?P<number>\d{1,9})")
_WHAT = "The former secrets of a bot"


class SealedSets:
    """The kept sets. All state is on the disk."""

    def __init__(self, folder: Path, box: AtRest) -> None:
        self.folder = folder
        self._box = box

    def keep(self, bot_id: str, number: int, values: Mapping[str, str]) -> None:
        """Keep these values as the bot's set of that number; one that is kept already stays.

        A new set may have been half-written since: then the values on the disk are no set at all.
        """
        name = _name(bot_id, number)
        with disk.storage(f"{_WHAT} could not be kept"), self._made() as home:
            if name in disk.names_in(home):
                return
            temp = disk.temp_name(name)
            disk.write_new(temp, self._box.seal(json.dumps(dict(values)).encode(), name), home)
            try:
                disk.require_wanted()
                os.rename(temp, name, src_dir_fd=home, dst_dir_fd=home)
            except OSError:
                disk.discard(temp, home)
                raise
            os.fsync(home)

    def read(self, bot_id: str, number: int) -> dict[str, str] | None:
        """The values of that set; None when it isn't kept, or can't be opened any more."""
        name = _name(bot_id, number)
        with disk.storage(f"{_WHAT} could not be read"), self._home() as home:
            data = disk.read_small(name, home, FILE_MAX) if home is not None else None
        plain = self._box.open(data, name) if data is not None else None
        if plain is None:
            return None
        found: dict[str, str] = json.loads(plain)
        return found

    def drop(self, bot_id: str) -> None:
        """Destroy every set that is kept of the bot. Fine if there is none."""
        self._remove(lambda name: name.startswith(f"{bot_id}.") and bool(_NAME.fullmatch(name)))

    def sweep(self, wanted: Callable[[str, int], bool]) -> dict[str, int]:
        """Destroy what isn't wanted any more, and what a crash left half-written.

        Returns the number of the set that is left of each bot. At the start only.
        """
        self._remove(lambda name: not _is_wanted(name, wanted))
        with disk.storage(f"{_WHAT} could not be listed"), self._home() as home:
            names = disk.names_in(home) if home is not None else []
        return {
            match["bot"]: int(match["number"]) for match in map(_NAME.fullmatch, names) if match
        }

    def _remove(self, goes: Callable[[str], bool]) -> None:
        with disk.storage(f"{_WHAT} could not be destroyed"), self._home() as home:
            gone = [name for name in disk.names_in(home) if goes(name)] if home is not None else []
            for name in gone:
                os.unlink(name, dir_fd=home)
            if gone and home is not None:
                os.fsync(home)

    @contextmanager
    def _home(self) -> Iterator[int | None]:
        if not self.folder.exists():
            yield None
            return
        with disk.folder(self.folder) as home:
            yield home

    @contextmanager
    def _made(self) -> Iterator[int]:
        os.makedirs(self.folder, 0o700, exist_ok=True)  # noqa: PTH103 - Path.mkdir follows umask
        with disk.folder(self.folder) as home:
            disk.hand_over(home, 0o700, None)
            yield home


def _name(bot_id: str, number: int) -> str:
    if not is_bot_id(bot_id):
        raise BadInput("That isn't a bot id.", code="bad-id")
    return f"{bot_id}.{number}"


def _is_wanted(name: str, wanted: Callable[[str, int], bool]) -> bool:
    match = _NAME.fullmatch(name)
    return match is not None and wanted(match["bot"], int(match["number"]))

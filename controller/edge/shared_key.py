"""The key that this controller and its Worker share: read anew for each use, so it can be replaced
while both run."""

from __future__ import annotations

from pathlib import Path

from controller.domain.disk_words import FAULTS, read_begin, reason
from controller.domain.errors import StorageTrouble
from controller.edge.signing import keys_in
from controller.fleet.threads import Threads
from controller.vault import Redactor

_FILE_MOST = 4096  # bytes


class SharedKey:
    """The file of the keys. What it holds is hidden wherever it appears."""

    def __init__(self, file: Path, threads: Threads, redactor: Redactor) -> None:
        self._file = file
        self._threads = threads
        self._redactor = redactor
        self._known: tuple[bytes, ...] = ()

    async def read(self) -> tuple[bytes, ...]:
        """The keys: the first signs, all are accepted. StorageTrouble (`edge-keys`)."""
        keys = await self._threads.secrets(self._read)
        if keys != self._known:
            self._known = keys
            self._redactor.learn("edge", [key.decode() for key in keys])
        return keys

    def _read(self) -> tuple[bytes, ...]:
        try:
            return keys_in(read_begin(self._file, _FILE_MOST).decode("ascii", "replace"))
        except FAULTS as error:
            why = reason(error)
        except ValueError as error:
            why = str(error)
        raise StorageTrouble(
            f"BOTMAKER_EDGE_KEYS_FILE can't be used: {why}.",
            hint="`botmaker edge init` creates one.",
            code="edge-keys",
        )

"""The archive's plain form: a tar of plain files, written and read piece by piece.

The reader takes only what the writer writes. Links, folders, devices and extended headers are
refused by their type, before a name in them is looked at.
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from controller.backups.encryption import damaged

BLOCK = tarfile.BLOCKSIZE
END = bytes(2 * BLOCK)
NAME_MAX = 99  # characters; longer ones would need an extended header


class Sink(Protocol):
    """What is done with the archive's files, in their order."""

    def begin(self, name: str, size: int) -> None:
        """A file of that name and size begins. May refuse it."""
        ...

    def take(self, piece: bytes) -> None:
        """The next bytes of it."""
        ...

    def end(self) -> None:
        """All of it was taken."""
        ...


def pack(name: str, data: bytes, at: int) -> Iterator[bytes]:
    """One file of the archive. `at`: seconds since the epoch."""
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode, entry.mtime = len(data), 0o600, at
    yield entry.tobuf(tarfile.USTAR_FORMAT)
    yield data
    if len(data) % BLOCK:
        yield bytes(BLOCK - len(data) % BLOCK)


@dataclass(slots=True)
class Unpacking:
    """Takes the archive's bytes as they come, and gives its files to a sink."""

    sink: Sink
    _held: bytes = b""
    _left: int = 0  # bytes of the present file
    _padding: int = 0
    _inside: bool = False
    _ended: bool = False

    def take(self, piece: bytes) -> None:
        """The next bytes of the archive. Raises StorageTrouble where they make no sense."""
        view = memoryview(piece)
        while view:
            if self._left:
                part = view[: self._left]
                self.sink.take(bytes(part))
                self._left -= len(part)
                view = view[len(part) :]
            elif self._padding:
                skipped = min(self._padding, len(view))
                if any(view[:skipped]):
                    raise damaged("there is something between its files")
                self._padding -= skipped
                view = view[skipped:]
            else:
                view = self._header(view)
            self._finish_file()

    def finish(self) -> None:
        """The archive's bytes are over. Raises StorageTrouble if it isn't complete."""
        if not self._ended or self._held:
            raise damaged("its end is missing")

    def _finish_file(self) -> None:
        if self._inside and not self._left:
            self._inside = False
            self.sink.end()

    def _header(self, view: memoryview) -> memoryview:
        wanted = (len(END) if self._ended or self._held[:1] == b"\0" else BLOCK) - len(self._held)
        self._held += bytes(view[:wanted])
        view = view[wanted:]
        if self._ended:
            raise damaged("there is something behind its end")
        if self._held[:1] == b"\0":
            if self._held == END:
                self._ended, self._held = True, b""
            elif self._held.strip(b"\0"):
                raise damaged("a file has no name")
            return view
        if len(self._held) == BLOCK:
            block, self._held = self._held, b""
            self._begin(block)
        return view

    def _begin(self, block: bytes) -> None:
        try:
            entry = tarfile.TarInfo.frombuf(block, "ascii", "strict")
        except (tarfile.HeaderError, ValueError) as error:
            raise damaged("a file's header makes no sense") from error
        if entry.type != tarfile.REGTYPE or entry.linkname:
            raise damaged("it has something in it that isn't a plain file")
        if entry.size < 0:
            raise damaged("a file has no size")
        self._left, self._inside = entry.size, True
        self._padding = -entry.size % BLOCK
        self.sink.begin(entry.name, entry.size)

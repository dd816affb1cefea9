"""BotMaker's log in a file of its own, bounded in size and in age.

A thread writes it, so the event loop never waits for the disk. When the file is full, or a day
(UTC) has passed, it is put aside under the time of its last line, like
`botmaker.log.20261128-084500-000000`, and a new one begins. All parts together take what the
settings allow, and none is older than they allow.
"""

from __future__ import annotations

import logging
import os
import queue
import re
import stat
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

log = logging.getLogger(__name__)
PARTS = 5  # that a full log has, about
WAITING_MOST = 10_000  # lines; more are dropped, and counted
CLOSING = 5.0  # seconds for the rest to be written
_STAMP = "%Y%m%d-%H%M%S-%f"
_ENDING = re.compile(r"\.\d{8}-\d{6}-\d{6}", re.ASCII)


class LogFile:
    """Takes lines from any thread and writes them. Raises OSError if the file can't be opened.

    Later trouble is said once on stderr, and what couldn't be written is counted in the file.
    """

    def __init__(
        self,
        path: Path,
        most_bytes: int,
        days: int,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._path = path
        self._most = most_bytes
        self._part = max(1, most_bytes // PARTS)
        self._days = timedelta(days=days)
        self._now = now
        self._lines: queue.Queue[str | None] = queue.Queue(WAITING_MOST)
        self._dropped = 0
        self._failing = False
        self._file = self._open()
        self._day = datetime.fromtimestamp(os.fstat(self._file).st_mtime, UTC).date()
        self._thread = threading.Thread(target=self._work, name="log file", daemon=True)
        self._thread.start()

    def put(self, line: str) -> None:
        """Have this line written. Never waits."""
        try:
            self._lines.put_nowait(line)
        except queue.Full:
            self._dropped += 1

    def close(self) -> None:
        """Write the rest and close the file."""
        try:
            self._lines.put(None, timeout=CLOSING)
        except queue.Full:
            return
        self._thread.join(CLOSING)

    def _open(self) -> int:
        # Without O_NONBLOCK a pipe would be waited for.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        handle = os.open(self._path, flags, 0o600)
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            os.close(handle)
            raise OSError(0, "it isn't a plain file")
        return handle

    def _work(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                self._write(line)
            except OSError as error:
                self._dropped += 1
                if not self._failing:
                    self._failing = True
                    log.error("the log file can't be written: %s", error.strerror)
        os.close(self._file)

    def _write(self, line: str) -> None:
        self._follow()
        data = f"{line}\n".encode(errors="replace")
        size = os.fstat(self._file).st_size
        if size and (size + len(data) > self._part or self._day != self._now().date()):
            self._turn()
        self._day = self._now().date()
        if self._dropped:
            stamp = self._now().isoformat(timespec="milliseconds")
            _write_all(self._file, f"{stamp} {self._dropped} lines are missing\n".encode())
            self._dropped = 0
        _write_all(self._file, data)
        self._failing = False

    def _follow(self) -> None:
        """Begin a new file where somebody took ours away."""
        try:
            there = self._path.stat()
        except FileNotFoundError:
            there = None
        if there is None or not os.path.samestat(there, os.fstat(self._file)):
            opened = self._open()
            os.close(self._file)
            self._file = opened

    def _turn(self) -> None:
        """Put the full file aside, begin a new one, and remove what is too much or too old."""
        self._path.rename(self._aside())
        opened = self._open()
        os.close(self._file)
        self._file = opened
        for part in self._too_many():
            part.unlink(missing_ok=True)

    def _aside(self) -> Path:
        """Its name says when its last line was written, and comes after those of all others."""
        at = datetime.fromtimestamp(os.fstat(self._file).st_mtime, UTC)
        others = older_parts(self._path)
        if others:
            stamp = others[-1].name.removeprefix(f"{self._path.name}.")
            last = datetime.strptime(stamp, _STAMP).replace(tzinfo=UTC)
            at = max(at, last + timedelta(microseconds=1))
        return Path(f"{self._path}.{at.strftime(_STAMP)}")

    def _too_many(self) -> list[Path]:
        """The parts that go: those beyond the size, and those beyond the age."""
        found = [(part, part.stat().st_size) for part in older_parts(self._path)]
        oldest = (self._now() - self._days).strftime(_STAMP)
        room = self._most - self._part  # the rest is for the file that grows
        gone = []
        for part, size in reversed(found):  # the newest first
            room -= size
            if room < 0 or part.name.removeprefix(f"{self._path.name}.") < oldest:
                gone.append(part)
        return gone


def older_parts(path: Path) -> list[Path]:
    """The parts of the log that were put aside, the oldest first."""
    begin = path.name
    names = (entry.name for entry in path.parent.iterdir() if entry.name.startswith(begin))
    return [path.with_name(n) for n in sorted(names) if _ENDING.fullmatch(n.removeprefix(begin))]


def newest_lines(path: Path, most_bytes: int) -> str:
    """The end of the log, across its parts, in whole lines. Empty where there is none."""
    found, room = [], most_bytes
    for part in [path, *reversed(older_parts(path))] if path.parent.is_dir() else []:
        try:
            with part.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - room))
                data = file.read(room)
        except FileNotFoundError:
            continue
        found.append(data.partition(b"\n")[2] if size > room else data)
        room -= len(data)
        if room <= 0:
            break
    return b"".join(reversed(found)).decode(errors="replace")


def _write_all(file: int, data: bytes) -> None:
    while data:
        data = data[os.write(file, data) :]

"""Reads what containers use from the kernel's own files, where those of the engine's are here.

A hundred containers take 5 ms this way, and a second or more through the engine. The folder of a
container has its full id in its name, so nothing else can be meant.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from controller.domain.usage import Counters

ROOT = Path("/sys/fs/cgroup")
PROC = Path("/proc")
# Where an engine puts its containers: with its own driver, and with systemd's.
_PLACES = ("docker/{}", "system.slice/docker-{}.scope")
_NO_LIMIT = 1 << 60  # bytes; kernels say so with some huge number
_TOGETHER = 25  # containers between two short pauses, so that the event loop gets its turn
_PAUSE = 0.001  # seconds


class Cgroups:
    """Reads both kinds of cgroups. Every method blocks for some 0.1 ms a container."""

    def __init__(self, root: Path = ROOT, proc: Path = PROC) -> None:
        self._root = root
        self._proc = proc
        self._unified = (root / "cgroup.controllers").exists()

    def read(self, containers: Mapping[str, str]) -> dict[str, Counters]:
        """Those that can be read here, by bot."""
        found = {}
        for number, (bot_id, container) in enumerate(containers.items(), 1):
            place = self._place(container)
            if place is not None:
                with suppress(OSError, ValueError, LookupError):  # it has ended meanwhile
                    found[bot_id] = self._counters(place)
            if number % _TOGETHER == 0:
                time.sleep(_PAUSE)
        return found

    def _place(self, container: str) -> str | None:
        base = self._root if self._unified else self._root / "memory"
        return next(
            (
                place.format(container)
                for place in _PLACES
                if (base / place.format(container)).is_dir()
            ),
            None,
        )

    def _counters(self, place: str) -> Counters:
        return self._of_two(place) if self._unified else self._of_one(place)

    def _of_one(self, place: str) -> Counters:
        """Version 1: a tree for each controller."""
        memory, cpu = self._root / "memory" / place, self._root / "cpuacct" / place
        idle = _named((memory / "memory.stat").read_text(), "total_inactive_file")
        used = _number(memory / "memory.usage_in_bytes")
        blocks = self._root / "blkio" / place / "blkio.throttle.io_service_bytes"
        read, written = _blocks(blocks)
        received, sent = self._network(memory / "cgroup.procs")
        return Counters(
            at=time.monotonic(),
            cpu=_number(cpu / "cpuacct.usage") / 1e9,
            memory=max(0, used - idle),
            limit=_limit(_number(memory / "memory.limit_in_bytes")),
            received=received,
            sent=sent,
            read=read,
            written=written,
        )

    def _of_two(self, place: str) -> Counters:
        """Version 2: one tree."""
        folder = self._root / place
        idle = _named((folder / "memory.stat").read_text(), "inactive_file")
        most = (folder / "memory.max").read_text().strip()
        read = written = None
        with suppress(OSError):
            pairs = [part.partition("=") for part in (folder / "io.stat").read_text().split()]
            read = sum(int(value) for name, _, value in pairs if name == "rbytes")
            written = sum(int(value) for name, _, value in pairs if name == "wbytes")
        received, sent = self._network(folder / "cgroup.procs")
        return Counters(
            at=time.monotonic(),
            cpu=_named((folder / "cpu.stat").read_text(), "usage_usec") / 1e6,
            memory=max(0, _number(folder / "memory.current") - idle),
            limit=0 if most == "max" else _limit(int(most)),
            received=received,
            sent=sent,
            read=read,
            written=written,
        )

    def _network(self, members: Path) -> tuple[int | None, int | None]:
        """What one of its processes sees of the container's own network."""
        with suppress(OSError, ValueError, IndexError):
            first = members.read_text().split(maxsplit=1)[0]
            lines = (self._proc / first / "net" / "dev").read_text().splitlines()[2:]
            rows = [line.split(":", 1) for line in lines]
            counts = [row[1].split() for row in rows if row[0].strip() != "lo"]
            return sum(int(one[0]) for one in counts), sum(int(one[8]) for one in counts)
        return None, None


def _number(file: Path) -> int:
    return int(file.read_text())


def _named(text: str, name: str) -> int:
    for line in text.splitlines():
        if line.startswith(name + " "):
            return int(line.rpartition(" ")[2])
    return 0


def _limit(value: int) -> int:
    return 0 if value >= _NO_LIMIT else value


def _blocks(file: Path) -> tuple[int | None, int | None]:
    try:
        rows = [line.split() for line in file.read_text().splitlines()]
    except OSError:
        return None, None
    counts = dict.fromkeys(("Read", "Write"), 0)
    for row in rows:
        if len(row) == 3 and row[1] in counts:
            counts[row[1]] += int(row[2])
    return counts["Read"], counts["Write"]

"""The real controller, `botmaker run`, which notes two things in a folder: when its imports were
over, and how late its event loop is. `python -m bench.measured_controller FOLDER`.

A kill loses the notes of less than a second.
"""

from __future__ import annotations

import asyncio
import struct
import sys
import time
from pathlib import Path

import controller.cli.running  # noqa: F401 - else `run` would load it after the note
from controller.__main__ import main

IMPORTED, LAG = "imported", "lag"
TICK = 0.005  # seconds
KEPT = 100  # ticks before they are written


class _Watched(asyncio.DefaultEventLoopPolicy):
    """Makes loops that note, for each tick, how many milliseconds late it was."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file

    def new_event_loop(self) -> asyncio.AbstractEventLoop:
        loop, late = super().new_event_loop(), list[float]()

        def tick(due: float) -> None:
            now = loop.time()
            late.append((now - due) * 1000)
            if len(late) >= KEPT:
                with self._file.open("ab") as out:
                    out.write(struct.pack(f"{len(late)}f", *late))
                late.clear()
            loop.call_at(now + TICK, tick, now + TICK)

        loop.call_soon(tick, loop.time())
        return loop


def take_lateness(folder: Path) -> list[float]:
    """The milliseconds by which each tick was late, in all runs since this was called last."""
    file = folder / LAG
    if not file.exists():
        return []
    taken = file.rename(folder / f"{LAG}-taken")
    return [one for (one,) in struct.iter_unpack("f", taken.read_bytes())]


if __name__ == "__main__":
    place = Path(sys.argv[1])
    (place / IMPORTED).write_text(repr(time.monotonic()))
    asyncio.set_event_loop_policy(_Watched(place / LAG))
    sys.argv[1:] = ["run"]
    main()

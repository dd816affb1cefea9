"""Where a line is in a bot's log, so that whoever was away can go on behind it."""

from __future__ import annotations

import re
from dataclasses import dataclass

_TEXT = re.compile(r"([0-9a-f]{12}):(\d{1,19}):(\d{1,9})", re.ASCII)
RUN_LENGTH = 12  # of a container's id


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line's place: which container, when, and the how-manieth of the lines of that moment."""

    run: str  # the beginning of the container's id
    at: float  # seconds since the epoch, by the engine
    number: int

    def __str__(self) -> str:
        return f"{self.run}:{round(self.at * 1e9)}:{self.number}"

    @property
    def key(self) -> tuple[str, int, int]:
        """What identifies it, also after it was written down and read."""
        return self.run, round(self.at * 1e9), self.number


def place_of(text: str) -> Place | None:
    """The place that was written down so; None for anything else."""
    found = _TEXT.fullmatch(text)
    return Place(found[1], int(found[2]) / 1e9, int(found[3])) if found else None


class Numbering:
    """Gives the lines of a log their places, in the log's own order."""

    def __init__(self) -> None:
        self._run = ""
        self._counts: dict[float, int] = {}

    def place(self, container: str, at: float) -> Place:
        """The place of the next line."""
        run = container[:RUN_LENGTH]
        if run != self._run:
            self._run, self._counts = run, {}
        # The pipes' lines of nearly the same time may take turns: a few times are remembered.
        number = self._counts.pop(at, 0) + 1
        self._counts[at] = number
        if len(self._counts) > 64:
            del self._counts[next(iter(self._counts))]
        return Place(run, at, number)

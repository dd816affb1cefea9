"""Facts that travel: what the engine said happened, and log lines."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import AnyStr, Literal

Stream = Literal["both", "stdout", "stderr"]
STREAMS: dict[str, Stream] = {"both": "both", "stdout": "stdout", "stderr": "stderr"}


@dataclass(frozen=True, slots=True, kw_only=True)
class ContainerEvent:
    """A hint that something happened to a bot's container. The list is the truth, not this.

    `action` is the engine's word (start, die, oom, health_status: unhealthy …) or "resync": events
    may have been lost, look at everything.
    """

    action: str
    bot_id: str = ""
    at: float = 0.0
    exit_code: int | None = None
    ending: bool = False  # whether the event means that somebody had the program stopped or killed


@dataclass(frozen=True, slots=True, kw_only=True)
class LogQuery:
    """Which part of a log is wanted. Always bounded: by lines here, by bytes in the runtime."""

    lines: int = 50
    since: float = 0.0  # seconds since the epoch; 0: no bound
    until: float = 0.0
    grep: str = ""  # plain text, case ignored; never a pattern
    stream: Stream = "both"
    skip: int = 0  # of the lines of exactly `until`, how many were shown already; for pages
    # Pages only: the oldest lines behind `since` in place of the newest; `skip` is then of `since`.
    forward: bool = False

    def before(self, until: float, skip: int) -> LogQuery:
        """The same for what is older than what was seen."""
        return replace(self, until=until, skip=skip)

    def behind(self, since: float, skip: int) -> LogQuery:
        """The same for what is newer than what was seen."""
        return replace(self, since=since, until=0.0, skip=skip, forward=True)


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line; `at` is the engine's timestamp in seconds since the epoch.

    `begins` and `ends` say whether the text has the line's own beginning and end. Where it hasn't,
    half a secret may be left, which only a redactor that knows of the cut can hide.
    """

    at: float
    stream: Literal["stdout", "stderr"]
    text: str
    begins: bool = True
    ends: bool = True


@dataclass(frozen=True, slots=True)
class LogBatch:
    """What a followed log said next, in the log's own order.

    `container` is the id of the container whose log it is. `dropped` is the number of lines before
    these that nobody took in time.
    """

    container: str
    lines: tuple[LogLine, ...]
    dropped: int = 0


def last_state(line: AnyStr) -> tuple[AnyStr, bool]:
    """What a terminal shows of a line at the end, and whether nothing of it was written over.

    A program that shows its progress writes over the line: what it wrote last is the line.
    """
    over = "\r" if isinstance(line, str) else b"\r"
    before, _, state = line.rstrip(over).rpartition(over)
    return state, not before


class LogPart(list[LogLine]):
    """The lines of a log that a query found, oldest first, and how far it looked.

    `more` says that there are older lines that nobody looked at, or that didn't fit. `looked_to` is
    the time of the oldest line that was looked at; 0 when there was none. `full` says that no more
    text fits into an answer.
    """

    def __init__(
        self,
        lines: Iterable[LogLine] = (),
        *,
        more: bool = False,
        looked_to: float = 0.0,
        full: bool = False,
    ) -> None:
        super().__init__(lines)
        self.more = more
        self.looked_to = looked_to
        self.full = full

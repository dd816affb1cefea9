"""Facts that travel: what the engine said happened, and log lines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

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


@dataclass(frozen=True, slots=True)
class LogLine:
    """One whole line; `at` is the engine's timestamp in seconds since the epoch."""

    at: float
    stream: Literal["stdout", "stderr"]
    text: str

"""What is ours and belongs to no bot."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Leftover(StrEnum):
    """What it is. A bot's things are removed in this order."""

    CONTAINER = "container"
    PARKED = "parked container"
    VOLUME = "volume"
    FOLDER = "secrets folder"


@dataclass(frozen=True, slots=True)
class Orphan:
    """One thing without a bot."""

    kind: Leftover
    name: str
    state: str = ""
    bot_id: str = ""  # of the bot that it belonged to
    age: float = 0.0  # seconds since it was created; 0: not known
    size: int | None = None  # bytes; None: not known

    @property
    def key(self) -> str:
        """What names it among all orphans."""
        return f"{self.kind}/{self.name}"


@dataclass(frozen=True, slots=True)
class Removal:
    """What became of one orphan: removed, or why not."""

    orphan: Orphan
    reason: str = ""

    @property
    def done(self) -> bool:
        """Whether it's gone."""
        return not self.reason

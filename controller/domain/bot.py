"""A bot as its admins wish it: the row that SQLite keeps. What is seen is in `observation`."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Wish(StrEnum):
    """What the admins want of a bot; removal is a wish too, until nothing is left of it."""

    RUN = "run"
    STOP = "stop"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why the controller stopped trying. It stays until a person acts on the bot."""

    code: str
    message: str
    hint: str
    at: float  # seconds since the epoch, the controller's clock


@dataclass(frozen=True, slots=True)
class Crash:
    """One unwished end of a bot's process. `at` is the engine's time, seconds since the epoch."""

    at: float
    exit_code: int | None
    oom_killed: bool = False


# In place of a run's name: whichever runs at the next look. What was seen last may be over already,
# and the one after it begun too early to know of what was changed.
PRESENT = "present"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bot:
    """One bot, complete: who it is, what it is made of, what is wished for."""

    id: str
    name: str
    template: str
    provider: str
    model: str
    channel: str
    fields: dict[str, str] = field(default_factory=dict)
    wish: Wish = Wish.RUN
    # The run (a container's StartedAt, the engine's own words) that a restart wants to be over.
    # Comparing for equality needs no agreement between two clocks, and acts once by itself.
    ended_run: str = ""
    # The run that has yet to be told to read replaced secrets, where its program can do that. Named
    # like the above, and for the same reason: another run has read the new ones at its start.
    reload_run: str = ""
    image: str = ""  # the pinned image id; empty until the first start resolved it
    problem: Problem | None = None
    # The end of a run (the engine's time) that is accounted for: by a stop that was asked for, or
    # by a crash already noted. A later end is a crash. In the row, so that a restart of the
    # controller neither forgets a crash nor takes an old stop for one.
    accounted_end: float = 0.0
    # Log lines before this moment are not shown: they may hold a secret that was replaced since,
    # and a controller that started later could not know it to hide it. Seconds since the epoch.
    log_floor: float = 0.0
    created_at: float = 0.0
    created_by: int = 0

    @property
    def container_name(self) -> str:
        """The one name that this bot's container can have."""
        return f"botmaker-{self.id}"

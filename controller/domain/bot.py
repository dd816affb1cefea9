"""A bot as its admins want it: the row that SQLite keeps. What is seen is in `observation`."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from controller.domain.run import Run

RESTORED = "restored"  # the code of the problem that keeps a restored bot from starting


class Wish(StrEnum):
    """What the admins want of a bot. Removal is a wish too, until nothing is left of the bot."""

    RUN = "run"
    STOP = "stop"
    REMOVE = "remove"


@dataclass(frozen=True, slots=True)
class Problem:
    """Why the controller stopped trying. It stays until a person acts on the bot."""

    code: str
    message: str
    hint: str
    at: float  # seconds since the epoch


@dataclass(frozen=True, slots=True)
class Crash:
    """One end of a bot's process that nobody wished for.

    `at` is in seconds since the epoch, by the engine's clock.
    """

    at: float
    exit_code: int | None
    oom_killed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bot:
    """One bot, complete: who it is, what it is made of, what is wished of it."""

    id: str
    name: str
    template: str
    provider: str
    model: str
    channel: str
    fields: dict[str, str] = field(default_factory=dict)
    limits: dict[str, str] = field(default_factory=dict)  # its own; the rest is its template's
    wish: Wish = Wish.RUN
    run: Run = field(default_factory=Run)
    image: str = ""  # the pinned image; empty until the first start resolved it
    image_ref: str = ""  # what that was resolved from; empty: pinned by an earlier version
    secret_set: int = 0  # counts the sets of secrets that were entered
    held: str = ""  # the template's text that the bot is held to; empty: it follows its template
    release: int = 0  # the newest release that has proved itself; 0: none yet
    candidate: int = 0  # the release that all of this is, while it has yet to prove itself
    restoring: int = 0  # the snapshot that its state is being replaced by; 0: none
    state_kept: bool = False  # whether the state that is being replaced is a snapshot by now
    problem: Problem | None = None
    setback: Problem | None = None  # why the last change was taken back, until a person acts
    created_at: float = 0.0
    created_by: int = 0
    source: str = ""  # `file:NAME`: a fleet's file created it; empty: somebody else did

    @property
    def container_name(self) -> str:
        """The only name that this bot's container can have."""
        return f"botmaker-{self.id}"

    @property
    def wanted(self) -> int:
        """The number of the release that the row's content is."""
        return self.candidate or self.release

"""What is seen of a bot right now: its container, its volume, its files. Wishes are in `bot`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ContainerState(StrEnum):
    """The engine's words for a container's state."""

    CREATED = "created"
    RUNNING = "running"
    PAUSED = "paused"
    RESTARTING = "restarting"
    REMOVING = "removing"
    EXITED = "exited"
    DEAD = "dead"

    @property
    def active(self) -> bool:
        """Whether a process runs, or the engine is about to start one."""
        return self in _ACTIVE


_ACTIVE = {ContainerState.RUNNING, ContainerState.PAUSED, ContainerState.RESTARTING}


class Health(StrEnum):
    """The engine's healthcheck verdict; NONE where the container has no check."""

    NONE = "none"
    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One look at a bot's container, complete (from an inspect)."""

    container_id: str
    state: ContainerState
    health: Health = Health.NONE
    exit_code: int | None = None  # None while it runs
    oom_killed: bool = False
    error: str = ""  # the engine's reason when a start failed
    started_at: str = ""  # the engine's own text: names this run
    started: float = 0.0  # the same, seconds since the epoch; 0 when it never started
    finished_at: float = 0.0  # seconds since the epoch; 0 when it never ended
    restart_count: int = 0
    spec: str = ""  # the botmaker.spec label
    release: int = 0  # the botmaker.release label; 0: created before there were releases
    armed: bool = True  # whether its restart policy may have the engine start it
    image: str = ""
    misnamed: str = ""  # the name that somebody gave it in place of ours; empty: ours
    probe_output: str = ""  # the last failed healthcheck's own words
    probe_cut: bool = False  # whether it said more than that


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedContainer:
    """One row of the engine's list: what one cheap call tells of every container of ours."""

    bot_id: str
    container_id: str
    state: ContainerState
    health: Health
    name: str = ""
    status: str = ""  # the engine's sentence, for instance "Exited (1) 3 seconds ago"
    created: float = 0.0  # seconds since the epoch, by the engine; 0: not known


class Proof(StrEnum):
    """How far the present run has come in proving that its release works."""

    WAITING = "waiting"
    PASSED = "passed"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """All that exists of one bot, as of one look."""

    container: Observation | None = None
    previous: Observation | None = None  # the container that is parked while another is tried
    proof: Proof = Proof.WAITING
    failure: str = ""  # why the proof failed, in words
    former_secrets: bool = False  # whether the set before the one that is tried can come back
    # Somebody's container has the bot's name: whether the bot's own goes by another can't be seen.
    hidden: bool = False
    volume: bool = False
    folder: bool = False  # its secrets folder or rendered files exist
    missing: tuple[str, ...] = ()  # names of secrets that don't exist or can't be used
    faults: tuple[str, ...] = ()  # why existing ones can't be used, in words
    degraded: tuple[str, ...] = ()  # what its log says that it can't do, in words
    late: bool = False  # whether it should be healthy by now
    spec: str = ""  # the hash that a container made now would carry; empty: none can be made
    step: str = ""  # the step that is under way, for example a long stop; empty: none
    command: bool = False  # a command that somebody asked for runs inside the bot
    save: bool = False  # whether a backup waits for its state

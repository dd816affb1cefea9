"""The phase that people are shown: derived from wish and observation, never stored as truth."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from controller.domain import crashes as crash_rules
from controller.domain.bot import Bot, Crash, Wish
from controller.domain.observation import ContainerState, Health, World


class Phase(StrEnum):
    """All the phases that exist, in the words that people see."""

    CREATED = "created"
    STARTING = "starting"
    RUNNING = "running"
    UNHEALTHY = "unhealthy"
    CRASH_LOOPING = "crash-looping"
    STOPPING = "stopping"
    STOPPED = "stopped"
    ERROR = "error"
    REMOVING = "removing"

    @classmethod
    def parse(cls, typed: str) -> Phase | None:
        """The phase of that name, in any case and also in two words; None for no phase."""
        word = "-".join(typed.replace("-", " ").replace("_", " ").split()).casefold()
        return next((phase for phase in cls if phase.value == word), None)

    @property
    def settled(self) -> bool:
        """Whether somebody who asked for a change has an answer now."""
        return self not in {Phase.STARTING, Phase.STOPPING, Phase.REMOVING}

    @property
    def bad(self) -> bool:
        """Whether somebody should look."""
        return self in {Phase.UNHEALTHY, Phase.CRASH_LOOPING, Phase.ERROR}


def derive(bot: Bot, world: World, crashes: Sequence[Crash], now: float) -> Phase:
    """The phase of a bot whose wish is `bot` and of which `world` is seen.

    `now` is the engine's time, as that of the crashes is.
    """
    container = world.container
    active = container is not None and container.state.active
    if bot.wish is Wish.REMOVE:
        return Phase.REMOVING
    if bot.wish is Wish.STOP:
        return Phase.STOPPING if active else Phase.STOPPED
    if bot.problem is not None:
        return Phase.ERROR
    if world.missing and not active:
        return Phase.CREATED
    if crash_rules.is_looping(crashes, now):
        return Phase.CRASH_LOOPING
    return _of_container(bot, world)


def _of_container(bot: Bot, world: World) -> Phase:
    container = world.container
    if container is None:
        return Phase.STARTING
    match container.state:
        case ContainerState.RUNNING:
            if container.started_at and container.started_at == bot.run.to_end:
                return Phase.STARTING
            match container.health:
                case Health.NONE | Health.HEALTHY:
                    return Phase.UNHEALTHY if world.degraded else Phase.RUNNING
                case Health.STARTING:
                    return Phase.UNHEALTHY if world.late else Phase.STARTING
                case Health.UNHEALTHY:
                    return Phase.UNHEALTHY
        case ContainerState.PAUSED:
            return Phase.UNHEALTHY
        case (
            ContainerState.CREATED
            | ContainerState.RESTARTING
            | ContainerState.EXITED
            | ContainerState.DEAD
            | ContainerState.REMOVING
        ):
            return Phase.STARTING

"""The next step towards the wish: one pure function. `manager/converge.py` carries it out."""

from __future__ import annotations

from enum import StrEnum

from controller.domain.bot import Bot, Wish
from controller.domain.observation import ContainerState, Health, Observation, World


class Step(StrEnum):
    """One thing to do to the world; after it the world is looked at again."""

    SETTLED = "settled"  # nothing to do until somebody pokes
    LOOK_AGAIN = "look-again"  # the engine is on its way; look again soon
    CREATE = "create"
    START = "start"
    RESTART = "restart"
    RELOAD = "reload"  # have what runs read its replaced secrets
    STOP = "stop"
    REMOVE_CONTAINER = "remove-container"
    REMOVE_VOLUME = "remove-volume"
    DROP_FOLDER = "drop-folder"
    FORGET = "forget"  # the row itself: the last step of a removal


def decide(bot: Bot, world: World) -> Step:
    """The next step for this bot, given all that is seen of it."""
    match bot.wish:
        case Wish.REMOVE:
            return _remove(world)
        case Wish.STOP:
            active = world.container is not None and world.container.state.active
            return Step.STOP if active else Step.SETTLED
        case Wish.RUN:
            return _run(bot, world)


def _remove(world: World) -> Step:
    if world.container is not None:
        removing = world.container.state is ContainerState.REMOVING
        return Step.LOOK_AGAIN if removing else Step.REMOVE_CONTAINER
    if world.volume:
        return Step.REMOVE_VOLUME
    if world.folder:
        return Step.DROP_FOLDER
    return Step.FORGET


def _run(bot: Bot, world: World) -> Step:
    container = world.container
    if bot.problem is not None:
        active = container is not None and container.state.active
        return Step.STOP if active else Step.SETTLED
    if world.missing:
        # Never start without its secrets; never stop a bot that runs because a file went away.
        return Step.SETTLED
    if container is None:
        return Step.CREATE
    return _run_container(bot, world, container)


def _run_container(bot: Bot, world: World, container: Observation) -> Step:
    outdated = bool(world.spec) and container.spec != world.spec
    match container.state:
        case ContainerState.CREATED | ContainerState.EXITED:
            return Step.REMOVE_CONTAINER if outdated else Step.START
        case ContainerState.DEAD:
            return Step.REMOVE_CONTAINER
        case ContainerState.PAUSED:
            return Step.START
        case ContainerState.RUNNING | ContainerState.RESTARTING:
            if container.started_at and container.started_at == bot.ended_run:
                return Step.REMOVE_CONTAINER if outdated else Step.RESTART
            # A running bot is never touched for a new template alone: a controller's upgrade
            # must not restart anything. The next restart that a person asks for brings it.
            restarting = container.state is ContainerState.RESTARTING
            if restarting or container.health is Health.STARTING:
                return Step.LOOK_AGAIN
            # Not before its first verdict: a program on its way up may not take the call.
            owes_reload = container.started_at and container.started_at == bot.reload_run
            return Step.RELOAD if owes_reload else Step.SETTLED
        case ContainerState.REMOVING:
            return Step.LOOK_AGAIN

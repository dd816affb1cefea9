"""The next step towards the wish: one pure function. `loop/steps.py` carries it out."""

from __future__ import annotations

from enum import StrEnum

from controller.domain.bot import Bot, Wish
from controller.domain.observation import ContainerState, Health, Observation, World


class Step(StrEnum):
    """One thing to do to the world. After it the world is looked at again."""

    SETTLED = "settled"  # nothing to do until somebody pokes
    LOOK_AGAIN = "look-again"  # the engine is on its way; look again soon
    WAIT = "wait"  # a step is under way; its end wakes the bot
    RENAME = "rename"  # give the container its own name back
    CREATE = "create"
    START = "start"
    RESTART = "restart"
    SAVE = "save"  # read the bot's state for a backup
    RELOAD = "reload"  # have the running program read its replaced secrets
    STOP = "stop"
    REMOVE_CONTAINER = "remove-container"
    REMOVE_VOLUME = "remove-volume"
    DROP_FOLDER = "drop-folder"
    FORGET = "forget"  # the row itself: the last step of a removal


def decide(bot: Bot, world: World) -> Step:
    """The next step for this bot, given everything that is seen of it."""
    if world.step:
        return Step.WAIT
    step = _towards(bot, world)
    # Not before everything else is done; but some bots are on their way for ever.
    at_rest = step in {Step.SETTLED, Step.LOOK_AGAIN} and not world.command
    return Step.SAVE if world.save and at_rest and bot.wish is not Wish.REMOVE else step


def _towards(bot: Bot, world: World) -> Step:
    """The next step towards what is wished for."""
    container = world.container
    if bot.wish is not Wish.REMOVE and container is not None and container.misnamed:
        return Step.RENAME
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
        # A bot never starts without its secrets, and never stops because a file went away.
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
            if container.started_at and container.started_at == bot.run.to_end:
                return Step.REMOVE_CONTAINER if outdated else Step.RESTART
            # A new template alone is no reason to touch a running bot: an upgrade of the
            # controller must not restart anything. The next restart by a person applies it.
            restarting = container.state is ContainerState.RESTARTING
            if restarting or container.health is Health.STARTING:
                return Step.LOOK_AGAIN
            # Not before its first health verdict: a program that is still starting may miss it.
            if not container.started_at or container.started_at != bot.run.to_reload:
                return Step.SETTLED
            # Two programs beside the bot's own are too many.
            return Step.LOOK_AGAIN if world.command else Step.RELOAD
        case ContainerState.REMOVING:
            return Step.LOOK_AGAIN

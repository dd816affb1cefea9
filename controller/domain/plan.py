"""The next step towards the wish: one pure function. `loop/steps.py` carries it out."""

from __future__ import annotations

from enum import StrEnum

from controller.domain.bot import Bot, Wish
from controller.domain.observation import ContainerState, Health, Observation, Proof, World
from controller.domain.release import is_proven


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
    RESTORE = "restore"  # put a snapshot in place of the bot's state
    RELOAD = "reload"  # have the running program read its replaced secrets
    STOP = "stop"
    REMOVE_CONTAINER = "remove-container"
    # A release: proposed, the proven container parked, then committed or taken back.
    PROPOSE = "propose"
    PARK = "park"
    COMMIT = "commit"
    TAKE_BACK = "take-back"
    UNPARK = "unpark"
    REMOVE_PREVIOUS = "remove-previous"
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
            return _stop(bot, world)
        case Wish.RUN:
            return _run(bot, world)


def _remove(world: World) -> Step:
    if world.container is not None:
        removing = world.container.state is ContainerState.REMOVING
        return Step.LOOK_AGAIN if removing else Step.REMOVE_CONTAINER
    if world.previous is not None:
        return Step.REMOVE_PREVIOUS
    if world.volume:
        return Step.REMOVE_VOLUME
    if world.folder:
        return Step.DROP_FOLDER
    return Step.FORGET


def _stop(bot: Bot, world: World) -> Step:
    """Whatever runs of the bot ends. What is parked stays, for the next start to decide."""
    if world.previous is not None and world.previous.state.active:
        return Step.PARK
    if bot.restoring and world.previous is None and bot.problem is None:
        return _restore(world)
    return Step.STOP if _is_active(world.container) else Step.SETTLED


def _restore(world: World) -> Step:
    """The bot's state is replaced while no container has it."""
    container = world.container
    if container is None:
        return Step.RESTORE
    if container.state is ContainerState.REMOVING:
        return Step.LOOK_AGAIN
    return Step.STOP if container.state.active else Step.REMOVE_CONTAINER


def _run(bot: Bot, world: World) -> Step:
    if world.previous is not None:
        step = _beside(bot, world, world.previous)
        if step is not None:
            return step
    elif world.former_secrets and _has_failed(bot, world):
        return Step.TAKE_BACK  # the same container, with the secrets that worked
    if bot.problem is not None:
        return Step.STOP if _is_active(world.container) else Step.SETTLED
    if bot.restoring and world.previous is None:
        return _restore(world)
    if world.missing:
        # A bot never starts without its secrets, and never stops because a file went away.
        return Step.SETTLED
    if world.container is None:
        return Step.CREATE
    return _run_container(bot, world, world.container)


def _beside(bot: Bot, world: World, previous: Observation) -> Step | None:
    """What is next because a former container is parked; None: as without it."""
    container = world.container
    if container is not None and container.state is ContainerState.REMOVING:
        return Step.LOOK_AGAIN
    if not bot.candidate:
        # The release was decided: its container is the one to keep, or has to go.
        if container is None:
            return Step.UNPARK
        kept = container.release == bot.release
        return Step.REMOVE_PREVIOUS if kept else Step.REMOVE_CONTAINER
    if previous.state.active or previous.armed:
        return Step.PARK  # it was cut short: never two at once
    if _has_failed(bot, world):
        return Step.TAKE_BACK
    if container is not None and container.release != bot.candidate:
        return Step.REMOVE_CONTAINER  # of a candidate that was replaced
    return None


def _run_container(bot: Bot, world: World, container: Observation) -> Step:
    outdated = bool(world.spec) and container.spec != world.spec
    match container.state:
        case ContainerState.CREATED | ContainerState.EXITED:
            return _replace_idle(bot) if outdated else Step.START
        case ContainerState.DEAD:
            return Step.REMOVE_CONTAINER
        case ContainerState.PAUSED:
            return Step.START
        case ContainerState.RUNNING | ContainerState.RESTARTING:
            if container.started_at and container.started_at == bot.run.to_end:
                return _replace(bot, world, container) if outdated else Step.RESTART
            # A new template alone is no reason to touch a running bot: an upgrade of the
            # controller must not restart anything. The next restart by a person applies it.
            return _go_on(bot, world, container)
        case ContainerState.REMOVING:
            return Step.LOOK_AGAIN


def _replace_idle(bot: Bot) -> Step:
    """What becomes of a container that doesn't run and isn't what a new one would be."""
    if bot.candidate or not bot.release:
        return Step.REMOVE_CONTAINER
    # What came back after a change that failed starts as it is, until a person acts.
    return Step.START if bot.setback is not None else Step.PROPOSE


def _replace(bot: Bot, world: World, container: Observation) -> Step:
    """How a running container gives way to one of other content."""
    if not bot.candidate and bot.release:
        return Step.PROPOSE
    parks = world.previous is None and is_proven(bot, container)
    return Step.PARK if parks else Step.REMOVE_CONTAINER


def _go_on(bot: Bot, world: World, container: Observation) -> Step:
    """The next step for a run that nobody wants to end."""
    restarting = container.state is ContainerState.RESTARTING
    if restarting or container.health is Health.STARTING:
        return Step.LOOK_AGAIN
    # Not before its first health verdict: a program that is still starting may miss it.
    if container.started_at and container.started_at == bot.run.to_reload:
        # Two programs beside the bot's own are too many.
        return Step.LOOK_AGAIN if world.command else Step.RELOAD
    proven = bool(bot.candidate) and world.proof is Proof.PASSED and not bot.run.owes
    return Step.COMMIT if proven else Step.SETTLED


def _has_failed(bot: Bot, world: World) -> bool:
    """Whether the candidate has failed."""
    return bot.problem is not None or world.proof is Proof.FAILED


def _is_active(container: Observation | None) -> bool:
    return container is not None and container.state.active

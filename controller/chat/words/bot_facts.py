"""What the manager knows about a bot beside its view: its limits, its image, how it's exposed.

The words themselves are in `bot_words`, which is pure.
"""

from __future__ import annotations

from controller.chat.languages import say, told
from controller.chat.words import bot_words
from controller.domain.bot import Bot
from controller.fleet.views import View
from controller.manager import Manager


def exposure_of(manager: Manager, bot: Bot) -> str:
    """A warning if the bot's secrets are in its environment; mostly empty."""
    exposed = manager.bots.exposed_secrets(bot)
    return bot_words.exposure([secret.label or secret.name for secret in exposed])


def limits_of(manager: Manager, bot: Bot) -> str:
    """What the bot may use at most, and what of that is its own; empty if its template is gone."""
    found = manager.bots.limits(bot)
    if found is None:
        return ""
    own = (
        say("; its own: {limits}", limits=", ".join(map(told, sorted(bot.limits))))
        if bot.limits
        else ""
    )
    return say(
        "limits: memory {memory}, {cpus} CPUs, {pids} processes{own}",
        memory=found.memory,
        cpus=f"{found.cpus:g}",
        pids=found.pids,
        own=own,
    )


async def doubts_of(manager: Manager, bot: Bot) -> str:
    """What the bot's image may lack, if it can't be checked yet: read before typing secrets."""
    needs = await manager.bots.unproven_needs(bot)
    return bot_words.doubts([(need.title, need.hint) for need in needs])


def inside_of(manager: Manager, bot: Bot) -> str:
    """A warning about settings whose address leads to the bot's own container; mostly empty."""
    view = manager.bots.get(bot.id)
    found = manager.bots.inside_addresses(view.bot if view else bot)
    return bot_words.inside([(one.label, one.instead) for one in found])


async def warnings_of(manager: Manager, bot: Bot) -> str:
    """Everything to know about a bot that runs: exposed secrets, a missing part, an address."""
    missing = "" if bot.image else await doubts_of(manager, bot)
    words = (exposure_of(manager, bot), missing, inside_of(manager, bot))
    return "\n".join(filter(None, words))


def outcome_of(manager: Manager, view: View | None, name: str, doing: str) -> str:
    """How it went for a bot: finished, or still `doing` it."""
    memory = manager.bots.memory_limit(view.bot) if view else 0
    now = manager.bots.engine_time()
    return bot_words.outcome(view, name, doing, manager.bots.engine, memory, now=now)

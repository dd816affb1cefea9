"""What the manager knows about a bot beside its view: its limits, and how it's exposed.

The words themselves are in `bot_words`, which is pure.
"""

from __future__ import annotations

from controller.chat.words import bot_words
from controller.domain.bot import Bot
from controller.manager import Manager
from controller.manager.fleet import View


def memory_of(manager: Manager, bot: Bot) -> int:
    """The memory limit in the bot's template, in bytes; 0 if the template is gone."""
    template = manager.blueprints.known(bot)
    return template.run.resources.memory_bytes if template else 0


def exposure_of(manager: Manager, bot: Bot) -> str:
    """A warning if the bot's secrets are in its environment; mostly empty."""
    template = manager.blueprints.fitting(bot)
    if template is None or not template.exposes_secrets:
        return ""
    secrets = template.secrets_for(bot.provider, bot.channel)
    return bot_words.exposure([s.label or s.name for s in secrets if s.process_env])


async def doubts_of(manager: Manager, bot: Bot) -> str:
    """What the bot's image may lack, if it can't be checked yet: read before typing secrets."""
    template = manager.blueprints.fitting(bot)
    needs = template.needs_for(bot.provider, bot.channel) if template else ()
    if template is None or not needs or await manager.lifecycle.has_image(template):
        return ""
    return bot_words.doubts([(need.title, need.hint) for need in needs])


def outcome_of(manager: Manager, view: View | None, name: str, doing: str) -> str:
    """How it went for a bot: finished, or still `doing` it."""
    memory = memory_of(manager, view.bot) if view else 0
    return bot_words.outcome(view, name, doing, manager.fleet.engine, memory)

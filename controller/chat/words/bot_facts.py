"""Words about a bot with what the manager knows beside its view: its limits, how it is exposed.

The words themselves are next door in `render`, which is pure.
"""

from __future__ import annotations

from controller.chat.words import bot_words as render
from controller.domain.bot import Bot
from controller.manager import Manager
from controller.manager.fleet import View


def memory_of(manager: Manager, bot: Bot) -> int:
    """The memory limit that the bot's template gives, in bytes; 0 when the template is gone."""
    template = manager.blueprints.known(bot)
    return template.run.resources.memory_bytes if template else 0


def exposure_of(manager: Manager, bot: Bot) -> str:
    """What has to be said aloud about the ways of this bot's secrets; mostly nothing."""
    template = manager.blueprints.fitting(bot)
    if template is None or not template.exposes_secrets:
        return ""
    secrets = template.secrets_for(bot.provider, bot.channel)
    return render.exposure([s.label or s.name for s in secrets if s.process_env])


async def doubts_of(manager: Manager, bot: Bot) -> str:
    """What its image may lack, where nobody can look into it yet: said before secrets are typed."""
    template = manager.blueprints.fitting(bot)
    needs = template.needs_for(bot.provider, bot.channel) if template else ()
    if template is None or not needs or await manager.lifecycle.has_image(template):
        return ""
    return render.doubts([(need.title, need.hint) for need in needs])


def outcome(manager: Manager, view: View | None, name: str, doing: str) -> str:
    """How an action on a bot stands: ended, or still on its way."""
    memory = memory_of(manager, view.bot) if view else 0
    return render.outcome(view, name, doing, manager.fleet.engine, memory)

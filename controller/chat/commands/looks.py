"""Look at one bot, by command or by a pick: everything about it, and what can be done to it."""

from __future__ import annotations

from controller.chat.requests.buttons import row
from controller.chat.requests.card_buttons import card_buttons, more
from controller.chat.requests.request import Request
from controller.chat.words.bot_facts import limits_of, warnings_of
from controller.chat.words.bot_words import show
from controller.domain.acts import BOT_SHOW
from controller.domain.bot import Bot
from controller.manager import Manager


class Looks:
    """Answers with everything about a bot."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    async def show(self, request: Request, bot: Bot) -> None:
        """One bot in full, without any secret's value, and the same controls as on its card."""
        await request.acknowledge()
        manager = self._manager
        prints = await manager.credentials.fingerprints_of(request.caller, bot)
        warning = await warnings_of(manager, bot)
        view = await manager.bots.known(request.caller, BOT_SHOW, bot.id)
        text = show(
            view,
            manager.bots.engine,
            prints,
            memory=manager.bots.memory_limit(view.bot),
            limits=limits_of(manager, view.bot),
            warning=warning,
            now=manager.bots.engine_time(),
        )
        await request.reply(text, view=row([*card_buttons(view), more(view)]))

"""A bot's settings: each page of them is a modal, filled with what is set.

The modal must be the first answer, so everything before it comes from memory.
"""

from __future__ import annotations

from collections.abc import Sequence

import discord

from controller.chat.forms import modals
from controller.chat.requests.addresses import key_in
from controller.chat.requests.buttons import button, row
from controller.chat.requests.request import Request
from controller.chat.words.bot_facts import outcome_of
from controller.chat.words.failures import failure_words
from controller.chat.words.limits import BUTTONS_A_ROW
from controller.chat.words.text import fitted, plain
from controller.domain.bot import Bot
from controller.domain.errors import BadInput, NotFound, NotReady
from controller.domain.phase import Phase
from controller.manager import Manager
from controller.manager.edits import EditPage


class SettingsForm:
    """Shows pages of settings and takes them back."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    async def open(self, request: Request, bot: Bot) -> None:
        """Show the page that a button names."""
        await self.open_page(request, bot, key_in(request.arguments))

    async def open_page(self, request: Request, bot: Bot, key: str) -> None:
        """Show a page of settings; "" is the first one."""
        page = self._page(bot, key)
        modal = modals.modal(
            modals.title_with(page.title, f" of {bot.name}"),
            ("edit", bot.id, page.key),
            (modals.box_of(item, bot.fields.get(item.name, item.default)) for item in page.inputs),
        )
        await request.open_modal(modal)

    async def submit(self, request: Request, bot: Bot) -> None:
        """Store a page of settings, and follow the bot until it runs with them."""
        key = key_in(request.arguments)
        values = modals.values_of(request.interaction)
        page = self._page(bot, key)
        await request.acknowledge()
        try:
            then = await self._manager.edits.submit(request.asker, bot, page.key, values)
        except BadInput as error:
            await request.reply(failure_words(error), view=page_buttons(bot, [page]))
            return
        text = f"✅ **{bot.name}** — {plain(page.title)}: {then}"
        await request.reply(text, more=True)
        view = self._manager.fleet.get(bot.id)
        if view is not None and view.phase is not Phase.CREATED:
            ended = await self._manager.lifecycle.follow(bot)
            text += "\n" + outcome_of(self._manager, ended, bot.name, "applying them")
        await request.reply(fitted(text))

    def later_pages(self, bot: Bot) -> list[EditPage]:
        """The pages with settings that the first form doesn't ask for."""
        pages = self._manager.edits.pages(bot)
        return [page for page in pages if any(item.later for item in page.inputs)]

    def _page(self, bot: Bot, key: str) -> EditPage:
        pages = {page.key: page for page in self._manager.edits.pages(bot)}
        if not pages:
            raise NotReady(
                f"{bot.name} has no settings to change.",
                hint=f"To replace its secrets, use /bot secrets {bot.name}.",
                code="nothing-to-ask",
            )
        if key and key not in pages:
            raise NotFound(
                f"{bot.name} has no such page of settings.",
                hint=f"Available: {', '.join(pages)}.",
                code="no-such-page",
            )
        return pages[key] if key else next(iter(pages.values()))


def page_buttons(bot: Bot, pages: Sequence[EditPage]) -> discord.ui.View | None:
    """A button for each page of settings, as many as fit into a row. Each opens its modal."""
    return row(button(page.title, "edit", bot.id, page.key) for page in pages[:BUTTONS_A_ROW])

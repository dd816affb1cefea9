"""What people do with the inside of a bot: run one of its actions, change its settings.

Both may begin with a modal, which has to be the first answer: until then everything is from memory.
Which role an action needs stands in its template, so it is asked here beside the gate's own rule.
"""

from __future__ import annotations

from collections.abc import Mapping

import discord

from controller.catalog import Action
from controller.chat.forms import modals
from controller.chat.requests import addresses as buttons
from controller.chat.requests import delivery as answers
from controller.chat.words import bot_facts as told
from controller.chat.words import bot_words as render
from controller.chat.words import failures as errors
from controller.chat.words.text import MESSAGE_MAX, plain, text_file
from controller.domain.bot import Bot
from controller.domain.errors import BadInput, Denied, NotFound, NotReady
from controller.domain.phase import Phase
from controller.manager import Manager
from controller.manager.audit import Asker
from controller.manager.edits import EditPage


class Inside:
    """Actions and settings, for the commands and for what is pressed or submitted."""

    def __init__(self, manager: Manager) -> None:
        self._manager = manager

    # Actions

    async def begin(
        self, interaction: discord.Interaction, asker: Asker, bot: Bot, name: str
    ) -> None:
        """Run an action, or ask first for what it needs to be told."""
        action = await self._allowed(asker, bot, name)
        if not action.args:
            await self.run(interaction, asker, bot, name, {})
            return
        parts = ("do", bot.id, name)
        modal = modals.modal(
            action.title, parts, (modals.box_of(arg, arg.default) for arg in action.args)
        )
        await answers.first(interaction, lambda: interaction.response.send_modal(modal))

    async def run(
        self,
        interaction: discord.Interaction,
        asker: Asker,
        bot: Bot,
        name: str,
        values: Mapping[str, str],
    ) -> None:
        """Run an action to its end and show what it printed."""
        await self._allowed(asker, bot, name)
        await answers.think(interaction)
        done = await self._manager.actions.run(asker, bot, name, values)
        text, fits = render.result(done, bot.name)
        output = done.text + "\n"
        await answers.say(
            interaction,
            text,
            make_file=None if fits else lambda: text_file(output, f"{bot.name}-{name}.txt"),
            # By other ways than the private answer others might read it.
            later=f"{render.result_head(done, bot.name)}\nWhat it said is not repeated here.",
        )

    async def _allowed(self, asker: Asker, bot: Bot, name: str) -> Action:
        try:
            return self._manager.actions.admit(asker, bot, name)
        except Denied as error:
            await self._manager.audit.refused(asker, "action", bot, error.message)
            raise

    # Settings

    async def open_page(self, interaction: discord.Interaction, bot: Bot, key: str) -> None:
        """Show a page of settings as a modal, filled with what is set; "" is the first page."""
        page = self._page(bot, key)
        of_bot = f" of {bot.name}"
        modal = modals.modal(
            page.title[: modals.TITLE_MAX - len(of_bot)] + of_bot,
            ("edit", bot.id, page.key),
            (modals.box_of(item, bot.fields.get(item.name, item.default)) for item in page.inputs),
        )
        await answers.first(interaction, lambda: interaction.response.send_modal(modal))

    async def change(
        self,
        interaction: discord.Interaction,
        asker: Asker,
        bot: Bot,
        key: str,
        values: Mapping[str, str],
    ) -> None:
        """Take a page of settings back, and follow the bot until it runs with them."""
        page = self._page(bot, key)
        await answers.think(interaction)
        try:
            then = await self._manager.edits.submit(asker, bot, page.key, values)
        except BadInput as error:
            await answers.say(interaction, errors.word(error), view=buttons.of_pages(bot, [page]))
            return
        text = f"✅ **{bot.name}** — {plain(page.title)}: {then}"
        await answers.say(interaction, text, more=True)
        view = self._manager.fleet.get(bot.id)
        if view is not None and view.phase is not Phase.CREATED:
            ended = await self._manager.lifecycle.follow(bot)
            text += "\n" + told.outcome(self._manager, ended, bot.name, "taking them over")
        await answers.say(interaction, text[:MESSAGE_MAX])

    def later_pages(self, bot: Bot) -> list[EditPage]:
        """The pages with something that was not asked for at creation."""
        pages = self._manager.edits.pages(bot)
        return [page for page in pages if any(item.later for item in page.inputs)]

    def _page(self, bot: Bot, key: str) -> EditPage:
        pages = {page.key: page for page in self._manager.edits.pages(bot)}
        if not pages:
            raise NotReady(
                f"{bot.name} has no settings to change.",
                hint=f"Its secrets are replaced with /bot secrets {bot.name}.",
                code="nothing-to-ask",
            )
        if key and key not in pages:
            raise NotFound(
                f"{bot.name} has no such page of settings.",
                hint=f"There is: {', '.join(pages)}.",
                code="no-such-page",
            )
        return pages[key] if key else next(iter(pages.values()))

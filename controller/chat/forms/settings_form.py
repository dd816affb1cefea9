"""A bot's settings: each page of them is a modal, filled with what is set.

The modal must be the first answer, so everything before it comes from memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import discord

from controller.chat.forms import modals
from controller.chat.forms.drafts import Drafts
from controller.chat.forms.pages import SettingsPage, settings_pages
from controller.chat.languages import say, told
from controller.chat.requests.buttons import button, row
from controller.chat.requests.card_buttons import answer_buttons
from controller.chat.requests.custom_ids import key_in, named_by, short
from controller.chat.requests.request import Request
from controller.chat.requests.selects import Option, select
from controller.chat.words.bot_facts import inside_of, outcome_of
from controller.chat.words.failures import NOTHING_DONE, failure_words
from controller.chat.words.limits import BUTTONS_A_ROW
from controller.chat.words.sequel_words import after_settings
from controller.chat.words.text import plain
from controller.domain.bot import Bot
from controller.domain.errors import NotFound, NotReady
from controller.domain.names import meant
from controller.domain.phase import Phase
from controller.manager import Manager


class SettingsForm:
    """Shows pages of settings and takes them back."""

    def __init__(self, manager: Manager, drafts: Drafts) -> None:
        self._manager = manager
        self._drafts = drafts

    async def open(self, request: Request, bot: Bot) -> None:
        """Show the page that a button names."""
        await self.open_page(request, bot, key_in(request.arguments))

    async def choose(self, request: Request, bot: Bot) -> None:
        """Show the only page of settings, or ask which."""
        await self._manager.edits.open(request.caller, bot)
        pages = self.pages(bot)
        if len(pages) < 2:
            await self.open_page(request, bot, "")
            return
        options = [
            Option(
                page.title,
                ("edit", bot.id, short(page.key)),
                ", ".join(told(item.label) for item in page.inputs),
            )
            for page in pages
        ]
        await request.reply(
            say("**{name}** — which settings?", name=bot.name),
            view=row([select(say("Settings"), bot.id, options)]),
        )

    async def open_page(self, request: Request, bot: Bot, key: str) -> None:
        """Show a page of settings; "" is the first one."""
        fields = await self._manager.edits.open(request.caller, bot)
        page = _page_of(bot, settings_pages(fields), key)
        ids = ("edit", bot.id, short(page.key))
        set_now = {item.name: bot.fields.get(item.name, item.default) for item in page.inputs}
        shown = {**set_now, **self._drafts.read(request.person, ids)}
        boxes = (modals.box_of(item, shown[item.name]) for item in page.inputs)
        title = modals.title_with(page.title, say(" of {name}", name=bot.name))
        await request.open_modal(modals.modal(title, ids, boxes))

    async def submit(self, request: Request, bot: Bot) -> None:
        """Store a page of settings, and follow the bot until it runs with them."""
        key = key_in(request.arguments)
        values = modals.values_of(request.interaction)
        page = _page_of(bot, self.pages(bot), key)
        names = [spec.name for spec in page.inputs]
        await request.acknowledge()
        try:
            done = await self._manager.edits.submit(request.caller, bot, names, values)
        except NOTHING_DONE as error:
            self._drafts.keep(
                request.person, ("edit", bot.id, short(page.key)), page.inputs, values
            )
            await request.reply(failure_words(error), view=page_buttons(bot, [page]))
            return
        self._drafts.drop(request.person, ("edit", bot.id, short(page.key)))
        await self._follow(request, bot, f"{plain(page.title)}: {after_settings(done)}")

    async def change_choice(
        self,
        request: Request,
        bot: Bot,
        provider: str | None,
        model: str | None,
        channel: str | None,
        limits: Mapping[str, str],
    ) -> None:
        """Give the bot another model, provider or channel, or limits, and follow it until it runs
        with them."""
        await request.acknowledge()
        done = await self._manager.edits.choose(
            request.caller, bot, provider=provider, model=model, channel=channel, limits=limits
        )
        words = (
            f"{', '.join(map(told, done.changed))}: {after_settings(done)}" if done.changed else ""
        )
        if {"provider", "channel"} & set(done.changed):
            hint = say("Should it need other secrets now: `/bot secrets {name}`.", name=bot.name)
            words += f" {hint}"
        await self._follow(request, bot, words or after_settings(done))

    async def _follow(self, request: Request, bot: Bot, words: str) -> None:
        text = f"**{bot.name}** — {words}"
        warning = inside_of(self._manager, bot)
        text += f"\n{warning}" if warning else ""
        await request.reply(f"✅ {text}", more=True)
        await self._reply_at_end(request, bot, text)

    async def _reply_at_end(self, request: Request, bot: Bot, stored: str) -> None:
        """Say what was stored, and how the bot is with it: first, if it isn't well."""
        view = self._manager.bots.get(bot.id)
        if view is None or view.phase is Phase.CREATED:
            await request.reply(f"✅ {stored}")
            return
        ended = await self._manager.lifecycle.follow(bot)
        outcome = outcome_of(self._manager, ended, bot.name, say("applying them"))
        if ended is None or not ended.phase.bad:
            await request.reply(f"✅ {stored}\n{outcome}")
            return
        offered = answer_buttons(ended, now=self._manager.bots.engine_time())
        await request.reply(f"{outcome}\n{stored}", view=row(offered))

    def pages(self, bot: Bot) -> tuple[SettingsPage, ...]:
        """All settings of the bot, in pages."""
        return settings_pages(self._manager.edits.fields(bot))

    def later_pages(self, bot: Bot) -> list[SettingsPage]:
        """The pages with settings that the first form doesn't ask for."""
        return [page for page in self.pages(bot) if any(item.later for item in page.inputs)]


def _page_of(bot: Bot, every: Sequence[SettingsPage], key: str) -> SettingsPage:
    pages = {page.key: page for page in every}
    if not pages:
        raise NotReady(
            f"{bot.name} has no settings to change.",
            hint=f"To replace its secrets, use /bot secrets {bot.name}.",
            code="nothing-to-ask",
        )
    titles = {page.key: page.title for page in every}
    key = meant(key, titles) or named_by(key, pages).strip()
    if key and key not in pages:
        raise NotFound(
            f"{bot.name} has no such page of settings.",
            hint=f"Available: {', '.join(pages)}.",
            code="no-such-page",
        )
    return pages[key] if key else next(iter(pages.values()))


def page_buttons(bot: Bot, pages: Sequence[SettingsPage]) -> discord.ui.View | None:
    """A button for each page of settings, as many as fit into a row. Each opens its modal."""
    return row(
        button(page.title, "edit", bot.id, short(page.key)) for page in pages[:BUTTONS_A_ROW]
    )

"""`/bot do` and `/bot edit`: what is done inside one bot. The rest of `/bot` is in `bot_commands`.

Both may answer with a modal, which must be the first answer: nothing here waits before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from discord import app_commands

from controller.catalog import Template
from controller.chat.commands.suggestions import Choices, suggest, suggest_bots, suggest_titled
from controller.chat.commands.with_request import with_request
from controller.chat.forms.action_form import ActionForm
from controller.chat.forms.settings_form import SettingsForm
from controller.chat.languages import say
from controller.chat.requests.request import Request
from controller.domain.acts import BOT_DO, BOT_EDIT
from controller.domain.bot import Bot
from controller.domain.bot_limits import CPUS, MEMORY, PIDS
from controller.domain.names import meant
from controller.manager import Manager


class InsideCommands:
    """Two commands that become part of the group `/bot`."""

    def __init__(self, manager: Manager, actions: ActionForm, settings: SettingsForm) -> None:
        self._manager = manager
        self._action_form = actions
        self._settings_form = settings

    def all(self) -> list[app_commands.Command[Any, ..., Any]]:
        """Both commands, for a group to add."""
        do: app_commands.Command[Any, ..., Any] = app_commands.Command(
            name="do", description="Run one of a bot's own actions", callback=self.do
        )
        edit: app_commands.Command[Any, ..., Any] = app_commands.Command(
            name="edit",
            description="Change its settings in a form, or its model, channel or limits",
            callback=self.edit,
        )
        for command in (do, edit):
            command.autocomplete("name")(self.names)
        do.autocomplete("action")(self.actions)
        edit.autocomplete("page")(self.pages)
        edit.autocomplete("provider")(self.providers)
        edit.autocomplete("model")(self.models)
        edit.autocomplete("channel")(self.channels)
        edit.autocomplete("memory")(self.memories)
        edit.autocomplete("cpus")(self.cpu_shares)
        edit.autocomplete("pids")(self.pid_counts)
        return [do, edit]

    @app_commands.describe(name="Which bot", action="What to do")
    @with_request
    async def do(self, request: Request, name: str, action: str) -> None:
        """Run an action, after a form if it must be told something."""
        view = await self._manager.bots.named(request.caller, BOT_DO, name)
        request.is_about(view.bot)
        name_of_action = self._manager.actions.meant(view.bot, action)
        await self._action_form.begin(request, view.bot, name_of_action)

    @app_commands.describe(
        name="Which bot",
        page="Which settings; left out, the first page",
        provider="Another provider, without a form",
        model="Another model, without a form",
        channel="Another channel, without a form",
        memory="Another memory limit, like 512m or 1g",
        cpus="Another CPU limit, like 0.5 or 2",
        pids="The most processes, like 128",
    )
    @with_request
    async def edit(  # noqa: PLR0913, PLR0917 - each is an option of the command
        self,
        request: Request,
        name: str,
        page: str | None = None,
        provider: str | None = None,
        model: str | None = None,
        channel: str | None = None,
        memory: str | None = None,
        cpus: str | None = None,
        pids: str | None = None,
    ) -> None:
        """Open a page of settings, or make the choice."""
        view = await self._manager.bots.named(request.caller, BOT_EDIT, name)
        request.is_about(view.bot)
        typed = {MEMORY: memory, CPUS: cpus, PIDS: pids}
        limits = {name: value for name, value in typed.items() if value is not None}
        if provider or model or channel or limits:
            choice = (provider, model, channel, limits)
            await self._settings_form.change_choice(request, view.bot, *choice)
            return
        await self._settings_form.open_page(request, view.bot, page or "")

    @with_request
    async def names(self, request: Request, typed: str) -> Choices:
        """The bots that the person may see."""
        assert request.way is not None
        shown = self._manager.bots.visible(request.caller.principal, request.way.act)
        return suggest_bots(typed, request.way.act, shown)

    @with_request
    async def actions(self, request: Request, typed: str) -> Choices:
        """The actions that this person may run on the bot named so far."""
        bot = self._named(request)
        if bot is None:
            return []
        allowed = self._manager.actions.allowed(request.caller, bot)
        return suggest_titled(typed, {name: action.title for name, action in allowed.items()})

    @with_request
    async def pages(self, request: Request, typed: str) -> Choices:
        """The pages of settings of the bot named so far."""
        bot = self._named(request)
        pages = self._settings_form.pages(bot) if bot else ()
        return suggest_titled(typed, {page.key: page.title for page in pages})

    @with_request
    async def providers(self, request: Request, typed: str) -> Choices:
        """The providers of the bot named so far."""
        template = self._template(request)
        found = template.providers if template else {}
        return suggest_titled(typed, {name: one.title for name, one in found.items()})

    @with_request
    async def models(self, request: Request, typed: str) -> Choices:
        """The models of the provider chosen so far."""
        bot, template = self._named(request), self._template(request)
        if bot is None or template is None:
            return []
        titles = {name: one.title for name, one in template.providers.items()}
        chosen = meant(request.option("provider"), titles) or bot.provider
        found = template.providers.get(chosen)
        return suggest(typed, found.models) if found else []

    @with_request
    async def channels(self, request: Request, typed: str) -> Choices:
        """The channels of the bot named so far."""
        template = self._template(request)
        found = template.channels if template else {}
        return suggest_titled(typed, {name: one.title for name, one in found.items()})

    @with_request
    async def memories(self, request: Request, typed: str) -> Choices:
        """Usual memory limits, and the template's."""
        return self._limits(request, typed, MEMORY, ("128m", "256m", "512m", "1g", "2g"))

    @with_request
    async def cpu_shares(self, request: Request, typed: str) -> Choices:
        """Usual CPU limits, and the template's."""
        return self._limits(request, typed, CPUS, ("0.25", "0.5", "1", "2"))

    @with_request
    async def pid_counts(self, request: Request, typed: str) -> Choices:
        """Usual limits of processes, and the template's."""
        return self._limits(request, typed, PIDS, ("64", "128", "256", "512"))

    def _limits(self, request: Request, typed: str, name: str, usual: Sequence[str]) -> Choices:
        bot, template = self._named(request), self._template(request)
        if bot is None or template is None:
            return []
        own = f"{getattr(template.run.resources, name)}"
        titles = {"template": say("as its template says: {own}", own=own)} | {
            one: one for one in usual
        }
        # What is typed isn't bound to the usual ones.
        return suggest_titled(typed, titles) or suggest(typed, [typed.strip()])

    def _template(self, request: Request) -> Template | None:
        bot = self._named(request)
        return self._manager.bots.templates.get(bot.template) if bot else None

    def _named(self, request: Request) -> Bot | None:
        """The bot named so far, if the person may see it."""
        typed = request.option("name").strip().lower()
        seen = self._manager.bots.visible(request.caller.principal)
        return next((view.bot for view in seen if view.bot.name == typed), None)

"""`/bot …`: everything about one bot. `/bot do` and `/bot edit` are in `inside_commands`."""

from __future__ import annotations

from collections.abc import Mapping

import discord
from discord import app_commands

from controller.catalog import Template
from controller.catalog.tables import Option
from controller.chat.commands.closed import CLOSED
from controller.chat.commands.rooms import Rooms
from controller.chat.commands.suggestions import Choices, suggest, suggest_bots, suggest_titled
from controller.chat.commands.with_request import with_request
from controller.chat.languages import say, told
from controller.chat.requests.request import Request
from controller.domain.acts import (
    BOT_DELETE,
    BOT_HISTORY,
    BOT_LOGS,
    BOT_RESTART,
    BOT_SECRETS,
    BOT_SHOW,
    BOT_START,
    BOT_STOP,
    Act,
)
from controller.domain.names import meant
from controller.domain.phase import Phase
from controller.fleet.views import View
from controller.manager import Manager
from controller.manager.history import Choice
from controller.manager.lifecycle import Order


class BotCommands(app_commands.Group):
    """Create, watch, run and remove bots."""

    def __init__(self, manager: Manager, rooms: Rooms) -> None:
        super().__init__(
            name="bot", description="Create, watch, run and remove bots", default_permissions=CLOSED
        )
        self._manager = manager
        self._rooms = rooms

    @app_commands.command(description="Create a bot; what you leave out is asked for")
    @app_commands.describe(
        name="What it is called here: letters a-z, digits and dashes",
        template="What kind of bot",
        provider="Whose model it uses",
        model="Which model; any name of that provider's",
        channel="Where people talk to it",
    )
    @with_request
    async def create(
        self,
        request: Request,
        name: str,
        template: str | None = None,
        provider: str | None = None,
        model: str | None = None,
        channel: str | None = None,
    ) -> None:
        """Create a bot and offer the form for its secrets; without a template, ask for more."""
        order = Order(
            name=name, template=template or "", provider=provider, model=model, channel=channel
        )
        if template is None:
            await self._rooms.guide.begin(request, order)
            return
        await request.acknowledge()
        bot = await self._manager.lifecycle.create(request.caller, order)
        await self._rooms.secrets.offer_first(request, bot)

    @app_commands.command(name="list", description="Every bot and how it is")
    @app_commands.describe(
        phase="Only bots in this phase",
        template="Only bots of this template",
        text="Only bots with this in their name, model or channel",
    )
    @with_request
    async def list_bots(
        self,
        request: Request,
        phase: str | None = None,
        template: str | None = None,
        text: str | None = None,
    ) -> None:
        """Every bot the person may see."""
        await self._rooms.bot_list.show(
            request, self._rooms.bot_list.of_options(phase, template, text)
        )

    @app_commands.command(description="Everything about one bot")
    @app_commands.describe(name="Which bot")
    @with_request
    async def show(self, request: Request, name: str) -> None:
        """One bot in full, without any secret's value."""
        view = await self._named(request, BOT_SHOW, name)
        await self._rooms.looks.show(request, view.bot)

    @app_commands.command(description="The newest lines of a bot's log")
    @app_commands.describe(
        name="Which bot",
        lines="How many lines (50)",
        since="How far back, such as 10m or 2h",
        grep="Only lines with this text",
        stream="stdout, stderr or both",
    )
    @app_commands.choices(
        stream=[app_commands.Choice(name=s, value=s) for s in ("both", "stdout", "stderr")]
    )
    @with_request
    async def logs(
        self,
        request: Request,
        name: str,
        lines: int | None = None,
        since: str | None = None,
        grep: str | None = None,
        stream: str | None = None,
    ) -> None:
        """A snippet of the log, redacted."""
        view = await self._named(request, BOT_LOGS, name)
        query = self._manager.logbook.parse(lines, since, grep, stream)
        await self._rooms.logs.show(request, view.bot, query)

    @app_commands.command(description="Who asked what of a bot, and how it ended")
    @app_commands.describe(
        name="Which bot", who="Only what this person asked for", refusals="Also what was refused"
    )
    @with_request
    async def history(
        self,
        request: Request,
        name: str,
        who: discord.Member | discord.User | None = None,
        refusals: bool = False,
    ) -> None:
        """What happened to one bot, in pages."""
        view = await self._named(request, BOT_HISTORY, name)
        choice = Choice(by=str(who.id) if who else "", refusals=refusals)
        await self._rooms.past.show(request, view.bot, choice)

    @app_commands.command(description="Start a stopped bot")
    @app_commands.describe(name="Which bot")
    @with_request
    async def start(self, request: Request, name: str) -> None:
        """Start it."""
        view = await self._named(request, BOT_START, name)
        await self._rooms.power.start(request, view.bot)

    @app_commands.command(description="Stop a bot until somebody starts it")
    @app_commands.describe(name="Which bot")
    @with_request
    async def stop(self, request: Request, name: str) -> None:
        """Stop it."""
        view = await self._named(request, BOT_STOP, name)
        await self._rooms.power.stop(request, view.bot)

    @app_commands.command(description="Stop and start a bot, also after it was given up")
    @app_commands.describe(name="Which bot")
    @with_request
    async def restart(self, request: Request, name: str) -> None:
        """Restart it."""
        view = await self._named(request, BOT_RESTART, name)
        await self._rooms.power.restart(request, view.bot)

    @app_commands.command(description="Replace a bot's secrets; the form comes by DM")
    @app_commands.describe(name="Which bot")
    @with_request
    async def secrets(self, request: Request, name: str) -> None:
        """Offer the form again."""
        view = await self._named(request, BOT_SECRETS, name)
        await request.acknowledge()
        await self._rooms.secrets.offer_again(request, view.bot, rotate=not view.world.missing)

    @app_commands.command(description="Remove a bot and all of it (asks first)")
    @app_commands.describe(name="Which bot")
    @with_request
    async def delete(self, request: Request, name: str) -> None:
        """Ask first."""
        view = await self._named(request, BOT_DELETE, name)
        await self._rooms.power.ask_delete(request, view.bot)

    async def _named(self, request: Request, act: Act, name: str) -> View:
        view = await self._manager.bots.named(request.caller, act, name)
        request.is_about(view.bot)
        return view

    # Suggestions

    @show.autocomplete("name")
    @logs.autocomplete("name")
    @history.autocomplete("name")
    @start.autocomplete("name")
    @stop.autocomplete("name")
    @restart.autocomplete("name")
    @secrets.autocomplete("name")
    @delete.autocomplete("name")
    @with_request
    async def _names(self, request: Request, typed: str) -> Choices:
        assert request.way is not None
        shown = self._manager.bots.visible(request.caller.principal, request.way.act)
        return suggest_bots(typed, request.way.act, shown)

    @list_bots.autocomplete("phase")
    @with_request
    async def _phases(self, _: Request, typed: str) -> Choices:
        return suggest_titled(typed, {phase.value: told(phase.value) for phase in Phase})

    @create.autocomplete("template")
    @list_bots.autocomplete("template")
    @with_request
    async def _templates(self, _: Request, typed: str) -> Choices:
        return suggest_titled(typed, self._template_titles())

    @create.autocomplete("provider")
    @with_request
    async def _providers(self, request: Request, typed: str) -> Choices:
        template = self._template(request)
        return suggest_titled(typed, _titles(template.providers)) if template else []

    @create.autocomplete("model")
    @with_request
    async def _models(self, request: Request, typed: str) -> Choices:
        template = self._template(request)
        if template is None or not template.providers:
            return []
        first = next(iter(template.providers))
        typed_provider = request.option("provider") or first
        found = template.providers.get(meant(typed_provider, _titles(template.providers)) or "")
        return suggest(typed, found.models) if found else []

    def _template_titles(self) -> dict[str, str]:
        return {name: told(one.title) for name, one in self._manager.bots.templates.items()}

    def _template(self, request: Request) -> Template | None:
        """The template that was chosen so far, by its id or its title."""
        chosen = meant(request.option("template"), self._template_titles())
        return self._manager.bots.templates.get(chosen or "")

    @create.autocomplete("channel")
    @with_request
    async def _channels(self, request: Request, typed: str) -> Choices:
        template = self._template(request)
        return suggest_titled(typed, _titles(template.channels)) if template else []


def _titles(options: Mapping[str, Option]) -> dict[str, str]:
    """The titles of providers or channels, marking those that need a plugin in the image."""
    return {
        name: say("{title} (needs a plugin)", title=told(option.title))
        if option.needs
        else told(option.title)
        for name, option in options.items()
    }

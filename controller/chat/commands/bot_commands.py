"""`/bot …`: everything about one bot."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace

import discord
from discord import app_commands

from controller.catalog.tables import Option
from controller.chat.commands.suggestions import (
    Choices,
    asker_of,
    partial,
    suggest,
    suggest_titled,
)
from controller.chat.forms import secrets_form as forms
from controller.chat.logs.log_answers import LogView
from controller.chat.requests import addresses as buttons
from controller.chat.requests import delivery as answers
from controller.chat.requests.admission import Gate
from controller.chat.words import bot_facts as told
from controller.chat.words import bot_words as render
from controller.chat.words.text import MESSAGE_MAX, text_file
from controller.domain.errors import BadInput, NotReady
from controller.domain.phase import Phase
from controller.manager import Manager
from controller.manager.fleet import View
from controller.manager.lifecycle import Order
from controller.manager.logbook import parse_query

CONFIRM_SECONDS = 300.0


class BotCommands(app_commands.Group):
    """Create, watch, run and remove bots."""

    def __init__(self, manager: Manager, gate: Gate, logs: LogView) -> None:
        super().__init__(name="bot", description="Create, watch, run and remove bots")
        self._manager = manager
        self._gate = gate
        self._logs = logs

    @app_commands.command(description="Make a new bot; a form for its secrets comes by DM")
    @app_commands.describe(
        name="What it is called here: a-z, 0-9 and dashes",
        template="What kind of bot",
        provider="Whose model it uses",
        model="Which model; any name of that provider's",
        channel="Where people talk to it",
    )
    async def create(
        self,
        interaction: discord.Interaction,
        name: str,
        template: str,
        provider: str | None = None,
        model: str | None = None,
        channel: str | None = None,
    ) -> None:
        """Make a bot and offer the form for its secrets."""
        await answers.think(interaction)
        asker = asker_of(interaction)
        order = Order(name=name, template=template, provider=provider, model=model, channel=channel)
        bot = await self._manager.lifecycle.create(asker, order)
        credentials = self._manager.credentials
        form = await credentials.open_form(asker, bot, rotate=False)
        page = await credentials.page(asker, form.id, 0)
        warnings = (
            told.exposure_of(self._manager, bot),
            await told.doubts_of(self._manager, bot),
        )
        warning = "\n".join(filter(None, warnings))
        if page.inputs:
            await forms.offer(interaction, bot, form.id, rotate=False, warning=warning)
            return
        # Nothing to ask, so nobody to wait for; a request is in the audit once.
        await credentials.submit(replace(asker, request=None), form.id, 0, {})
        view = self._manager.fleet.get(bot.id)
        ended = await self._manager.lifecycle.follow(bot)
        made = f"**{bot.name}** is made; it has nothing to ask and starts by itself."
        outcome = self._outcome(ended, view, "starting") if view else ""
        words = filter(None, (made, warning, outcome))
        await answers.say(interaction, "\n".join(words)[:MESSAGE_MAX])

    @app_commands.command(name="list", description="Every bot and how it is")
    @app_commands.describe(phase="Only bots in this phase")
    async def list_bots(self, interaction: discord.Interaction, phase: str | None = None) -> None:
        """Every bot the person may see."""
        views = self._visible(interaction)
        if phase is not None:
            if phase not in list(Phase):
                raise BadInput(
                    "There is no such phase.", hint="One of: " + ", ".join(p.value for p in Phase)
                )
            views = [view for view in views if view.phase == phase]
            if not views:
                await answers.say(interaction, f"No bot is in the phase {phase}.")
                return
        text, whole = render.listing(views, self._manager.fleet.engine)
        make = (lambda: text_file(whole, "bots.tsv")) if whole is not None else None
        await answers.say(interaction, text, make_file=make)

    @app_commands.command(description="Everything about one bot")
    @app_commands.describe(name="Which bot")
    async def show(self, interaction: discord.Interaction, name: str) -> None:
        """One bot in full, without a value of a secret."""
        view = self._manager.fleet.named(name)
        await answers.think(interaction)
        prints = await self._manager.credentials.fingerprints_of(view.bot)
        text = render.show(
            view,
            self._manager.fleet.engine,
            prints,
            memory=told.memory_of(self._manager, view.bot),
            warning=told.exposure_of(self._manager, view.bot),
        )
        await answers.say(interaction, text)

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
    async def logs(
        self,
        interaction: discord.Interaction,
        name: str,
        lines: int | None = None,
        since: str | None = None,
        grep: str | None = None,
        stream: str | None = None,
    ) -> None:
        """A snippet of the log, redacted."""
        view = self._manager.fleet.named(name)
        query = parse_query(lines, since, grep, stream)
        await answers.think(interaction)
        await self._logs.newest(interaction, view.bot, query)

    @app_commands.command(description="Who asked what of a bot, and how it ended")
    @app_commands.describe(name="Which bot")
    async def history(self, interaction: discord.Interaction, name: str) -> None:
        """The newest lines of the audit about one bot."""
        view = self._manager.fleet.named(name)
        entries = await self._manager.audit.history(view.bot.id)
        await answers.say(interaction, render.history(entries, view.bot.name))

    @app_commands.command(description="Start a stopped bot")
    @app_commands.describe(name="Which bot")
    async def start(self, interaction: discord.Interaction, name: str) -> None:
        """Wish it to run."""
        view = self._ready_for_start(name)
        lifecycle = self._manager.lifecycle
        await self._act(
            interaction, view, "starting", lambda: lifecycle.start(asker_of(interaction), view.bot)
        )

    @app_commands.command(description="Stop a bot; it stays stopped until somebody starts it")
    @app_commands.describe(name="Which bot")
    async def stop(self, interaction: discord.Interaction, name: str) -> None:
        """Wish it to be stopped."""
        view = self._manager.fleet.named(name)
        lifecycle = self._manager.lifecycle
        await self._act(
            interaction, view, "stopping", lambda: lifecycle.stop(asker_of(interaction), view.bot)
        )

    @app_commands.command(description="Stop and start a bot, also after it was given up")
    @app_commands.describe(name="Which bot")
    async def restart(self, interaction: discord.Interaction, name: str) -> None:
        """Wish for a new run."""
        view = self._ready_for_start(name)
        lifecycle = self._manager.lifecycle
        await self._act(
            interaction,
            view,
            "restarting",
            lambda: lifecycle.restart(asker_of(interaction), view.bot),
        )

    @app_commands.command(description="Replace a bot's secrets; the form comes by DM")
    @app_commands.describe(name="Which bot")
    async def secrets(self, interaction: discord.Interaction, name: str) -> None:
        """Offer the form again."""
        view = self._manager.fleet.named(name)
        await answers.think(interaction)
        rotate = not view.world.missing
        asker = asker_of(interaction)
        form = await self._manager.credentials.open_form(asker, view.bot, rotate=rotate)
        page = await self._manager.credentials.page(asker, form.id, 0)
        if not page.inputs:
            raise NotReady(f"{view.bot.name} has no secrets to enter.", code="nothing-to-ask")
        await forms.offer(interaction, view.bot, form.id, rotate=rotate)

    @app_commands.command(description="Remove a bot: container, data, secrets (asks first)")
    @app_commands.describe(name="Which bot")
    async def delete(self, interaction: discord.Interaction, name: str) -> None:
        """Ask once, by a red button that names the bot."""
        view = self._manager.fleet.named(name)
        text = (
            f"Delete **{view.bot.name}**? Its container, its data and its secrets are removed. "
            "This cannot be undone. The button works for five minutes."
        )
        row = buttons.of_delete(view.bot, time.time() + CONFIRM_SECONDS)
        await answers.say(interaction, text, view=row)

    async def _act(
        self,
        interaction: discord.Interaction,
        view: View,
        doing: str,
        act: Callable[[], Awaitable[View | None]],
    ) -> None:
        await answers.think(interaction)
        ended = await act()
        await answers.say(interaction, self._outcome(ended, view, doing))

    def _outcome(self, ended: View | None, view: View, doing: str) -> str:
        return told.outcome(self._manager, ended, view.bot.name, doing)

    def _ready_for_start(self, name: str) -> View:
        view = self._manager.fleet.named(name)
        if view.phase is Phase.CREATED:
            raise NotReady(
                f"{view.bot.name} has no secrets yet: {', '.join(view.world.missing)}.",
                hint=f"Enter them: /bot secrets {view.bot.name}.",
                code="secrets-missing",
            )
        return view

    def _visible(self, interaction: discord.Interaction) -> list[View]:
        person = asker_of(interaction).person
        return [v for v in self._manager.fleet if self._gate.visible(person, v.bot.id)]

    # Suggestions: from memory alone, since they are asked for at every key stroke

    @show.autocomplete("name")
    @logs.autocomplete("name")
    @history.autocomplete("name")
    @start.autocomplete("name")
    @stop.autocomplete("name")
    @restart.autocomplete("name")
    @secrets.autocomplete("name")
    @delete.autocomplete("name")
    async def _names(self, interaction: discord.Interaction, typed: str) -> Choices:
        return suggest(typed, (view.bot.name for view in self._visible(interaction)))

    @list_bots.autocomplete("phase")
    async def _phases(self, _: discord.Interaction, typed: str) -> Choices:
        return suggest(typed, (phase.value for phase in Phase))

    @create.autocomplete("template")
    async def _templates(self, _: discord.Interaction, typed: str) -> Choices:
        templates = self._manager.catalog.templates
        return suggest_titled(typed, {name: one.title for name, one in templates.items()})

    @create.autocomplete("provider")
    async def _providers(self, interaction: discord.Interaction, typed: str) -> Choices:
        template = self._manager.catalog.templates.get(partial(interaction, "template"))
        return suggest_titled(typed, _titles(template.providers)) if template else []

    @create.autocomplete("model")
    async def _models(self, interaction: discord.Interaction, typed: str) -> Choices:
        template = self._manager.catalog.templates.get(partial(interaction, "template"))
        if template is None or not template.providers:
            return []
        provider = partial(interaction, "provider") or next(iter(template.providers))
        found = template.providers.get(provider)
        return suggest(typed, found.models) if found else []

    @create.autocomplete("channel")
    async def _channels(self, interaction: discord.Interaction, typed: str) -> Choices:
        template = self._manager.catalog.templates.get(partial(interaction, "template"))
        return suggest_titled(typed, _titles(template.channels)) if template else []


def _titles(options: Mapping[str, Option]) -> dict[str, str]:
    """The titles of providers or channels, with a mark at what not every image can do."""
    return {
        name: f"{option.title} (needs a plugin)" if option.needs else option.title
        for name, option in options.items()
    }

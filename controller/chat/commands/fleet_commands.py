"""`/fleet …`: the installation as a whole."""

from __future__ import annotations

import discord
from discord import app_commands

import controller
from controller.chat.commands.suggestions import asker_of
from controller.chat.discord_check import NEEDED
from controller.chat.requests import delivery as answers
from controller.chat.requests.admission import Gate
from controller.chat.words import bot_words as render
from controller.chat.words.bot_facts import memory_of
from controller.chat.words.text import MESSAGE_MAX, plain, plural
from controller.manager import Manager
from controller.manager.doctor import Finding, examine, worded


class FleetCommands(app_commands.Group):
    """The installation as a whole."""

    def __init__(self, manager: Manager, gate: Gate) -> None:
        super().__init__(name="fleet", description="All bots together, and BotMaker itself")
        self._manager = manager
        self._gate = gate

    @app_commands.command(description="How the fleet is, and what needs somebody")
    async def status(self, interaction: discord.Interaction) -> None:
        """Counts, the engine, and the bots that need somebody. No engine call."""
        person = asker_of(interaction).person
        manager = self._manager
        views = [v for v in manager.fleet if self._gate.visible(person, v.bot.id)]
        text = render.fleet_status(
            manager.fleet,
            views,
            manager.started_at,
            controller.__version__,
            lambda bot: memory_of(manager, bot),
        )
        await answers.say(interaction, text)

    @app_commands.command(description="Containers, volumes and folders of ours without a bot")
    async def orphans(self, interaction: discord.Interaction) -> None:
        """What is left over. Nothing is removed."""
        await answers.think(interaction)
        found = await self._manager.orphans.find()
        if not found:
            await answers.say(interaction, "Nothing is left over: everything belongs to a bot.")
            return
        head = f"{plural(len(found), 'thing')} without a bot. Nothing was removed."
        lines = [f"{item.kind} `{item.name}` {plain(item.state)}".rstrip() for item in found]
        await answers.say(interaction, "\n".join([head, *lines])[:MESSAGE_MAX])

    @app_commands.command(description="Check everything that BotMaker needs")
    async def doctor(self, interaction: discord.Interaction) -> None:
        """Every check with its remedy."""
        await answers.think(interaction)
        findings = await examine(self._manager.patient)
        findings.append(_permissions(interaction.app_permissions))
        lines = [plain(line) for line in worded(findings)]
        await answers.say(interaction, "\n".join(lines)[:MESSAGE_MAX])


def _permissions(has: discord.Permissions) -> Finding:
    missing = [
        name.replace("_", " ") for name, needed in NEEDED if needed and not getattr(has, name)
    ]
    if not missing:
        return Finding("permissions", True, "all that are needed in this channel")
    remedy = "Give them to BotMaker's role in this channel's settings."
    return Finding("permissions", False, f"missing: {', '.join(missing)}", remedy)

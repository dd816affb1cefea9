"""`/access …`: who may do what, and a way to try it out."""

from __future__ import annotations

from typing import Literal

import discord
from discord import app_commands

from controller.chat.commands.suggestions import asker_of, suggest
from controller.chat.requests import delivery as answers
from controller.chat.requests.admission import Gate
from controller.chat.requests.rules import RULES
from controller.chat.words.text import MESSAGE_MAX
from controller.domain.access import Grant, Person
from controller.domain.roles import Role
from controller.manager import Manager

ROLES = [
    app_commands.Choice(name=f"{role.word} — {what}", value=role.word)
    for role, what in (
        (Role.VIEWER, "lists, logs, history"),
        (Role.OPERATOR, "also start, stop, restart"),
        (Role.ADMIN, "everything"),
    )
]
Who = discord.Member | discord.User | discord.Role  # a user: somebody who is not in the server


class AccessCommands(app_commands.Group):
    """Who may do what."""

    def __init__(self, manager: Manager, gate: Gate) -> None:
        super().__init__(name="access", description="Who may do what with the bots")
        self._manager = manager
        self._gate = gate

    @app_commands.command(description="Give a person or a Discord role a role here")
    @app_commands.describe(
        who="A person or a Discord role", role="What they may do", bot="For this bot only"
    )
    @app_commands.choices(role=ROLES)
    async def grant(
        self, interaction: discord.Interaction, who: Who, role: str, bot: str | None = None
    ) -> None:
        """Give a role, for all bots or for one."""
        kind, bot_id = _kind(who), self._bot_id(bot)
        given = Role.parse(role)
        assert given is not None, "Discord offers the choices only"
        asker = asker_of(interaction)
        detail = f"{given.word} to {kind} {who.id}"
        target = self._manager.fleet.named(bot).bot if bot else None
        async with self._manager.audit.entry(asker, "grant", target, detail):
            await self._manager.access.grant(Grant(kind, who.id, given, bot_id))
        await answers.say(interaction, f"✅ {who.mention} is {given.word} {_scope(bot)}.")

    @app_commands.command(description="Take a granted role away")
    @app_commands.describe(who="A person or a Discord role", bot="The grant for this bot")
    async def revoke(
        self, interaction: discord.Interaction, who: Who, bot: str | None = None
    ) -> None:
        """Take away what /access grant gave."""
        kind, bot_id = _kind(who), self._bot_id(bot)
        target = self._manager.fleet.named(bot).bot if bot else None
        asker = asker_of(interaction)
        async with self._manager.audit.entry(asker, "revoke", target, f"from {kind} {who.id}"):
            await self._manager.access.revoke(kind, who.id, bot_id)
        await answers.say(interaction, f"✅ {who.mention} has no granted role {_scope(bot)} now.")

    @app_commands.command(name="list", description="Every grant and where it comes from")
    async def list_grants(self, interaction: discord.Interaction) -> None:
        """Every grant in force."""
        lines = ["Everybody else may do nothing."]
        for grant in self._manager.access.grants:
            view = self._manager.fleet.get(grant.bot_id) if grant.bot_id else None
            if grant.bot_id and view is None:
                continue  # of a bot that is gone: it gives nothing
            scope = _scope(view.bot.name if view else None)
            lines.append(f"{_mention(grant)} is {grant.role.word} {scope} ({grant.source})")
        await answers.say(interaction, "\n".join(lines)[:MESSAGE_MAX])

    @app_commands.command(description="What a person or role may do, and why")
    @app_commands.describe(who="A person or a Discord role", bot="To this bot")
    async def test(
        self, interaction: discord.Interaction, who: Who, bot: str | None = None
    ) -> None:
        """Every command, allowed or not, by the same rules as in earnest."""
        person = _person(who)
        access, bot_id = self._manager.access, self._bot_id(bot)
        grant = access.why(person, bot_id)
        role = grant.role if grant else Role.NONE
        because = f" ({_mention(grant)}: {grant.source})" if grant else ""
        lines = [f"{who.mention} is **{role.word}** {_scope(bot)}{because}."]
        for view in self._manager.fleet if not bot else ():
            more = access.role_of(person, view.bot.id)
            if more > role:
                lines.append(f"For **{view.bot.name}** alone: {more.word}.")
        for act, rule in RULES.items():
            if not act.startswith(("button", "modal")):
                may = role >= rule.role
                may = may or (rule.any_bot and self._gate.has_anywhere(person, rule.role))
                needs = "" if may else f" — needs {rule.role.word}"
                lines.append(f"{'✅' if may else '❌'} /{act}{needs}")
        await answers.say(interaction, "\n".join(lines)[:MESSAGE_MAX])

    @grant.autocomplete("bot")
    @revoke.autocomplete("bot")
    @test.autocomplete("bot")
    async def _names(self, _: discord.Interaction, typed: str) -> list[app_commands.Choice[str]]:
        return suggest(typed, (view.bot.name for view in self._manager.fleet))

    def _bot_id(self, name: str | None) -> str:
        return self._manager.fleet.named(name).bot.id if name else ""


def _kind(who: Who) -> Literal["user", "role"]:
    return "role" if isinstance(who, discord.Role) else "user"


def _person(who: Who) -> Person:
    if isinstance(who, discord.Role):
        return Person(0, frozenset({who.id}))
    held = who.roles if isinstance(who, discord.Member) else ()
    return Person(who.id, frozenset(role.id for role in held), who.name)


def _mention(grant: Grant) -> str:
    return f"<@&{grant.subject}>" if grant.kind == "role" else f"<@{grant.subject}>"


def _scope(bot: str | None) -> str:
    return f"for **{bot}**" if bot else "for all bots"

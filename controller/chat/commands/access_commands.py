"""`/access …`: who may do what, and a way to try it out."""

from __future__ import annotations

from typing import Literal

import discord
from discord import app_commands

from controller.chat.commands.suggestions import Choices, suggest
from controller.chat.commands.with_request import with_request
from controller.chat.requests.request import Request
from controller.chat.requests.rights import Rights
from controller.chat.requests.ways import command_of
from controller.chat.words.text import fitted
from controller.domain.access import Grant, Person
from controller.domain.acts import ACTS
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
Who = discord.Member | discord.User | discord.Role  # a user is somebody outside the server


class AccessCommands(app_commands.Group):
    """Who may do what."""

    def __init__(self, manager: Manager, rights: Rights) -> None:
        super().__init__(name="access", description="Who may do what with the bots")
        self._manager = manager
        self._rights = rights

    @app_commands.command(description="Give a person or a Discord role a role here")
    @app_commands.describe(
        who="A person or a Discord role", role="What they may do", bot="For this bot only"
    )
    @app_commands.choices(role=ROLES)
    @with_request
    async def grant(self, request: Request, who: Who, role: str, bot: str | None = None) -> None:
        """Give a role, for all bots or for one."""
        kind, bot_id = _kind(who), self._bot_id(bot)
        given = Role.parse(role)
        assert given is not None, "Discord offers the choices only"
        detail = f"{given.word} to {kind} {who.id}"
        target = self._manager.fleet.named(bot).bot if bot else None
        async with self._manager.audit.entry(request.asker, "grant", target, detail):
            await self._manager.access.grant(Grant(kind, who.id, given, bot_id))
        await request.reply(f"✅ {who.mention} is {given.word} {_scope(bot)}.")

    @app_commands.command(description="Take a granted role away")
    @app_commands.describe(who="A person or a Discord role", bot="The grant for this bot")
    @with_request
    async def revoke(self, request: Request, who: Who, bot: str | None = None) -> None:
        """Take away what /access grant gave."""
        kind, bot_id = _kind(who), self._bot_id(bot)
        target = self._manager.fleet.named(bot).bot if bot else None
        detail = f"from {kind} {who.id}"
        async with self._manager.audit.entry(request.asker, "revoke", target, detail):
            await self._manager.access.revoke(kind, who.id, bot_id)
        await request.reply(f"✅ Removed {who.mention}'s access {_to(bot)}.")

    @app_commands.command(name="list", description="Every grant and where it comes from")
    @with_request
    async def list_grants(self, request: Request) -> None:
        """Every grant in force."""
        lines = []
        for grant in self._manager.access.grants:
            view = self._manager.fleet.get(grant.bot_id) if grant.bot_id else None
            if grant.bot_id and view is None:
                continue  # the bot is gone, so it gives nothing
            scope = _scope(view.bot.name if view else None)
            lines.append(f"{_mention(grant)} is {grant.role.word} {scope} ({grant.source})")
        lines.append("Nobody else has access.")
        await request.reply(fitted("\n".join(lines)))

    @app_commands.command(description="What a person or role may do, and why")
    @app_commands.describe(who="A person or a Discord role", bot="To this bot")
    @with_request
    async def test(self, request: Request, who: Who, bot: str | None = None) -> None:
        """Every act by its command, allowed or not, by the rules that hold for real."""
        person, bot_id = _person(who), self._bot_id(bot)
        grant = self._manager.access.why(person, bot_id)
        lines = [f"{who.mention} {_has(grant, bot)}."]
        role = grant.role if grant else Role.NONE
        for view in self._manager.fleet if not bot else ():
            more = self._manager.access.role_of(person, view.bot.id)
            if more > role:
                lines.append(f"For **{view.bot.name}** alone: {more.word}.")
        for act in ACTS.values():
            may = self._rights.may(person, act, bot_id)
            needs = "" if may else f" — needs {act.role.word}"
            lines.append(f"{'✅' if may else '❌'} /{command_of(act)}{needs}")
        await request.reply(fitted("\n".join(lines)))

    @grant.autocomplete("bot")
    @revoke.autocomplete("bot")
    @test.autocomplete("bot")
    @with_request
    async def _names(self, _: Request, typed: str) -> Choices:
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


def _has(grant: Grant | None, bot: str | None) -> str:
    """Which role that is, and where it comes from."""
    if grant is None:
        return f"has no access {_to(bot)}"
    return f"is **{grant.role.word}** {_scope(bot)} ({_mention(grant)}: {grant.source})"


def _to(bot: str | None) -> str:
    return f"to **{bot}**" if bot else "to all bots"


def _scope(bot: str | None) -> str:
    return f"for **{bot}**" if bot else "for all bots"

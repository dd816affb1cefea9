"""`/access …`: who may do what, and a way to try it out."""

from __future__ import annotations

from typing import Literal

import discord
from discord import app_commands

from controller.chat.commands.access_roles import ROLES
from controller.chat.commands.closed import CLOSED
from controller.chat.commands.everyone import Grants
from controller.chat.commands.suggestions import Choices, suggest
from controller.chat.commands.token_commands import TokenCommands
from controller.chat.commands.with_request import with_request
from controller.chat.languages import command, say, told
from controller.chat.requests.admission import roles_of
from controller.chat.requests.request import Request
from controller.chat.requests.ways import WITHOUT_COMMAND, command_of
from controller.chat.words.text import moment, plain
from controller.domain.access import Grant, Principal, discord_user
from controller.domain.acts import (
    ACCESS_GRANT,
    ACCESS_REVOKE,
    ACCESS_SESSIONS,
    ACCESS_TEST,
    ACCESS_WEB,
    ACTS,
    Act,
)
from controller.domain.bot import Bot
from controller.domain.errors import NotReady
from controller.domain.roles import Role
from controller.manager import Manager
from controller.store import WebSession

_SHOWN = (
    "If Discord doesn't offer them the commands: Server Settings → Integrations → this bot → "
    "Add roles or members."
)
Who = discord.Member | discord.User | discord.Role  # a user is somebody outside the server


class AccessCommands(app_commands.Group):
    """Who may do what."""

    def __init__(self, manager: Manager, grants: Grants, public_url: str) -> None:
        super().__init__(
            name="access", description="Who may do what with the bots", default_permissions=CLOSED
        )
        self._manager = manager
        self._grants = grants
        self._public_url = public_url
        self.add_command(TokenCommands(manager))

    @app_commands.command(description="Give a person or a Discord role a role here")
    @app_commands.describe(
        who="A person or a Discord role", role="What they may do", bot="For this bot only"
    )
    @app_commands.choices(role=ROLES)
    @with_request
    async def grant(self, request: Request, who: Who, role: str, bot: str | None = None) -> None:
        """Give a role, for all bots or for one."""
        given = Role.parse(role)
        assert given is not None, "Discord offers the choices only"
        if isinstance(who, discord.Role) and who.is_default() and given > Role.VIEWER and not bot:
            await self._grants.ask(request, given)
            return
        target = await self._named(request, ACCESS_GRANT, bot)
        grant = Grant(_kind(who), who.id, given, target.id if target else "")
        await self._manager.access.grant(request.caller, grant, target)
        await request.reply(
            say(
                "✅ {mention} is {role} {scope}.",
                mention=who.mention,
                role=told(given.word),
                scope=_scope(bot),
            )
            + "\n"
            + say(_SHOWN)
        )

    @app_commands.command(description="Take a granted role away")
    @app_commands.describe(who="A person or a Discord role", bot="The grant for this bot")
    @with_request
    async def revoke(self, request: Request, who: Who, bot: str | None = None) -> None:
        """Take away what /access grant gave."""
        target = await self._named(request, ACCESS_REVOKE, bot)
        await self._manager.access.revoke(request.caller, _kind(who), who.id, target)
        await request.reply(
            say("✅ Removed {mention}'s access {to}.", mention=who.mention, to=_to(bot))
        )

    @app_commands.command(name="list", description="Every grant and where it comes from")
    @with_request
    async def list_grants(self, request: Request) -> None:
        """Every grant in force."""
        lines = []
        for grant in await self._manager.access.listed(request.caller):
            view = self._manager.bots.get(grant.bot_id) if grant.bot_id else None
            if grant.bot_id and view is None:
                continue  # the bot is gone, so it gives nothing
            scope = _scope(view.bot.name if view else None)
            lines.append(
                say(
                    "{mention} is {role} {scope} ({source})",
                    mention=_mention(grant),
                    role=told(grant.role.word),
                    scope=scope,
                    source=told(grant.source),
                )
            )
        lines.append(say("Nobody else has access."))
        await request.reply("\n".join(lines))

    @app_commands.command(description="What a person or role may do, and why")
    @app_commands.describe(who="A person or a Discord role", bot="To this bot")
    @with_request
    async def test(self, request: Request, who: Who, bot: str | None = None) -> None:
        """Every act by its command, allowed or not, by the rules that hold for real."""
        target = await self._named(request, ACCESS_TEST, bot)
        access = self._manager.access
        acts = [act for act in ACTS.values() if act not in WITHOUT_COMMAND]
        found = await access.test(request.caller, _principal(who), target, acts)
        lines = [f"{who.mention} {_has(found.grant, bot)}."]
        for act in acts:
            may = found.allowed[act.id]
            needs = "" if may else say(" — needs {role}", role=told(act.role.word))
            lines.append(f"{'✅' if may else '❌'} {command(command_of(act))}{needs}")
        lines += [
            say("For **{name}** alone: {role}.", name=name, role=told(role.word))
            for name, role in found.more.items()
        ]
        await request.reply("\n".join(lines))

    @app_commands.command(description="A private link to the dashboard, used once")
    @with_request
    async def web(self, request: Request) -> None:
        """A link button; the code is behind the # and so in no log."""
        await self._manager.access.require(request.caller, ACCESS_WEB)
        if not self._public_url:
            raise NotReady(
                "The dashboard is off.",
                hint="Set BOTMAKER_API=1, and BOTMAKER_PUBLIC_URL for other machines.",
                code="web-off",
            )
        code = await self._manager.web_sessions.invite(request.caller)
        view = discord.ui.View()
        url = f"{self._public_url}/login#{code}"
        view.add_item(discord.ui.Button(label=say("Sign in"), url=url))
        words = say("This signs you in once, within five minutes. Pass it on to nobody.")
        await request.reply(words, view=view)

    @app_commands.command(description="Who is signed in to the dashboard; or end a session")
    @app_commands.describe(end="End this session at once")
    @with_request
    async def sessions(self, request: Request, end: str | None = None) -> None:
        """Every session, or the end of one."""
        sessions = self._manager.web_sessions
        if end:
            ended = await sessions.end(request.caller, end)
            await request.reply(
                say("✅ <@{user_id}> is signed out of that browser.", user_id=ended.user_id)
            )
            return
        lines = [_session(one) for one in await sessions.listed(request.caller)]
        await request.reply("\n".join(lines) or say("Nobody is signed in."))

    @sessions.autocomplete("end")
    @with_request
    async def _sessions(self, request: Request, typed: str) -> Choices:
        if not self._manager.access.may(request.caller.principal, ACCESS_SESSIONS):
            return suggest(typed, ())
        found = await self._manager.web_sessions.listed(request.caller)
        return suggest(typed, (one.id for one in found))

    @grant.autocomplete("bot")
    @revoke.autocomplete("bot")
    @test.autocomplete("bot")
    @with_request
    async def _names(self, _: Request, typed: str) -> Choices:
        return suggest(typed, (view.bot.name for view in self._manager.bots))

    async def _named(self, request: Request, act: Act, name: str | None) -> Bot | None:
        if not name:
            return None
        return (await self._manager.bots.named(request.caller, act, name)).bot


def _session(session: WebSession) -> str:
    about = plain(session.about, 60) or say("an unknown browser")
    return say(
        "`{id}` <@{user_id}>, since {when}, used {when2}, {about}",
        id=session.id,
        user_id=session.user_id,
        when=moment(session.created_at),
        when2=moment(session.used_at),
        about=about,
    )


def _kind(who: Who) -> Literal["user", "role"]:
    return "role" if isinstance(who, discord.Role) else "user"


def _principal(who: Who) -> Principal:
    if isinstance(who, discord.Role):
        return discord_user(0, who.name, (who.id,))
    return discord_user(who.id, who.name, roles_of(who))


def _mention(grant: Grant) -> str:
    return f"<@&{grant.subject}>" if grant.kind == "role" else f"<@{grant.subject}>"


def _has(grant: Grant | None, bot: str | None) -> str:
    """Which role that is, and where it comes from."""
    if grant is None:
        return say("has no access {to}", to=_to(bot))
    return say(
        "is **{role}** {scope} ({mention}: {source})",
        role=told(grant.role.word),
        scope=_scope(bot),
        mention=_mention(grant),
        source=told(grant.source),
    )


def _to(bot: str | None) -> str:
    return say("to **{bot}**", bot=bot) if bot else say("to all bots")


def _scope(bot: str | None) -> str:
    return say("for **{bot}**", bot=bot) if bot else say("for all bots")

"""`/access token …`: API tokens, for programs that ask over HTTP."""

from __future__ import annotations

from discord import app_commands

from controller.chat.commands.access_roles import ROLES
from controller.chat.commands.suggestions import Choices, suggest
from controller.chat.commands.with_request import with_request
from controller.chat.languages import say, told
from controller.chat.requests.request import Request
from controller.chat.words.text import moment
from controller.domain.acts import TOKEN_CREATE, TOKEN_LIST
from controller.domain.roles import Role
from controller.manager import Manager
from controller.manager.tokens import DAYS, DAYS_MOST
from controller.store import Token

_MAY = {
    Role.VIEWER: "It may do what a viewer may",
    Role.OPERATOR: "It may do what an operator may",
    Role.ADMIN: "It may do what an admin may",
}


class TokenCommands(app_commands.Group):
    """Tokens of the API."""

    def __init__(self, manager: Manager) -> None:
        super().__init__(name="token", description="API tokens, for scripts and other programs")
        self._manager = manager

    @app_commands.command(description="Make an API token; it is shown once")
    @app_commands.describe(
        name="What it is for, like deploy",
        role="The most that it may do; never more than you may",
        bot="For this bot only",
        days=f"How long it lasts; {DAYS} if left out",
        acting="Whether an assistant may start, stop and restart bots by it; no if left out",
    )
    @app_commands.choices(role=ROLES)
    @with_request
    async def create(
        self,
        request: Request,
        name: str,
        role: str,
        bot: str | None = None,
        days: app_commands.Range[int, 1, DAYS_MOST] = DAYS,
        acting: bool = False,
    ) -> None:
        """Make one and show it, to whoever asked alone."""
        given = Role.parse(role)
        assert given is not None, "Discord offers the choices only"
        bots = []
        if bot:
            bots = [(await self._manager.bots.named(request.caller, TOKEN_CREATE, bot)).bot]
        made = await self._manager.tokens.create(
            request.caller, name, given, bots, days, acting=acting
        )
        await request.reply(
            say(
                "✅ The token **{name}**, shown this once:\n`{made}`\n{may}, {scope}, "
                "until {when}, and never more than you may. {acting} Keep it in a secret store; "
                "`/access token revoke` ends it.",
                name=made.token.name,
                made=made.text,
                may=say(_MAY[given]),
                scope=_scope(bot),
                when=moment(made.token.expires_at),
                acting=say("An assistant may act by it.")
                if acting
                else say("An assistant may only look by it."),
            )
        )

    @app_commands.command(name="list", description="Every API token and its last use")
    @with_request
    async def list_tokens(self, request: Request) -> None:
        """Every token, without its secret."""
        tokens = await self._manager.tokens.listed(request.caller)
        lines = [self._line(token) for token in tokens]
        nothing = say("There is no token. /access token create makes one.")
        await request.reply("\n".join(lines) or nothing)

    @app_commands.command(description="End an API token at once")
    @app_commands.describe(name="The token's name")
    @with_request
    async def revoke(self, request: Request, name: str) -> None:
        """End it: whatever it is doing ends too."""
        token = await self._manager.tokens.revoke(request.caller, name)
        await request.reply(say("✅ The token **{name}** no longer works.", name=token.name))

    @create.autocomplete("bot")
    @with_request
    async def _names(self, _: Request, typed: str) -> Choices:
        return suggest(typed, (view.bot.name for view in self._manager.bots))

    @revoke.autocomplete("name")
    @with_request
    async def _tokens(self, request: Request, typed: str) -> Choices:
        if not self._manager.access.may(request.caller.principal, TOKEN_LIST):
            return suggest(typed, ())
        tokens = await self._manager.tokens.listed(request.caller)
        return suggest(typed, (token.name for token in tokens))

    def _line(self, token: Token) -> str:
        names = [view.bot.name for view in self._manager.bots if view.bot.id in token.bots]
        scope = say("all bots") if not token.bots else ", ".join(names) or say("bots that are gone")
        owner = f"<@{token.owner_id}>" if token.owner_kind == "user" else say("the console")
        used = (
            say("used {when}", when=moment(token.used_at)) if token.used_at else say("never used")
        )
        return say(
            "**{name}**: {role} for {scope}, of {owner}, until {when}, {used}",
            name=token.name,
            role=told(token.role.word),
            scope=scope,
            owner=owner,
            when=moment(token.expires_at),
            used=used,
        ) + (say(", assistants may act") if token.acting else "")


def _scope(bot: str | None) -> str:
    return say("for **{bot}**", bot=bot) if bot else say("for all bots")

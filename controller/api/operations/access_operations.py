"""The operations on who may do what, and who is signed in."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from controller.api.callers import COOKIE, SECURE_COOKIE
from controller.api.operation import Answer, Call, Given, Nothing, Operation, Operations, Source
from controller.api.resources import BotName, Page, Resource, RoleWord, Who, at, role_word, who_out
from controller.domain import acts
from controller.domain.access import Grant
from controller.domain.acts import ACTS, Act
from controller.domain.bot import Bot
from controller.domain.errors import NotFound
from controller.domain.roles import Role
from controller.manager.web_sessions import SESSION_SECONDS
from controller.store import WebSession

Kind = Literal["user", "role"]
Snowflake = Annotated[str, Field(pattern=r"^[1-9][0-9]{0,18}$", description="A Discord id.")]
Code = Annotated[str, Field(max_length=100)]


class GrantOut(Resource):
    """A role that somebody has."""

    kind: Kind
    subject: str
    role: RoleWord
    bot: BotName | None  # null: all bots
    source: str  # "granted", `file:NAME`, or the setting that it comes from


class GrantIn(Given):
    """A role to give, for one bot or for all."""

    kind: Kind
    subject: Snowflake
    role: Literal["viewer", "operator", "admin"]
    bot: Annotated[str, Field(max_length=64, description="A bot's name; none: all bots.")] = ""
    source: Source = ""


class ForBot(Given):
    """The bot that it is about."""

    bot: Annotated[str, Field(max_length=64, description="A bot's name; none: all bots.")] = ""


class CodeIn(Given):
    """The code of a sign-in link."""

    code: Code


class Invited(Resource):
    """Who would be signed in by a code."""

    name: str
    expires_at: datetime


class SessionOut(Resource):
    """Somebody who is signed in."""

    id: str
    user: Who
    about: str
    created_at: datetime
    used_at: datetime


class Me(Resource):
    """Who you are, and what you may do in general; for a bot, its `role` says it."""

    by: Who
    key: Literal["token", "session", "service", "console"]
    role: RoleWord
    may: list[str]  # acts
    needs: dict[str, RoleWord]  # of every act, the role that it needs


async def list_grants(call: Call[Nothing, Nothing]) -> Answer:
    """Every grant in force."""
    items = []
    for grant in await call.manager.access.listed(call.caller):
        view = call.manager.bots.get(grant.bot_id) if grant.bot_id else None
        if grant.bot_id and view is None:
            continue  # the bot is gone, so it gives nothing
        bot = BotName(id=view.bot.id, name=view.bot.name) if view else None
        items.append(_grant_out(grant, bot))
    return Answer(Page[GrantOut](items=items))


async def give_grant(call: Call[Nothing, GrantIn]) -> Answer:
    """Give a role."""
    given = call.body
    role = Role.parse(given.role)
    assert role is not None, "the model takes no other"
    bot = await _named(call, acts.ACCESS_GRANT, given.bot)
    bot_id, source = bot.id if bot else "", given.source or "granted"
    grant = Grant(given.kind, int(given.subject), role, bot_id, source)
    await call.manager.access.grant(call.caller, grant, bot)
    return Answer(_grant_out(grant, BotName(id=bot.id, name=bot.name) if bot else None))


async def revoke_grant(call: Call[ForBot, Nothing]) -> Answer:
    """Take a role away."""
    kind, subject = call.path["kind"], call.path["subject"]
    bot = await _named(call, acts.ACCESS_REVOKE, call.query.bot)
    whom: Kind = "role" if kind == "role" else "user"
    number = int(subject) if subject.isascii() and subject.isdigit() else 0
    if kind not in {"user", "role"} or not 0 < number < 2**63:
        number = 0  # nobody's: the use-case says so
    await call.manager.access.revoke(call.caller, whom, number, bot)
    return Answer()


def _grant_out(grant: Grant, bot: BotName | None) -> GrantOut:
    return GrantOut(
        kind=grant.kind,
        subject=str(grant.subject),
        role=role_word(grant.role),
        bot=bot,
        source=grant.source,
    )


async def _named(
    call: Call[Nothing, GrantIn] | Call[ForBot, Nothing], act: Act, name: str
) -> Bot | None:
    if not name:
        return None
    return (await call.manager.bots.named(call.caller, act, name)).bot


async def look_up_code(call: Call[Nothing, CodeIn]) -> Answer:
    """Whose code it is: so that nobody is signed in as somebody else without seeing it."""
    found = await call.manager.web_sessions.invited(call.body.code)
    return Answer(Invited(name=found.user_name, expires_at=at(found.expires_at)))


async def sign_in(call: Call[Nothing, CodeIn]) -> Answer:
    """Use the code up; the answer sets the cookie."""
    about = call.request.headers.get("User-Agent", "")
    done = await call.manager.web_sessions.sign_in(call.body.code, call.caller.request, about)
    cookie = _cookie(call, done.key, int(SESSION_SECONDS))
    return Answer(_session_out(done.session), headers={"Set-Cookie": cookie})


async def who_am_i(call: Call[Nothing, Nothing]) -> Answer:
    """Who asks."""
    access, principal = call.manager.access, call.identity.principal
    kind = call.identity.key.partition(":")[0]
    return Answer(
        Me.model_validate(
            {
                "by": who_out(principal),
                "key": kind,
                "role": role_word(access.role(principal)),
                "may": [act.id for act in ACTS.values() if access.may(principal, act)],
                "needs": {act.id: role_word(act.role) for act in ACTS.values()},
            }
        )
    )


async def sign_out(call: Call[Nothing, Nothing]) -> Answer:
    """End the session that this was asked by."""
    kind, _, ident = call.identity.key.partition(":")
    if kind != "session":
        raise NotFound("You asked by a token, not by a session.", code="no-such-session")
    await call.manager.web_sessions.sign_out(ident)
    return Answer(headers={"Set-Cookie": _cookie(call, "", 0)})


def _cookie(call: Call[Nothing, CodeIn] | Call[Nothing, Nothing], key: str, seconds: int) -> str:
    secure = call.gate.is_public(call.request)
    name = SECURE_COOKIE if secure else COOKIE
    parts = [f"{name}={key}", "Path=/", f"Max-Age={seconds}", "HttpOnly", "SameSite=Strict"]
    return "; ".join([*parts, "Secure"] if secure else parts)


async def list_sessions(call: Call[Nothing, Nothing]) -> Answer:
    """Everybody who is signed in."""
    found = await call.manager.web_sessions.listed(call.caller)
    return Answer(Page[SessionOut](items=[_session_out(session) for session in found]))


async def end_session(call: Call[Nothing, Nothing]) -> Answer:
    """End somebody's session."""
    await call.manager.web_sessions.end(call.caller, call.path["session"])
    return Answer()


def _session_out(session: WebSession) -> SessionOut:
    return SessionOut(
        id=session.id,
        user=Who(kind="user", id=session.user_id, name=session.user_name),
        about=session.about,
        created_at=at(session.created_at),
        used_at=at(session.used_at),
    )


ACCESS_OPERATIONS: Operations = (
    Operation(
        id="listGrants",
        method="GET",
        path="/access/grants",
        act=acts.ACCESS_LIST,
        summary="Every role that somebody has, and where it comes from.",
        query=Nothing,
        body=Nothing,
        answer=Page[GrantOut],
        handler=list_grants,
    ),
    Operation(
        id="giveGrant",
        method="POST",
        path="/access/grants",
        act=acts.ACCESS_GRANT,
        summary="Give a person or a Discord role a role here.",
        query=Nothing,
        body=GrantIn,
        answer=GrantOut,
        status=201,
        handler=give_grant,
    ),
    Operation(
        id="revokeGrant",
        method="DELETE",
        path="/access/grants/{kind}/{subject}",
        act=acts.ACCESS_REVOKE,
        summary="Take a role away that was given.",
        query=ForBot,
        body=Nothing,
        answer=None,
        status=204,
        handler=revoke_grant,
    ),
    Operation(
        id="lookUpCode",
        method="POST",
        path="/session/code",
        act=acts.ACCESS_WEB,
        summary="Whose sign-in link it is, without using it.",
        query=Nothing,
        body=CodeIn,
        answer=Invited,
        secret=True,
        anonymous=True,
        handler=look_up_code,
    ),
    Operation(
        id="signIn",
        method="POST",
        path="/session",
        act=acts.ACCESS_WEB,
        summary="Sign in by the code of a link; it works once.",
        query=Nothing,
        body=CodeIn,
        answer=SessionOut,
        status=201,
        secret=True,
        anonymous=True,
        handler=sign_in,
    ),
    Operation(
        id="whoAmI",
        method="GET",
        path="/session",
        act=acts.ACCESS_WEB,
        summary="Who you are, and what you may do.",
        query=Nothing,
        body=Nothing,
        answer=Me,
        handler=who_am_i,
    ),
    Operation(
        id="signOut",
        method="DELETE",
        path="/session",
        act=acts.ACCESS_WEB,
        summary="End your own session.",
        query=Nothing,
        body=Nothing,
        answer=None,
        status=204,
        handler=sign_out,
    ),
    Operation(
        id="listSessions",
        method="GET",
        path="/sessions",
        act=acts.ACCESS_SESSIONS,
        summary="Everybody who is signed in.",
        query=Nothing,
        body=Nothing,
        answer=Page[SessionOut],
        handler=list_sessions,
    ),
    Operation(
        id="endSession",
        method="DELETE",
        path="/sessions/{session}",
        act=acts.ACCESS_SESSIONS,
        summary="End somebody's session at once.",
        query=Nothing,
        body=Nothing,
        answer=None,
        status=204,
        handler=end_session,
    ),
)

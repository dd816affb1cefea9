"""The operations on API tokens."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from controller.api.operation import Answer, Call, Given, Nothing, Operation, Operations
from controller.api.resources import BotName, Page, Resource, RoleWord, Who, at, moment, role_word
from controller.domain import acts
from controller.domain.roles import Role
from controller.manager import Manager
from controller.manager.tokens import DAYS, DAYS_MOST
from controller.store import Token


class NewTokenIn(Given):
    """What a token is for. Its text is in the answer, this once."""

    name: Annotated[str, Field(max_length=100)]
    role: Literal["viewer", "operator", "admin"]
    bots: Annotated[tuple[str, ...], Field(max_length=100, description="None: all bots.")] = ()
    days: Annotated[int, Field(ge=1, le=DAYS_MOST)] = DAYS
    acting: Annotated[
        bool, Field(description="An assistant may start, stop and restart bots by it.")
    ] = False


class TokenOut(Resource):
    """A token without its secret."""

    id: str
    name: str
    role: RoleWord
    bots: list[BotName]
    bots_gone: int  # further bots that it is for, and that are gone; with none at all: all bots
    owner: Who
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    acting: bool  # whether an assistant that asks by it may start, stop and restart bots


class TokenMade(TokenOut):
    """A token that was just made. `text` is what its holder sends."""

    text: str


async def list_tokens(call: Call[Nothing, Nothing]) -> Answer:
    """Every token."""
    tokens = await call.manager.tokens.listed(call.caller)
    return Answer(Page[TokenOut](items=[token_out(call.manager, token) for token in tokens]))


async def create_token(call: Call[Nothing, NewTokenIn]) -> Answer:
    """A new token of whoever asks."""
    wanted = call.body
    role = Role.parse(wanted.role)
    assert role is not None, "the model takes no other"
    bots = [
        (await call.manager.bots.named(call.caller, acts.TOKEN_CREATE, name)).bot
        for name in wanted.bots
    ]
    made = await call.manager.tokens.create(
        call.caller, wanted.name, role, bots, wanted.days, acting=wanted.acting
    )
    out = token_out(call.manager, made.token).model_dump()
    return Answer(TokenMade(**out, text=made.text))


async def revoke_token(call: Call[Nothing, Nothing]) -> Answer:
    """End a token."""
    await call.manager.tokens.revoke(call.caller, call.path["token"])
    return Answer()


def token_out(manager: Manager, token: Token) -> TokenOut:
    """A token as it is answered."""
    views = [view for view in manager.bots if view.bot.id in token.bots]
    return TokenOut(
        id=token.id,
        name=token.name,
        role=role_word(token.role),
        bots=[BotName(id=view.bot.id, name=view.bot.name) for view in views],
        bots_gone=len(token.bots) - len(views),
        owner=Who(kind=token.owner_kind, id=token.owner_id, name=token.owner_name),
        created_at=at(token.created_at),
        expires_at=at(token.expires_at),
        used_at=moment(token.used_at or 0.0),
        acting=token.acting,
    )


TOKEN_OPERATIONS: Operations = (
    Operation(
        id="listTokens",
        method="GET",
        path="/tokens",
        act=acts.TOKEN_LIST,
        summary="The API tokens, without their secrets.",
        query=Nothing,
        body=Nothing,
        answer=Page[TokenOut],
        handler=list_tokens,
    ),
    Operation(
        id="createToken",
        method="POST",
        path="/tokens",
        act=acts.TOKEN_CREATE,
        summary="A new API token. Its text is answered this once.",
        query=Nothing,
        body=NewTokenIn,
        answer=TokenMade,
        status=201,
        secret=True,
        handler=create_token,
    ),
    Operation(
        id="revokeToken",
        method="DELETE",
        path="/tokens/{token}",
        act=acts.TOKEN_REVOKE,
        summary="End an API token, by its name or id, at once.",
        query=Nothing,
        body=Nothing,
        answer=None,
        status=204,
        handler=revoke_token,
    ),
)

"""Plain values that only the store and its readers share: forms, cards, answers, web access."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from controller.domain.journal import Entry
from controller.domain.roles import Role


@dataclass(frozen=True, slots=True)
class Form:
    """The right of one person to give one bot its secrets, once."""

    id: str
    bot_id: str
    user_id: int
    rotate: bool
    expires_at: float
    used_at: float | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """The card of a bot, as it was published last."""

    bot_id: str
    title: str
    channel_id: int
    message_id: int
    digest: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Owed:
    """An answer that somebody hasn't had yet. Without `words` nobody saw how the request ended."""

    request: str
    reply_via: str  # the edge that can give it, for instance "discord"
    recipient: str  # whom that edge gives it to
    act: str
    bot_id: str = ""
    bot_name: str = ""
    asked_at: float
    words: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An API token without its secret: whose it is, and what it narrows that person's rights to."""

    id: str
    name: str
    hash: bytes = field(repr=False)
    owner_kind: Literal["user", "console"]
    owner_id: str
    owner_name: str
    role: Role
    bots: frozenset[str] = frozenset()  # ids; none: all bots
    created_at: float
    expires_at: float
    used_at: float | None = None
    revoked_at: float | None = None
    acting: bool = False  # whether an assistant that asks by it may start, stop and restart bots


@dataclass(frozen=True, slots=True, kw_only=True)
class SignIn:
    """The right of one person to sign in, once."""

    hash: bytes = field(repr=False)
    user_id: str
    user_name: str
    expires_at: float


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSession:
    """Somebody who is signed in, in one browser."""

    id: str
    hash: bytes = field(repr=False)
    user_id: str
    user_name: str
    about: str  # which browser, as far as it said
    created_at: float
    used_at: float


@dataclass(frozen=True, slots=True)
class Ahead:
    """What follows some entry of the journal, and the oldest and newest number in the database."""

    oldest: int  # 0 where there is no entry
    newest: int
    entries: Sequence[Entry]  # oldest first


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """What was answered to a request that may come again; no `status` while it is under way."""

    request: str
    digest: str  # of what was asked
    at: float
    status: int | None = None
    location: str = ""
    body: str = ""

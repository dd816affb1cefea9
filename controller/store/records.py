"""Plain values that only the store and its readers share: forms, cards, answers owed."""

from __future__ import annotations

from dataclasses import dataclass


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

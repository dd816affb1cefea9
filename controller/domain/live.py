"""What a service said about a secret, and which services can be asked.

The asking itself is in `services`; what becomes of a verdict is decided in `manager`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CHECKS: frozenset[str] = frozenset(
    {"discord", "telegram", "slack-bot", "slack-app", "anthropic", "openai", "openrouter"}
)
# What these ask about is a bot's token: two programs on one take each other's messages.
BOT_TOKENS: frozenset[str] = frozenset({"discord", "telegram", "slack-bot", "slack-app"})


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a service said about one secret.

    `message` is a sentence that begins with the service's name; `notes` are sentences about the
    account. Names in both come from the service: they are cut and have no control characters, but
    aren't escaped for any display. `unknown` means that nobody could be asked, never that the
    secret is wrong.
    """

    state: Literal["accepted", "refused", "unknown"]
    message: str
    notes: tuple[str, ...] = ()

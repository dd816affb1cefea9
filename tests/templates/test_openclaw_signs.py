"""What the template `openclaw` reads out of its bots' logs: lines that OpenClaw 2026.9.6 wrote.
Next door: ../openclaw makes it write them again, in the runs that have it."""

from __future__ import annotations

import pytest

from controller.catalog import load
from controller.domain.events import LogLine
from controller.manager.symptoms import after

DEGRADED = (
    "[secrets] [SECRETS_PROVIDER_DEGRADED] file:{file}: secret provider failed. Affected owners: "
    "{state} {owner}. Retry: openclaw secrets reload. event=secrets.provider_degraded source=file"
)
NO_KEY = DEGRADED.format(file="api_key", state="cold", owner="provider:anthropic")
NO_TOKEN = DEGRADED.format(file="channel_token", state="cold", owner="account:telegram:default")
OLD_TOKEN = DEGRADED.format(file="channel_token", state="stale", owner="account:telegram:default")
READ_AGAIN = (
    "[secrets] [SECRETS_GATEWAY_AUTH_SURFACE] gateway.auth.token is active. "
    'gateway.auth.mode is "token".'
)
RELOADED = "[ws] ⇄ res ✓ secrets.reload 186ms conn=08c301a2…f9cd id=2:ba13d173-0…5321"
TURN_WITHOUT_KEY = (
    "Embedded agent failed before reply: Secret owner provider:anthropic is configured but "
    "unavailable (secret provider failed)."
)
REFUSED_KEY = (
    "[model-fallback/decision] model fallback decision: decision=candidate_failed "
    "requested=custom/small candidate=custom/small reason=auth next=none detail=401 Incorrect"
)
REFUSED_TOKEN = (
    '[telegram] [default] Telegram bot token unauthorized for account "default" (getMe returned '
    "401 from Telegram; source: config token)."
)
CHANNEL_AGAIN = "[gateway/channels] restarting telegram channel after secrets reload"
QUIET = (
    "[gateway] ready",
    "[telegram] Inbound message telegram:777001 -> @claw_stand_in_bot (direct, 11 chars)",
    "[gateway] remote model catalog refresh failed",
    '[telegram] Plugin command "/dashboard" conflicts with an existing Telegram command.',
    READ_AGAIN,
    RELOADED,
    CHANNEL_AGAIN,
)


def told(*lines: str) -> list[str]:
    """The words that stand after these lines."""
    health = load().get("openclaw").health
    assert health is not None
    seen = [LogLine(at=float(n), stream="stderr", text=text) for n, text in enumerate(lines)]
    return list(after({}, health.log, seen).values())


@pytest.mark.parametrize(
    ("line", "words", "cure"),
    [
        (NO_KEY, "can't read the file with the provider's key, so it can't answer", READ_AGAIN),
        (
            NO_TOKEN,
            "can't read the file with the channel's token, so it gets no messages",
            READ_AGAIN,
        ),
        (OLD_TOKEN, "channel's token and keeps using the old token", READ_AGAIN),
        (TURN_WITHOUT_KEY, "couldn't answer a message", RELOADED),
        (REFUSED_KEY, "The provider refused the key", RELOADED),
        (REFUSED_KEY.replace("=auth ", "=billing "), "wants a payment", RELOADED),
        (REFUSED_TOKEN, "service refuses the token", CHANNEL_AGAIN),
    ],
)
def test_a_fault_is_told_until_it_is_mended(line: str, words: str, cure: str) -> None:
    """One line, one sentence that names the remedy; another line takes it away."""
    found = told(READ_AGAIN, line)
    assert len(found) == 1
    assert words in found[0]
    assert "/bot secrets" in found[0] or "reload-secrets" in found[0]
    assert told(READ_AGAIN, line, cure) == []


def test_what_openclaw_says_on_a_good_day_is_no_fault() -> None:
    """Its warnings about the weather do not make a bot unhealthy."""
    assert told(*QUIET) == []

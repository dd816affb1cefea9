"""How long a card waits after a failure: seconds for trouble, minutes for a refusal."""

from __future__ import annotations

import discord

FIRST, LAST = 0.5, 30.0  # seconds; doubled with each failure
REFUSED_FIRST, REFUSED_LAST = 60.0, 600.0  # for 403 and for 429 that doesn't say how long
LONG = 5.0  # seconds; a shorter rate limit is nothing special


def is_refusal(error: BaseException) -> bool:
    """Whether Discord wants us to keep away: missing rights, or a rate limit."""
    if isinstance(error, discord.RateLimited):
        return True
    return isinstance(error, discord.HTTPException) and error.status in {401, 403, 429}


def pause_after(error: BaseException, failures: int) -> float:
    """Seconds to wait after that many failures in a row, this one included."""
    if not is_refusal(error):
        return min(LAST, FIRST * 2.0 ** min(failures - 1, 12))
    asked = _asked(error)
    if 0 < asked <= LONG:
        return asked
    return max(asked, min(REFUSED_LAST, REFUSED_FIRST * 2.0 ** min(failures - 1, 6)))


def _asked(error: BaseException) -> float:
    """How long Discord asked us to wait; 0 if it didn't say."""
    if isinstance(error, discord.RateLimited):
        return error.retry_after
    if not isinstance(error, discord.HTTPException) or error.status != 429:
        return 0.0
    try:
        return max(0.0, float(error.response.headers.get("Retry-After", 0)))
    except (ValueError, AttributeError):
        return 0.0

"""The body of a request as it was sent; `reading` makes an operation's model of it."""

from __future__ import annotations

import asyncio

from aiohttp import web

from controller.api.problems import HttpProblem

BODY_MOST = 262_144  # bytes


async def raw_of(request: web.Request, seconds: float) -> bytes:
    """The body as it was sent. 413 (`too-large`), 408 (`too-slow`) after so many seconds, and 400
    (`cut-off`) where the connection ends before."""
    try:
        async with asyncio.timeout(seconds):
            raw = await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise _too_large() from None
    except TimeoutError:
        raise HttpProblem(
            408,
            f"The body didn't come within {seconds:g} s.",
            hint="Send it again, at once.",
            code="too-slow",
            headers={"Connection": "close"},
        ) from None
    except ConnectionError:  # nobody hears this, but it is no fault of ours
        raise HttpProblem(
            400, "The connection ended before the whole body came.", code="cut-off"
        ) from None
    if len(raw) > BODY_MOST:
        raise _too_large()
    return raw


def _too_large() -> HttpProblem:
    return HttpProblem(413, f"The body is larger than {BODY_MOST} bytes.", code="too-large")

"""How a command's handler gets its `Request` instead of discord.py's interaction."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, TypeVar

import discord

from controller.chat.requests.request import Request

P = ParamSpec("P")
S = TypeVar("S")
T = TypeVar("T")


def with_request(
    handler: Callable[Concatenate[S, Request, P], Coroutine[Any, Any, T]],
) -> Callable[Concatenate[S, discord.Interaction, P], Coroutine[Any, Any, T]]:
    """Call the handler with the request that the command tree admitted; for suggestions, too.

    It stands next to the handler, below discord.py's decorators.
    """

    @functools.wraps(handler)
    async def call(
        self: S, interaction: discord.Interaction, /, *args: P.args, **kwargs: P.kwargs
    ) -> T:
        return await handler(self, Request.of(interaction), *args, **kwargs)

    # discord.py resolves annotations with the globals of this module: give it the real types.
    call.__signature__ = inspect.signature(handler, eval_str=True)  # type: ignore[attr-defined]
    return call

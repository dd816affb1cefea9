"""Finds out who makes a request, or refuses it. What they may do is decided by the use-cases."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from aiohttp import web

from controller.api.identity import AT_THE_CONSOLE, Identity
from controller.domain.errors import NotSignedIn
from controller.manager import Manager
from controller.manager.tokens import principal_of

# The Discord roles that a member has now. Denied for who isn't one.
Members = Callable[[int], Awaitable[frozenset[int]]]


class Callers(Protocol):
    """Says who asks."""

    async def identify(self, request: web.Request) -> Identity:
        """Who asks; NotSignedIn when nobody knows."""


class KeyHolders:
    """Those who bring a key: in a header, never in an address."""

    def __init__(self, manager: Manager, members: Members) -> None:
        self._tokens = manager.tokens
        self._members = members

    async def identify(self, request: web.Request) -> Identity:
        """Who asks; NotSignedIn when nobody knows."""
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if not key:
            raise NotSignedIn("This needs a token.")
        if scheme.lower() != "bearer":
            raise NotSignedIn("Only the scheme Bearer is known.", code="token-wrong")
        return await self._by_token(key.strip())

    async def _by_token(self, text: str) -> Identity:
        token = self._tokens.holder(text)
        by_user = token.owner_kind == "user"
        roles = await self._members(int(token.owner_id)) if by_user else frozenset()
        await self._tokens.note_use(token)
        return Identity(
            principal_of(token, roles),
            f"token:{token.id}",
            lambda: self._tokens.require_valid(token),
        )


class ConsoleUsers:
    """Those who reach the console's socket: whoever may enter the data folder."""

    async def identify(self, request: web.Request) -> Identity:
        """The console, whoever asks."""
        return AT_THE_CONSOLE

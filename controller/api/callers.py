"""Finds out who makes a request, or refuses it. What they may do is decided by the use-cases."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from aiohttp import web

from controller.api.gate import Gate
from controller.api.identity import AT_THE_CONSOLE, Identity
from controller.api.raw_bodies import raw_of
from controller.api.service_tokens import ServiceTokens, is_service_token
from controller.domain.access import Principal, discord_user
from controller.domain.errors import NotSignedIn
from controller.manager import Manager
from controller.manager.tokens import principal_of

# The Discord roles that a member has now. Denied for who isn't one.
Members = Callable[[int], Awaitable[frozenset[int]]]
BODY_SECONDS = 10.0  # for a body that is needed to know who sent it
COOKIE, SECURE_COOKIE = "bm", "__Host-bm"


class Callers(Protocol):
    """Says who asks, and from where they may."""

    @property
    def gate(self) -> Gate | None:
        """What a request must pass before anybody asks who sent it; None: nothing."""

    async def identify(self, request: web.Request) -> Identity:
        """Who asks; NotSignedIn when nobody knows."""


class SignedRequests(Protocol):
    """Knows requests that somebody signed instead of bringing a key."""

    def claims(self, headers: Mapping[str, str]) -> bool:
        """Whether a request says that it is signed."""

    async def holder(
        self, method: str, target: str, body: bytes, headers: Mapping[str, str]
    ) -> Principal:
        """Whom it speaks for; NotSignedIn when it isn't signed, Denied for a stranger."""


class KeyHolders:
    """Those who bring a key: a token in a header, or a session in a cookie, never in an address."""

    def __init__(
        self,
        manager: Manager,
        members: Members,
        gate: Gate | None = None,
        services: ServiceTokens | None = None,
        signed: SignedRequests | None = None,
    ) -> None:
        self._tokens = manager.tokens
        self._sessions = manager.web_sessions
        self._members = members
        self._gate = gate or Gate()
        self._services = services
        self._signed = signed

    @property
    def gate(self) -> Gate:
        """What the settings say about the way in."""
        return self._gate

    async def identify(self, request: web.Request) -> Identity:
        """Who asks; NotSignedIn when nobody knows. A token counts before a cookie."""
        if self._signed is not None and self._signed.claims(request.headers):
            return await self._by_signature(self._signed, request)
        sent = request.headers.getall("Authorization", ())
        if sent:
            scheme, _, key = sent[0].partition(" ")
            if len(sent) > 1 or scheme.lower() != "bearer":
                raise NotSignedIn("One Bearer token is needed.", code="token-wrong")
            return await self._by_token(key.strip())
        key = request.cookies.get(self.cookie(request), "")
        if not key:
            raise NotSignedIn("This needs a token.")
        self._gate.require_own_page(request)
        return await self._by_session(key)

    def cookie(self, request: web.Request) -> str:
        """The name of the session's cookie, for a request that comes this way."""
        return SECURE_COOKIE if self._gate.is_public(request) else COOKIE

    async def _by_token(self, text: str) -> Identity:
        if self._services is not None and is_service_token(text):
            return self._services.holder(text)
        token = self._tokens.holder(text)

        async def renewed() -> Principal:
            by_user = token.owner_kind == "user"
            roles = await self._members(int(token.owner_id)) if by_user else frozenset()
            return principal_of(token, roles)

        principal = await renewed()
        await self._tokens.note_use(token)
        return Identity(
            principal,
            f"token:{token.id}",
            lambda: self._tokens.require_valid(token),
            renewed,
            token.acting,
        )

    async def _by_signature(self, signed: SignedRequests, request: web.Request) -> Identity:
        body = await raw_of(request, BODY_SECONDS)
        method, target = request.method, request.raw_path
        principal = await signed.holder(method, target, body, request.headers)
        return Identity(principal, f"signed:{principal.id}", _counts)

    async def _by_session(self, key: str) -> Identity:
        session = self._sessions.holder(key)

        async def renewed() -> Principal:
            user_id = int(session.user_id)
            return discord_user(user_id, session.user_name, await self._members(user_id))

        principal = await renewed()
        await self._sessions.note_use(session)
        return Identity(
            principal,
            f"session:{session.id}",
            lambda: self._sessions.require_valid(session),
            renewed,
        )


def _counts() -> None:
    """A signature counted when it came; what goes on because of it may go on."""


class ConsoleUsers:
    """Those who reach the console's socket: whoever may enter the data folder."""

    gate = None

    async def identify(self, request: web.Request) -> Identity:
        """The console, whoever asks."""
        return AT_THE_CONSOLE

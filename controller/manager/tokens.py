"""API tokens: made for a person, shown once, never worth more than that person's rights now."""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace

from controller.domain.access import CONSOLE, Limit, Principal
from controller.domain.acts import TOKEN_CREATE, TOKEN_LIST, TOKEN_REVOKE
from controller.domain.bot import Bot
from controller.domain.errors import BadInput, ControllerError, Denied, NotFound, NotSignedIn
from controller.domain.roles import Role
from controller.fleet.journal import Caller, Journal
from controller.manager.access import Access
from controller.store import Store, Token

DAY = 86_400.0  # seconds
DAYS = 90  # that a token lasts where nothing else is asked for
DAYS_MOST = 365
NOTE_USE_EVERY = 60.0  # seconds: a use is written down no more often
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,30}[a-z0-9])?")
_TEXT = re.compile(r"bm_([0-9a-f]{12})_([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class NewToken:
    """A token that was just made, and its text, which is shown this once."""

    token: Token
    text: str = field(repr=False)


class Tokens:
    """Makes, lists and revokes tokens, and says whose a token is. All of them are in memory."""

    def __init__(
        self,
        store: Store,
        journal: Journal,
        access: Access,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._journal = journal
        self._access = access
        self._clock = clock
        self._known: dict[str, Token] = {}

    async def load(self) -> None:
        """Read every token that is remembered."""
        self._known = {token.id: token for token in await self._store.tokens()}

    async def create(
        self,
        caller: Caller,
        name: str,
        role: Role,
        bots: Sequence[Bot] = (),
        days: int = DAYS,
        *,
        acting: bool = False,
    ) -> NewToken:
        """A new token of the caller's, for these bots or for all.

        `acting`: an assistant that asks by it may start, stop and restart bots, not only look.
        Raises Denied to whoever asks by a token, BadInput, and Conflict (`token-name-taken`).
        """
        await self._access.require(caller, TOKEN_CREATE)
        owner = caller.principal
        if owner.limit is not None or owner.kind not in {"user", "console"}:
            await self._access.refuse(
                caller,
                TOKEN_CREATE.id,
                None,
                Denied(
                    "A token can't make tokens.",
                    hint="Use /access token create, or sign in.",
                    code="token-by-token",
                ),
            )
        token, text = self._made(owner, _checked(name, days), role, bots, days)
        token = replace(token, acting=acting)
        detail: dict[str, object] = {"token": token.id, "name": token.name, "level": role.word}
        detail |= {"bots": sorted(token.bots), "until": token.expires_at}
        detail |= {"acting": True} if acting else {}
        async with self._journal.request(caller, TOKEN_CREATE, None, detail):
            async with self._store.transaction() as write:
                await write.add_token(token)
            await self.load()
        return NewToken(token, text)

    def _made(
        self, owner: Principal, name: str, role: Role, bots: Iterable[Bot], days: int
    ) -> tuple[Token, str]:
        ident, secret, now = secrets.token_hex(6), secrets.token_hex(32), self._clock()
        token = Token(
            id=ident,
            name=name,
            hash=_hash(secret),
            owner_kind="user" if owner.kind == "user" else "console",
            owner_id=owner.id,
            owner_name=owner.name,
            role=role,
            bots=frozenset(bot.id for bot in bots),
            created_at=now,
            expires_at=now + days * DAY,
        )
        return token, f"bm_{ident}_{secret}"

    async def listed(self, caller: Caller) -> list[Token]:
        """Every token that can be used, oldest first, and those that ran out."""
        await self._access.require(caller, TOKEN_LIST)
        return [token for token in self._known.values() if token.revoked_at is None]

    async def revoke(self, caller: Caller, name: str) -> Token:
        """End the token of that name or id. NotFound (`no-such-token`) when there is none."""
        await self._access.require(caller, TOKEN_REVOKE)
        wanted = name.strip().lower()
        token = next(
            (t for t in self._known.values() if t.revoked_at is None and wanted in (t.name, t.id)),
            None,
        )
        detail = {"token": token.id, "name": token.name} if token else {}
        async with self._journal.request(caller, TOKEN_REVOKE, None, detail):
            if token is None:
                raise NotFound("There is no token of that name.", code="no-such-token")
            async with self._store.transaction() as write:
                await write.revoke_token(token.id, self._clock())
            await self.load()
        return token

    # For the edge that is shown a token

    def holder(self, text: str) -> Token:
        """The token of that text. Raises NotSignedIn: `token-wrong`, `-expired`, `-revoked`."""
        parts = _TEXT.fullmatch(text)
        token = self._known.get(parts[1]) if parts else None
        right = hmac.compare_digest(_hash(parts[2] if parts else ""), token.hash if token else b"")
        if token is None or not right:
            raise NotSignedIn("There is no such token.", code="token-wrong")
        self.require_valid(token)
        return token

    def require_valid(self, token: Token) -> None:
        """Raise NotSignedIn unless the token counts now: for what goes on for a while."""
        known = self._known.get(token.id)
        if known is None or known.revoked_at is not None:
            raise NotSignedIn(f"The token {token.name} was revoked.", code="token-revoked")
        if known.expires_at <= self._clock():
            raise NotSignedIn(f"The token {token.name} has expired.", code="token-expired")

    async def note_use(self, token: Token) -> None:
        """Remember that the token was used just now."""
        now, known = self._clock(), self._known.get(token.id)
        if known is None or now - (known.used_at or 0.0) < NOTE_USE_EVERY:
            return
        self._known[token.id] = replace(known, used_at=now)
        with contextlib.suppress(ControllerError):  # a sick disk keeps nobody from looking
            async with self._store.transaction() as write:
                await write.use_token(token.id, now)


def principal_of(token: Token, roles: Iterable[int]) -> Principal:
    """Whom a token speaks for. `roles` are the Discord roles that its owner holds now."""
    limit = Limit(token.role, token.bots)
    if token.owner_kind == "console":
        return Principal(CONSOLE.kind, CONSOLE.id, f"console (token {token.name})", limit=limit)
    name = f"{token.owner_name} (token {token.name})"
    return Principal("user", token.owner_id, name, frozenset(roles), limit)


def _hash(secret: str) -> bytes:
    """Enough for 256 random bits: nobody can guess those, however fast the hash is."""
    return hashlib.sha256(secret.encode()).digest()


def _checked(name: str, days: int) -> str:
    tidied = name.strip().lower()
    if not _NAME.fullmatch(tidied):
        raise BadInput(
            "A token's name can only have letters a–z, digits, and dashes inside, 32 at most.",
            hint="Name it for what uses it, like `deploy`.",
            code="bad-name",
        )
    if not 1 <= days <= DAYS_MOST:
        raise BadInput(f"A token lasts from 1 to {DAYS_MOST} days.", code="bad-days")
    return tidied

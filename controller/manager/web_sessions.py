"""Signing in from a browser: a link that works once, and the sessions that come of it.

Nothing of a code or a session's key is kept but its hash. A session is the person: it may do what
they may now, and ends at once when somebody ends it.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from controller.domain.access import discord_user
from controller.domain.acts import ACCESS_SESSIONS, ACCESS_WEB
from controller.domain.errors import ControllerError, Denied, NotFound, NotSignedIn
from controller.fleet.journal import Caller, Journal
from controller.manager.access import Access
from controller.store import SignIn, Store, WebSession

LINK_SECONDS = 300.0
IDLE_SECONDS = 43_200.0  # half a day without a request ends a session
SESSION_SECONDS = 604_800.0  # and a week does in any case
NOTE_USE_EVERY = 60.0  # seconds: a use is written down no more often
ABOUT_MAX = 120  # characters


@dataclass(frozen=True, slots=True)
class SignedIn:
    """A session that was just begun, and its key, which only the browser keeps."""

    session: WebSession
    key: str = field(repr=False)


class WebSessions:
    """Gives links, takes their codes, and says whose a session is. All sessions are in memory."""

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
        self._known: dict[bytes, WebSession] = {}

    async def load(self) -> None:
        """Read who is signed in."""
        self._known = {session.hash: session for session in await self._store.sessions()}

    async def invite(self, caller: Caller) -> str:
        """A code by which this person can sign in once, within five minutes.

        Their earlier codes no longer count. Denied to whoever isn't here in person.
        """
        await self._access.require(caller, ACCESS_WEB)
        who = caller.principal
        if who.kind != "user" or who.limit is not None:
            refusal = Denied("Only a person can sign in.", code="no-person")
            await self._access.refuse(caller, ACCESS_WEB.id, None, refusal)
        code, now = secrets.token_urlsafe(16), self._clock()
        fresh = SignIn(
            hash=_hash(code),
            user_id=who.id,
            user_name=who.name,
            expires_at=now + LINK_SECONDS,
        )
        async with (
            self._journal.request(caller, ACCESS_WEB),
            self._store.transaction() as write,
        ):
            await write.add_sign_in(fresh, now)
        return code

    async def invited(self, code: str) -> SignIn:
        """Whose code that is, without using it up. NotSignedIn (`link-over`) when nobody's."""
        found = await self._store.sign_in(_hash(code))
        if found is None or found.expires_at <= self._clock():
            raise _over()
        return found

    async def sign_in(self, code: str, request: str, about: str) -> SignedIn:
        """Use a code up and begin a session. NotSignedIn (`link-over`) when it counts no more.

        `request` is the id of this request, `about` what the browser says of itself.
        """
        found = await self.invited(code)
        key, now = secrets.token_urlsafe(32), self._clock()
        session = WebSession(
            id=secrets.token_hex(6),
            hash=_hash(key),
            user_id=found.user_id,
            user_name=found.user_name,
            about="".join(c for c in about if c.isprintable())[:ABOUT_MAX],
            created_at=now,
            used_at=now,
        )
        caller = Caller(discord_user(int(found.user_id), found.user_name), request)
        async with self._journal.request(caller, ACCESS_WEB, None, {"session": session.id}):
            async with self._store.transaction() as write:
                taken = await write.take_sign_in(found.hash)
                if taken is not None:
                    await write.add_session(session)
            if taken is None:
                raise _over()
            self._known[session.hash] = session
        return SignedIn(session, key)

    async def listed(self, caller: Caller) -> list[WebSession]:
        """Everybody who is signed in, oldest first."""
        await self._access.require(caller, ACCESS_SESSIONS)
        return [session for session in self._known.values() if self._counts(session)]

    async def end(self, caller: Caller, session_id: str) -> WebSession:
        """End somebody's session. NotFound (`no-such-session`) when there is none."""
        await self._access.require(caller, ACCESS_SESSIONS)
        found = next((s for s in self._known.values() if s.id == session_id.strip()), None)
        detail = {"session": found.id, "of": found.user_id} if found else {}
        async with self._journal.request(caller, ACCESS_SESSIONS, None, detail):
            if found is None:
                raise NotFound("There is no such session.", code="no-such-session")
            await self.sign_out(found.id)
        return found

    # For the edge that is shown a session's key

    def holder(self, key: str) -> WebSession:
        """The session of that key. NotSignedIn (`session-over`) when there is none any more."""
        session = self._known.get(_hash(key))
        if session is None or not self._counts(session):
            raise _session_over()
        return session

    def require_valid(self, session: WebSession) -> None:
        """Raise NotSignedIn unless the session counts now: for what goes on for a while."""
        known = self._known.get(session.hash)
        if known is None or not self._counts(known):
            raise _session_over()

    async def note_use(self, session: WebSession) -> None:
        """Remember that the session was used just now."""
        now = self._clock()
        if now - session.used_at < NOTE_USE_EVERY:
            return
        self._known[session.hash] = replace(session, used_at=now)
        with contextlib.suppress(ControllerError):  # a sick disk keeps nobody from looking
            async with self._store.transaction() as write:
                await write.use_session(session.id, now)

    async def sign_out(self, session_id: str) -> None:
        """End one's own session."""
        self._known = {h: one for h, one in self._known.items() if one.id != session_id}
        async with self._store.transaction() as write:
            await write.drop_session(session_id)

    def _counts(self, session: WebSession) -> bool:
        now = self._clock()
        idle, old = now - session.used_at, now - session.created_at
        return idle < IDLE_SECONDS and old < SESSION_SECONDS


def _hash(secret: str) -> bytes:
    """Enough for at least 128 random bits: nobody can guess those, however fast the hash is."""
    return hashlib.sha256(secret.encode()).digest()


def _over() -> NotSignedIn:
    return NotSignedIn(
        "This link was already used, or its five minutes are over.",
        hint="Get a new one with /access web.",
        code="link-over",
    )


def _session_over() -> NotSignedIn:
    return NotSignedIn(
        "You are no longer signed in.", hint="Get a link with /access web.", code="session-over"
    )

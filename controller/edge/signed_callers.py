"""Whose calls the Worker passes on: signed, none taken twice, each subject with the role that the
settings give it."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping

from controller.domain.access import Limit, Principal
from controller.domain.errors import Conflict, Denied, NotSignedIn
from controller.domain.roles import Role
from controller.edge.shared_key import SharedKey
from controller.edge.signing import (
    SIGNATURE,
    WINDOW_SECONDS,
    Direction,
    SignedCall,
    is_signed,
    verified,
)
from controller.store import Store

IDS_MOST = 20_000  # of calls that only look, remembered for as long as their time counts


class WorkerCalls:
    """Checks signed calls, and says for whom they are."""

    def __init__(
        self,
        key: SharedKey,
        store: Store,
        roles: Mapping[str, Role],
        clock: Callable[[], float],
    ) -> None:
        self._key = key
        self._store = store
        self._roles = roles
        self._clock = clock
        self._seen: OrderedDict[str, float] = OrderedDict()

    def claims(self, headers: Mapping[str, str]) -> bool:
        """Whether a request says that it is signed."""
        return SIGNATURE in headers

    async def holder(
        self, method: str, target: str, body: bytes, headers: Mapping[str, str]
    ) -> Principal:
        """Whom a signed request speaks for. NotSignedIn: `not-signed`, `clock-off`; Denied for a
        subject without a role; NotSignedIn (`call-repeated`) for one that was taken before."""
        now = self._clock()
        call = await self._verified((method, target, body), headers, now)
        principal = self.principal(call.subject)
        if principal is None:
            raise Denied(
                "The Worker's caller has no role here.",
                hint="BOTMAKER_EDGE_ROLES gives roles to the subjects of its tokens.",
            )
        await self._take(call, now, changes=method not in {"GET", "HEAD"})
        return principal

    async def require_worker(self, target: str, headers: Mapping[str, str]) -> None:
        """NotSignedIn unless the Worker itself signed this look, for nobody."""
        now = self._clock()
        call = await self._verified(("GET", target, b""), headers, now)
        await self._take(call, now, changes=False)

    async def _verified(
        self, request: tuple[str, str, bytes], headers: Mapping[str, str], now: float
    ) -> SignedCall:
        return verified(await self._key.read(), Direction.TO_CONTROLLER, request, headers, now)

    def principal(self, subject: str) -> Principal | None:
        """Somebody whom the settings know, by the subject of their token."""
        role = self._roles.get(subject)
        if role is None:
            return None
        return Principal("service", subject, subject, limit=Limit(role))

    async def is_of_the_worker(self, call: SignedCall, signatures: str) -> bool:
        """Whether the Worker signed this, whenever it did."""
        return is_signed(await self._key.read(), Direction.TO_CONTROLLER, call, signatures)

    async def _take(self, call: SignedCall, now: float, *, changes: bool) -> None:
        """Take a call once. One that changes something is remembered across a restart too."""
        while self._seen and (next(iter(self._seen.values())) < now or len(self._seen) > IDS_MOST):
            self._seen.popitem(last=False)
        if call.id in self._seen:
            raise repeated()
        until = now + 2 * WINDOW_SECONDS
        self._seen[call.id] = until
        if not changes:
            return
        try:
            async with self._store.transaction() as write:
                await write.use_seals({f"call {call.id}": until}, now)
        except Conflict:
            raise repeated() from None


def repeated() -> NotSignedIn:
    """The refusal of a call that was taken before."""
    return NotSignedIn(
        "This signed call was taken before.",
        hint="Each counts once: sign it anew.",
        code="call-repeated",
    )

"""The weekly digests: who wants one, which are due, and what they tell each of them."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from typing import Any

from controller.domain.access import Principal
from controller.domain.acts import BOT_SHOW, DIGEST_CHANNEL, DIGEST_OWN, Act
from controller.domain.digest import DIGESTS_MOST, TOLD, WEEK, Digest, DigestWish, digest
from controller.domain.errors import BadInput, NotFound, NotReady
from controller.fleet.journal import Caller, Journal
from controller.fleet.views import Fleet
from controller.manager.access import Access
from controller.manager.cron_times import next_run
from controller.store import Store

_KEY = "digests"
ENTRIES_MOST, INCIDENTS_MOST = 2000, 1000


class Digests:
    """Remembers the wishes, also across restarts. One for each person and each channel."""

    def __init__(
        self,
        store: Store,
        fleet: Fleet,
        journal: Journal,
        access: Access,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._fleet = fleet
        self._journal = journal
        self._access = access
        self._clock = clock
        self._listeners: set[Callable[[], None]] = set()
        self.wishes: tuple[DigestWish, ...] = ()

    async def load(self) -> None:
        """Read who wants one."""
        kept = await self._store.recall(_KEY)
        self.wishes = tuple(DigestWish(**one) for one in json.loads(kept)) if kept else ()

    async def ask_own(self, caller: Caller, wish: DigestWish | None) -> DigestWish | None:
        """Have the caller told every week, or (None) no longer. BadInput if it's about another."""
        principal = caller.principal
        subject = int(principal.id) if principal.kind == "user" and principal.id.isdecimal() else 0
        if wish is not None and wish.key != ("user", subject):
            await self._access.require(caller, DIGEST_OWN)
            raise BadInput("That is somebody else.", code="bad-input")
        return await self._ask(caller, DIGEST_OWN, ("user", subject), wish)

    async def ask_for_channel(
        self, caller: Caller, channel_id: int, wish: DigestWish | None
    ) -> DigestWish | None:
        """Have a channel told every week, or (None) no longer."""
        return await self._ask(caller, DIGEST_CHANNEL, ("channel", channel_id), wish)

    async def _ask(
        self, caller: Caller, act: Act, key: tuple[str, int], wish: DigestWish | None
    ) -> DigestWish | None:
        await self._access.require(caller, act)
        detail: dict[str, Any] = {"detail": f"{wish.cron} {wish.zone}" if wish else "off"}
        async with self._journal.request(caller, act, None, detail):
            others = tuple(one for one in self.wishes if one.key != key)
            if wish is None:
                if len(others) == len(self.wishes):
                    raise NotFound("No digest comes there.", code="no-such-digest")
                await self._keep(others)
                return None
            if len(others) >= DIGESTS_MOST:
                raise NotReady("Too many digests are sent already.", code="too-many-digests")
            made = replace(wish, next_at=next_run(wish.cron, wish.zone, self._clock()))
            await self._keep((*others, made))
        for listener in tuple(self._listeners):
            listener()
        return made

    async def _keep(self, wishes: tuple[DigestWish, ...]) -> None:
        async with self._store.transaction() as write:
            await write.remember(_KEY, json.dumps([asdict(one) for one in wishes]))
        self.wishes = wishes

    # For the edge that sends them

    @contextlib.contextmanager
    def hearing(self, listener: Callable[[], None]) -> Iterator[None]:
        """Call `listener()` when somebody wants one, while the block runs."""
        self._listeners.add(listener)
        try:
            yield
        finally:
            self._listeners.discard(listener)

    def due(self) -> list[DigestWish]:
        """Those that are due. What was due several times while nobody could send it is due once."""
        now = self._clock()
        return [one for one in self.wishes if one.next_at <= now]

    def wait(self) -> float | None:
        """Seconds until the next one is due; None if nobody wants any."""
        times = [one.next_at for one in self.wishes]
        return max(0.0, min(times) - self._clock()) if times else None

    async def sent(self, wish: DigestWish) -> None:
        """It was sent, or can't be: the next one is a week from its time."""
        due = next_run(wish.cron, wish.zone, max(self._clock(), wish.next_at))
        after = [replace(one, next_at=due) if one == wish else one for one in self.wishes]
        await self._keep(tuple(after))

    async def lose(self, wish: DigestWish) -> None:
        """Whoever wanted it is gone."""
        await self._keep(tuple(one for one in self.wishes if one.key != wish.key))

    async def week(self, principal: Principal) -> Digest:
        """The last seven days, as far as the principal may see them."""
        until = self._clock()
        views = self._access.allowed(principal, BOT_SHOW)
        seen = {view.bot.id for view in views}
        general = self._access.may(principal, BOT_SHOW)

        def visible(bot_id: str) -> bool:
            # What is about no bot, or one that is gone, is for those who see all of them.
            return bot_id in seen or (general and self._fleet.get(bot_id) is None)

        incidents = await self._store.incidents.newest(limit=INCIDENTS_MOST)
        entries = await self._store.entries(kinds=TOLD, limit=ENTRIES_MOST)
        return digest(
            [view.phase.value for view in views],
            [one for one in incidents if visible(one.bot_id)],
            [one for one in entries if visible(one.bot_id)],
            until - WEEK,
            until,
        )

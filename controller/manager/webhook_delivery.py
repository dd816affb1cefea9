"""One webhook's events, one after the other: read from the journal behind a stored cursor.

An event is marked after the receiver took it, so a kill in between sends it again, with the same
id: at least once, in order. Trouble holds up this webhook alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path

from controller.domain import webhook_progress as progress
from controller.domain.errors import ControllerError, StorageTrouble
from controller.domain.journal import Entry, Kind, webhook_trouble
from controller.domain.webhook_bodies import event_of
from controller.domain.webhooks import (
    REFUSALS_MOST,
    DeadLetter,
    Timing,
    Verdict,
    Webhook,
)
from controller.fleet.journal import Journal
from controller.fleet.threads import Threads
from controller.manager.webhook_sender import Attempt, WebhookSender
from controller.store import Store, archive, entry_of

log = logging.getLogger(__name__)
BATCH = 20  # entries that are read at once
ARCHIVE_BATCH = 500  # of a monthly file, which is read from its beginning each time
KEEP_UP = 500  # entries that aren't for a webhook, after which its cursor is moved past them
TROUBLE_SECONDS = 30.0  # to wait after trouble of our own


@dataclass(frozen=True, slots=True, kw_only=True)
class DeliveryTools:
    """What all deliveries share."""

    instance: str
    store: Store
    journal: Journal
    threads: Threads
    sender: WebhookSender
    redact: Callable[[str], str]
    timing: Timing


class Delivery:
    """Delivers to one webhook, until it is removed."""

    def __init__(self, webhook_id: str, tools: DeliveryTools) -> None:
        self._id = webhook_id
        self._tools = tools
        self._store = tools.store
        self._clock = tools.timing.clock
        self._news = asyncio.Event()  # the journal may have more
        self._now = asyncio.Event()  # somebody changed the webhook: no pause any longer

    def hear(self) -> None:
        """The journal may have more. Ends no pause."""
        self._news.set()

    def hurry(self) -> None:
        """Somebody changed the webhook: look at once."""
        self._now.set()
        self._news.set()

    async def run(self) -> None:
        """Deliver until the webhook is removed, or until cancelled."""
        while True:
            self._news.clear()
            self._now.clear()
            try:
                pause = await self._round()
            except ControllerError as error:
                log.warning("webhook %s has to wait: %s", self._id, error)
                pause = TROUBLE_SECONDS
            except Exception:  # a bug of ours in one webhook must not end the others
                log.exception("webhook %s", self._id)
                pause = TROUBLE_SECONDS
            if pause is None:
                return
            await self._rest(pause)

    async def _rest(self, pause: float) -> None:
        if math.isinf(pause):
            await self._news.wait()
        if math.isinf(pause) or pause <= 0.0:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                await self._now.wait()

    async def _round(self) -> float | None:
        """Send what there is; seconds until the next look, infinite until there is news.

        None when the webhook is gone.
        """
        webhook = await self._store.webhook(self._id)
        if webhook is None:
            return None
        if webhook.stopped:
            return math.inf
        entries = await self._next(webhook)
        if entries is None:
            return 0.0
        if not entries:
            return math.inf
        for entry in entries:
            event = event_of(entry, self._tools.instance, self._tools.redact)
            attempt = await self._tools.sender.send(webhook, event)
            if attempt.verdict is not Verdict.DELIVERED:
                return await self._failed(webhook, entry, attempt)
            before = webhook.cursor
            webhook = progress.delivered(webhook, entry.seq, self._clock())
            if not await self._save(webhook, before):
                return 0.0  # somebody moved the cursor, or removed the webhook
        return 0.0

    async def _save(self, webhook: Webhook, before: int) -> bool:
        async with self._store.transaction() as write:
            return await write.save_webhook(webhook, before)

    # What comes next

    async def _next(self, webhook: Webhook) -> Sequence[Entry] | None:
        """The next entries, empty when there are none. None: the cursor moved, look again."""
        ahead = await self._store.ahead(webhook.cursor, webhook.kinds, BATCH)
        if webhook.cursor + 1 >= ahead.oldest:
            if not ahead.entries and ahead.newest - webhook.cursor >= KEEP_UP:
                part = progress.Part(ahead.newest)
                await self._save(progress.went_on(webhook, part), webhook.cursor)
            return ahead.entries
        folder, after, until = self._tools.journal.folder, webhook.cursor, ahead.oldest - 1
        kinds = frozenset(webhook.kinds)
        old = await self._tools.threads(lambda: archived(folder, after, until, kinds))
        if old.entries:
            return old.entries
        moved = await self._save(progress.went_on(webhook, old.part), webhook.cursor)
        if moved and old.part.missing:
            numbers = f"{after + 1} to {old.part.until}"
            reason = f"entries {numbers} are neither in the journal nor in its monthly files"
            await self._tell(webhook, "lost", old.part.missing, reason)
        return None

    # What went wrong

    async def _failed(self, webhook: Webhook, entry: Entry, attempt: Attempt) -> float:
        """Note it; how long to wait."""
        now, before, timing = self._clock(), webhook.cursor, self._tools.timing
        if attempt.verdict is Verdict.GONE:
            if await self._save(progress.stopped(webhook, attempt.reason, now), before):
                await self._tell(webhook, "stopped", 0, attempt.reason)
            return math.inf
        webhook = progress.failed(webhook, attempt.reason, now)
        if not await self._save(webhook, before):
            return 0.0
        if webhook.failures == 1:
            log.warning("webhook %s: %s; its events wait", webhook.name, attempt.reason)
        pause = timing.pace.pause(webhook.failures, attempt.wait, timing.chance())
        if attempt.verdict is Verdict.REFUSED and webhook.failures >= REFUSALS_MOST:
            # What follows has all its tries.
            await self._give_up(replace(webhook, failures=0), [entry])
            return pause
        while over := self._over(webhook, await self._next(webhook) or ()):
            given_up = await self._give_up(webhook, over)
            if given_up is None:
                return 0.0
            webhook = given_up
        return pause

    def _over(self, webhook: Webhook, entries: Sequence[Entry]) -> list[Entry]:
        """Those at the beginning that were tried for long enough."""
        now, since = self._clock(), webhook.failing_since or 0.0
        pace = self._tools.timing.pace
        return list(takewhile(lambda one: pace.is_over(one.at, since, now), entries))

    async def _give_up(self, webhook: Webhook, entries: Sequence[Entry]) -> Webhook | None:
        """Make dead letters of them; None if somebody moved the cursor meanwhile."""
        now = self._clock()
        letters = [DeadLetter(entry.seq, now, webhook.reason) for entry in entries]
        after = progress.gave_up(webhook, letters)
        async with self._store.transaction() as write:
            saved = await write.save_webhook(after, webhook.cursor)
            if saved:
                await write.add_dead_letters(webhook.id, letters)
        if not saved:
            return None
        if progress.is_first_loss(webhook):
            await self._tell(webhook, "gave-up", len(letters), webhook.reason)
        return after

    async def _tell(self, webhook: Webhook, what: str, count: int, reason: str) -> None:
        """Say in log and journal that events don't arrive."""
        log.error("webhook %s: %s (%s, %d events)", webhook.name, reason, what, count)
        await self._tools.journal.note(webhook_trouble(webhook.name, what, count, reason), None)


@dataclass(frozen=True, slots=True)
class Old:
    """A part of the monthly files: entries that can be sent, or else how it goes on."""

    entries: Sequence[Entry]
    part: progress.Part


def archived(folder: Path, after: int, until: int, kinds: Collection[Kind]) -> Old:
    """What the monthly files have between these numbers: the chosen entries up to the first gap.

    Where the gap comes first, how many are missing there. A file that can't be read is a gap: what
    it held can be sent again once it is restored. Blocking: for a thread.
    """
    found: list[Entry] = []
    last = after
    with contextlib.suppress(StorageTrouble):
        for row in archive.behind(folder, after, until):
            if row[0] > last + 1:
                break
            last = row[0]
            if row[2] in kinds:
                found.append(entry_of(row))
                if len(found) == ARCHIVE_BATCH:
                    break
    if found or last > after:
        return Old(found, progress.Part(last))
    return Old((), _gap(folder, after, until))


def _gap(folder: Path, after: int, until: int) -> progress.Part:
    first = until + 1
    with contextlib.suppress(StorageTrouble):
        first = next((row[0] for row in archive.behind(folder, after, until)), first)
    return progress.Part(first - 1, first - 1 - after)

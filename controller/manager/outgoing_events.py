"""What goes out of the journal to one receiver: what comes next, and what was given up on the way.

A receiver's place is a stored cursor. Entries that are no longer in the table are read from the
monthly files; what is in neither is counted as lost, and told.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.domain import webhook_progress as progress
from controller.domain.errors import StorageTrouble
from controller.domain.journal import Entry, Kind, webhook_trouble
from controller.domain.webhooks import DeadLetter, Webhook
from controller.fleet.journal import Journal
from controller.fleet.threads import Threads
from controller.store import Store, archive, entry_of

log = logging.getLogger(__name__)
BATCH = 20  # entries that are read at once
ARCHIVE_BATCH = 500  # of a monthly file, which is read from its beginning each time
KEEP_UP = 500  # entries that aren't for a receiver, after which its cursor is moved past them


class Outgoing:
    """Reads what is next for a receiver, and moves its cursor."""

    def __init__(
        self, store: Store, journal: Journal, threads: Threads, clock: Callable[[], float]
    ) -> None:
        self._store = store
        self._journal = journal
        self._threads = threads
        self._clock = clock

    async def save(self, webhook: Webhook, before: int) -> bool:
        """Keep how far it has come; False if somebody moved its cursor from `before`, or removed
        it."""
        async with self._store.transaction() as write:
            return await write.save_webhook(webhook, before)

    async def after(self, webhook: Webhook, most: int = BATCH) -> Sequence[Entry] | None:
        """The next entries, empty when there are none. None: the cursor moved, look again."""
        ahead = await self._store.ahead(webhook.cursor, webhook.kinds, most)
        if webhook.cursor + 1 >= ahead.oldest:
            if not ahead.entries and ahead.newest - webhook.cursor >= KEEP_UP:
                part = progress.Part(ahead.newest)
                await self.save(progress.went_on(webhook, part), webhook.cursor)
            return ahead.entries
        folder, after, until = self._journal.folder, webhook.cursor, ahead.oldest - 1
        kinds = frozenset(webhook.kinds)
        old = await self._threads(lambda: archived(folder, after, until, kinds))
        if old.entries:
            return old.entries[:most]
        moved = await self.save(progress.went_on(webhook, old.part), webhook.cursor)
        if moved and old.part.missing:
            numbers = f"{after + 1} to {old.part.until}"
            reason = f"entries {numbers} are neither in the journal nor in its monthly files"
            await self.tell(webhook, "lost", old.part.missing, reason)
        return None

    async def give_up(self, webhook: Webhook, lost: Sequence[tuple[int, str]]) -> Webhook | None:
        """Make dead letters of these entries, each with its reason, one or more.

        None if somebody moved the cursor meanwhile.
        """
        now = self._clock()
        letters = [DeadLetter(seq, now, reason) for seq, reason in lost]
        after = progress.gave_up(webhook, letters)
        async with self._store.transaction() as write:
            saved = await write.save_webhook(after, webhook.cursor)
            if saved:
                await write.add_dead_letters(webhook.id, letters)
        if not saved:
            return None
        if progress.is_first_loss(webhook):
            await self.tell(webhook, "gave-up", len(letters), letters[-1].reason)
        return after

    async def tell(self, webhook: Webhook, what: str, count: int, reason: str) -> None:
        """Say in log and journal that events don't arrive."""
        log.error("webhook %s: %s (%s, %d events)", webhook.name, reason, what, count)
        await self._journal.note(webhook_trouble(webhook.name, what, count, reason), None)


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

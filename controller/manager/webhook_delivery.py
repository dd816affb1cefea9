"""One webhook's events, one after the other: read from the journal behind a stored cursor.

An event is marked after the receiver took it, so a kill in between sends it again, with the same
id: at least once, in order. Trouble holds up this webhook alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

from controller.domain import webhook_progress as progress
from controller.domain.errors import ControllerError
from controller.domain.journal import Entry
from controller.domain.webhook_bodies import Event, bare_event_of, event_of
from controller.domain.webhooks import (
    REFUSALS_MOST,
    Timing,
    Verdict,
    Webhook,
)
from controller.fleet.journal import Journal
from controller.fleet.threads import Threads
from controller.manager.outgoing_events import Outgoing
from controller.manager.webhook_sender import Attempt, WebhookSender
from controller.store import Store

log = logging.getLogger(__name__)
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
        self._outgoing = Outgoing(tools.store, tools.journal, tools.threads, tools.timing.clock)
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
        entries = await self._outgoing.after(webhook)
        if entries is None:
            return 0.0
        if not entries:
            return math.inf
        for entry in entries:
            attempt = await self._tools.sender.send(webhook, self._event(entry))
            if attempt.verdict is not Verdict.DELIVERED:
                return await self._failed(webhook, entry, attempt)
            before = webhook.cursor
            webhook = progress.delivered(webhook, entry.seq, self._clock())
            if not await self._outgoing.save(webhook, before):
                return 0.0  # somebody moved the cursor, or removed the webhook
        return 0.0

    def _event(self, entry: Entry) -> Event:
        """The entry's event. One that can't be worded must not hold up all that follow."""
        try:
            return event_of(entry, self._tools.instance, self._tools.redact)
        except Exception:  # whatever is wrong with it, it is told without its details
            log.exception("entry %d can't be told in full", entry.seq)
            return bare_event_of(entry, self._tools.instance)

    # What went wrong

    async def _failed(self, webhook: Webhook, entry: Entry, attempt: Attempt) -> float:
        """Note it; how long to wait."""
        now, before, timing = self._clock(), webhook.cursor, self._tools.timing
        if attempt.verdict is Verdict.GONE:
            if await self._outgoing.save(progress.stopped(webhook, attempt.reason, now), before):
                await self._outgoing.tell(webhook, "stopped", 0, attempt.reason)
            return math.inf
        webhook = progress.failed(webhook, attempt.reason, now)
        if not await self._outgoing.save(webhook, before):
            return 0.0
        if webhook.failures == 1:
            log.warning("webhook %s: %s; its events wait", webhook.name, attempt.reason)
        pause = timing.pace.pause(webhook.failures, attempt.wait, timing.chance())
        if attempt.verdict is Verdict.REFUSED and webhook.failures >= REFUSALS_MOST:
            # What follows has all its tries.
            await self._outgoing.give_up(
                replace(webhook, failures=0), [(entry.seq, webhook.reason)]
            )
            return pause
        while over := self._over(webhook, await self._outgoing.after(webhook) or ()):
            lost = [(entry.seq, webhook.reason) for entry in over]
            given_up = await self._outgoing.give_up(webhook, lost)
            if given_up is None:
                return 0.0
            webhook = given_up
        return pause

    def _over(self, webhook: Webhook, entries: Sequence[Entry]) -> list[Entry]:
        """Those at the beginning that were tried for long enough."""
        now, since = self._clock(), webhook.failing_since or 0.0
        pace = self._tools.timing.pace
        return list(takewhile(lambda one: pace.is_over(one.at, since, now), entries))

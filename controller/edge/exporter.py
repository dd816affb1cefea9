"""The journal's way to the Worker: in order, in batches, each event acknowledged by itself.

An entry is settled after the Worker took it, so a kill in between sends it again with the same id,
and the Worker keeps it once. What it rejects becomes a dead letter; nothing else is given up,
however long the Worker is away.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

from controller.domain import webhook_progress as progress
from controller.domain.edge_events import BATCH_MOST, BYTES_MOST, EVENT_MOST, bare_event, edge_event
from controller.domain.errors import ControllerError
from controller.domain.journal import Entry
from controller.domain.webhooks import REFUSALS_MOST, Format, Timing, Verdict, Webhook
from controller.edge.link import Link, Told
from controller.edge.report import LOOK_SECONDS, Report, encoded
from controller.fleet.threads import Threads
from controller.manager.outgoing_events import Outgoing
from controller.store import Store
from controller.vault import Fingerprints

log = logging.getLogger(__name__)
ROW_ID = "edge"
NAME = "edge-worker"  # among the webhooks
TARGET = "/internal/events"
TROUBLE_SECONDS = 30.0  # to wait after trouble of our own
_BETWEEN_LOOKS = 1.0  # seconds, while the journal grows and nothing can be sent
_TOO_FAST = 0.05  # seconds between two batches that leave nothing: entries come in twos and threes


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportTools:
    """What the exporter works with."""

    instance: str
    url: str
    store: Store
    outgoing: Outgoing
    threads: Threads
    link: Link
    report: Report
    fingerprints: Fingerprints
    redact: Callable[[str], str]
    timing: Timing
    hint: Callable[[int], None]  # called with the number of the newest wish


@dataclass(frozen=True, slots=True)
class _Parcel:
    """Events of some entries, and what is said beside them."""

    entries: Sequence[Entry]
    ids: Sequence[str]
    content: bytes


class Exporter:
    """Sends what happens, until cancelled."""

    def __init__(self, tools: ExportTools) -> None:
        self._tools = tools
        self._news = asyncio.Event()
        self._most = BATCH_MOST
        self._clock = tools.timing.clock

    async def run(self) -> None:
        """Send for as long as this controller runs."""
        await self.begin()
        with self._tools.store.listening(self._news.set):
            while True:
                self._news.clear()
                try:
                    pause, wakes = await self._round()
                    await self._rest(pause, wakes=wakes)
                except ControllerError as error:
                    log.warning("events to the Worker have to wait: %s", error)
                    await asyncio.sleep(TROUBLE_SECONDS)
                except Exception:  # a bug here must not end the controller
                    log.exception("events to the Worker")
                    await asyncio.sleep(TROUBLE_SECONDS)

    async def begin(self) -> None:
        """The row of its cursor, from this moment on; where the Worker wanted nothing more, another
        try."""
        tools, store = self._tools, self._tools.store
        host = urlsplit(tools.url).netloc
        found = await store.webhook(ROW_ID)
        async with store.transaction() as write:
            if found is None:
                await write.add_webhook(self._new(host))
            else:
                again = progress.sent_again(found, found.cursor)
                print_ = tools.fingerprints("url", tools.url)
                await write.move_webhook(replace(again, host=host, fingerprint=print_))

    def _new(self, host: str) -> Webhook:
        return Webhook(
            id=ROW_ID,
            name=NAME,
            format=Format.EDGE,
            host=host,
            fingerprint=self._tools.fingerprints("url", self._tools.url),
            events=("*",),
            created_at=self._clock(),
            created_by="settings",
        )

    async def _rest(self, pause: float, *, wakes: bool) -> None:
        """Wait so long; with `wakes` only until the journal has more, else until somebody, by a
        deployment or a replay, says that the trouble is over."""
        if not pause:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(pause):
                while True:
                    await self._news.wait()
                    self._news.clear()
                    if wakes or await self._may_try():
                        break
                    await asyncio.sleep(_BETWEEN_LOOKS)
        await asyncio.sleep(_TOO_FAST)

    async def _may_try(self) -> bool:
        """Whether the row says nothing of trouble any more."""
        row = await self._tools.store.webhook(ROW_ID)
        return row is None or row.failing_since is None

    async def _round(self) -> tuple[float, bool]:
        """Send one batch; how long to wait then, and whether news ends the wait."""
        tools = self._tools
        webhook = await tools.store.webhook(ROW_ID)
        if webhook is None or webhook.stopped:
            return LOOK_SECONDS, True
        entries = await tools.outgoing.after(webhook, self._most)
        if entries is None:
            return 0.0, False
        state = await tools.report.due(webhook)
        if not entries and state is None:
            return LOOK_SECONDS, True
        parcel = await tools.threads(lambda: self._packed(entries, state))
        told = await tools.link.ask(TARGET, parcel.content)
        if told.verdict is not Verdict.DELIVERED:
            tools.report.failed()
            return await self._failed(webhook, parcel, told), False
        if state is not None:
            tools.report.told(state)
        self._most = BATCH_MOST
        newest = told.value.get("wishes")
        tools.hint(newest if isinstance(newest, int) else 0)
        return await self._settle(webhook, parcel, told.value), False

    def _packed(self, entries: Sequence[Entry], state: Mapping[str, Any] | None) -> _Parcel:
        """As many of the entries as fit, one at least."""
        tools, size = self._tools, 0
        chosen: list[tuple[Entry, Mapping[str, Any]]] = []
        for entry in entries:
            event = self._event(entry)
            size += len(encoded(event))
            if chosen and size > BYTES_MOST:
                break
            chosen.append((entry, event))
        said: dict[str, Any] = {"site": tools.instance, "events": [event for _, event in chosen]}
        said |= {"fleet": state} if state is not None else {}
        ids = [event["id"] for _, event in chosen]
        return _Parcel([entry for entry, _ in chosen], ids, encoded(said))

    def _event(self, entry: Entry) -> Mapping[str, Any]:
        """The entry's event. One that can't be worded must not hold up all that follow."""
        tools = self._tools
        try:
            event = edge_event(entry, tools.instance, tools.redact)
        except Exception:  # whatever is wrong with it, it is told without its details
            log.exception("entry %d can't be told in full", entry.seq)
            return bare_event(entry, tools.instance)
        if len(encoded(event)) <= EVENT_MOST:
            return event
        return bare_event(entry, tools.instance)

    async def _settle(self, webhook: Webhook, parcel: _Parcel, answer: Mapping[str, Any]) -> float:
        """Move the cursor behind what was acknowledged or rejected; how long to wait."""
        if not parcel.entries:
            return 0.0
        acked, rejected = _settled(answer)
        last, letters = 0, list[tuple[int, str]]()
        for entry, ident in zip(parcel.entries, parcel.ids, strict=True):
            if ident in rejected:
                letters.append((entry.seq, f"the Worker rejected it: {rejected[ident]}"))
            elif ident not in acked:
                break  # neither: it is sent again, with all that follows
            last = entry.seq
        if not last:
            return await self._failed(
                webhook, parcel, Told(Verdict.AGAIN, "it acknowledged none of the events")
            )
        if letters:
            given_up = await self._tools.outgoing.give_up(webhook, letters)
            if given_up is None:
                return 0.0
            webhook = given_up
        after = progress.delivered(webhook, last, self._clock())
        await self._tools.outgoing.save(after, webhook.cursor)
        return 0.0

    async def _failed(self, webhook: Webhook, parcel: _Parcel, told: Told) -> float:
        """Note it; how long to wait."""
        tools, before = self._tools, webhook.cursor
        if told.verdict is Verdict.GONE:
            if await tools.outgoing.save(
                progress.stopped(webhook, told.reason, self._clock()), before
            ):
                await tools.outgoing.tell(webhook, "stopped", 0, told.reason)
            return 0.0
        webhook = progress.failed(webhook, told.reason, self._clock())
        if not await tools.outgoing.save(webhook, before):
            return 0.0
        if webhook.failures == 1:
            log.warning("the Worker: %s; events wait", told.reason)
        if told.verdict is Verdict.REFUSED and len(parcel.entries) > 1:
            self._most = max(1, len(parcel.entries) // 2)  # which of them is it?
            return 0.0
        if told.verdict is Verdict.REFUSED and parcel.entries and webhook.failures >= REFUSALS_MOST:
            await tools.outgoing.give_up(
                replace(webhook, failures=0), [(parcel.entries[0].seq, told.reason)]
            )
        return tools.timing.pace.pause(webhook.failures, told.wait, tools.timing.chance())


def _settled(answer: Mapping[str, Any]) -> tuple[set[str], dict[str, str]]:
    """The ids that the Worker took, and those that it rejected with its reasons."""
    acked = answer.get("acked")
    rejected = answer.get("rejected")
    taken = {one for one in acked if isinstance(one, str)} if isinstance(acked, list) else set()
    refused: dict[str, str] = {}
    for one in rejected if isinstance(rejected, list) else ():
        if isinstance(one, dict):
            refused[str(one.get("id"))] = str(one.get("reason"))[:200]
    return taken, refused

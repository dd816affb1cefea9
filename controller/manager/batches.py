"""One act on many bots: asked for, confirmed, carried out a few at a time, also across restarts.

The bots are written down when they are listed for a confirmation; what is confirmed acts on exactly
these. Each of them is a request of its own, whose id names the batch, so it acts once.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from controller.domain import journal as facts
from controller.domain.acts import BOT_SHOW, FLEET_STATUS, FLEET_STOP
from controller.domain.batches import (
    BOTS_MOST,
    CONFIRM_SECONDS,
    Batch,
    BatchState,
    Chosen,
    Item,
    ItemState,
    Verb,
    ended_as,
    no_bots,
)
from controller.domain.bot import Bot
from controller.domain.errors import BadInput, ControllerError, Denied, NotFound, NotReady
from controller.domain.journal import Author, Kind
from controller.fleet.journal import Caller, Journal, append_all
from controller.fleet.views import Fleet, View
from controller.manager.access import Access
from controller.manager.lifecycle import Lifecycle, at_rest
from controller.manager.releases import Releases
from controller.store import Store

log = logging.getLogger(__name__)
AT_ONCE = 4  # bots, of all batches
WAIT_SECONDS = 60.0  # for the end of one bot; it goes on after that
AGAIN = 5.0  # seconds until an end is written again that the database refused
_NAMES_MOST = 20  # of those that failed, in the journal


@dataclass(frozen=True, slots=True, kw_only=True)
class ActTools:
    """What acts that go on beside whoever asked work with."""

    store: Store
    fleet: Fleet
    journal: Journal
    access: Access
    lifecycle: Lifecycle
    releases: Releases


class Batches:
    """The use-cases, and the work behind them."""

    def __init__(self, tools: ActTools) -> None:
        self._tools = tools
        self._free = asyncio.Semaphore(AT_ONCE)
        self._running: dict[int, Batch] = {}  # as they are now
        self._begun = asyncio.Event()
        self._fresh: list[int] = []
        self._listeners: set[Callable[[int], None]] = set()

    async def chosen(self, caller: Caller, verb: Verb, chosen: Chosen) -> list[View]:
        """The bots that are meant, by name: those to which the caller may do it, where it makes
        sense."""
        access = self._tools.access
        await access.require(caller, verb.act)
        found = [
            view
            for view in access.allowed(caller.principal, verb.of_one)
            if chosen.fits(verb, view.bot, view.phase)
        ]
        return sorted(found, key=lambda view: view.bot.name)

    async def ask(self, caller: Caller, verb: Verb, bots: Iterable[Bot]) -> Batch:
        """Write down for which bots it would be; nothing is done before it is confirmed.

        Raises Denied when they may not do it to one of them, NotFound (`no-bots`).
        """
        access, now = self._tools.access, time.time()
        await access.require(caller, verb.act)
        wanted = list({bot.id: bot for bot in bots}.values())
        for bot in wanted:
            await access.require(caller, verb.of_one, bot)
        if not wanted:
            raise no_bots()
        if len(wanted) > BOTS_MOST:
            raise BadInput(f"At most {BOTS_MOST} bots at once.", hint="Choose fewer.")
        batch = Batch(
            verb=verb,
            by=caller.principal,
            items=tuple(Item(bot_id=bot.id, name=bot.name) for bot in wanted),
            asked_at=now,
            until=now + CONFIRM_SECONDS,
        )
        async with self._tools.store.transaction() as write:
            return await write.batches.add(batch)

    async def begin(self, caller: Caller, number: int) -> Batch:
        """Confirm it: from now on it is carried out. Only whoever asked for it can.

        NotReady (`expired`) after five minutes, or when it was confirmed before.
        """
        access = self._tools.access
        await access.require(caller, FLEET_STATUS)
        batch = await self._known(number)
        await access.require(caller, batch.verb.act)
        if not batch.asked_by(caller.principal):
            why = Denied("Only whoever asked for it can confirm it.")
            await access.refuse(caller, batch.verb.act.id, None, why)
        detail = {"batch": batch.id, "detail": f"{len(batch.items)} bots"}
        async with self._tools.journal.request(caller, batch.verb.act, None, detail) as deed:
            async with self._tools.store.transaction() as write:
                begun = batch.until >= time.time() and await write.batches.begin(number)
            if not begun:
                raise NotReady(
                    "That can't be confirmed any more.", hint="Ask again.", code="expired"
                )
            deed.ended(words="begun")
        running = self._running[number] = replace(batch, state=BatchState.RUNNING)
        self._fresh.append(number)
        self._begun.set()
        return running

    async def cancel(self, caller: Caller, number: int) -> Batch:
        """Begin with no further bot; those that are under way end as they do.

        Whoever asked for it can, and whoever may do the same to all of its bots.
        """
        access = self._tools.access
        await access.require(caller, FLEET_STOP)
        batch = await self._known(number)
        if not batch.asked_by(caller.principal):
            for item in batch.items:
                view = self._tools.fleet.get(item.bot_id)
                await access.require(caller, batch.verb.of_one, view.bot if view else None)
        detail = {"batch": number, "detail": "cancel"}
        async with (
            self._tools.journal.request(caller, FLEET_STOP, None, detail),
            self._tools.store.transaction() as write,
        ):
            await write.batches.cancel(number)
        if number in self._running:
            self._running[number] = replace(self._running[number], cancelled=True)
            self._tell(number)
        return await self._known(number)

    async def get(self, caller: Caller, number: int) -> Batch:
        """How it goes, with the bots that the caller may see."""
        await self._tools.access.require(caller, FLEET_STATUS)
        batch = await self._known(number)
        if batch.asked_by(caller.principal):
            return batch
        seen = {view.bot.id for view in self._tools.access.allowed(caller.principal, BOT_SHOW)}
        return replace(batch, items=tuple(one for one in batch.items if one.bot_id in seen))

    # For an edge's own upkeep: the message that shows how it goes

    async def untold(self) -> list[int]:
        """Those that are confirmed and whose end isn't shown yet."""
        return await self._tools.store.untold_batches()

    async def tell(self, number: int) -> None:
        """Its end is shown."""
        async with self._tools.store.transaction() as write:
            await write.batches.tell(number)

    async def last(self, number: int) -> Batch | None:
        """One as it is now or ended, whoever asks."""
        return self._running.get(number) or await self._tools.store.batch(number)

    async def show_in(self, number: int, channel_id: int, message_id: int) -> None:
        """Remember which message shows it."""
        async with self._tools.store.transaction() as write:
            await write.batches.show_in(number, channel_id, message_id)
        if number in self._running:
            shown = replace(self._running[number], channel_id=channel_id, message_id=message_id)
            self._running[number] = shown

    @contextlib.contextmanager
    def hearing(self, listener: Callable[[int], None]) -> Iterator[None]:
        """Call `listener(number)` whenever one of them changes, while the block runs."""
        self._listeners.add(listener)
        try:
            yield
        finally:
            self._listeners.discard(listener)

    def _tell(self, number: int) -> None:
        for listener in tuple(self._listeners):
            listener(number)

    async def _known(self, number: int) -> Batch:
        found = self._running.get(number) or await self._tools.store.batch(number)
        if found is None:
            raise NotFound("There is no such batch.", code="no-such-batch")
        return found

    # The work

    async def load(self) -> None:
        """Take over what a controller that died left under way."""
        for number in await self._tools.store.running_batches():
            found = await self._tools.store.batch(number)
            if found is not None:
                self._running[number] = found
                self._fresh.append(number)
        self._begun.set()

    async def run(self) -> None:
        """Carry out what is confirmed, until cancelled."""
        async with asyncio.TaskGroup() as group:
            while True:
                await self._begun.wait()
                self._begun.clear()
                fresh, self._fresh = self._fresh, []
                for number in fresh:
                    group.create_task(self._carry_out(number), name=f"batch {number}")

    async def _carry_out(self, number: int) -> None:
        self._tell(number)
        async with asyncio.TaskGroup() as group:
            for position, item in enumerate(self._running[number].items):
                if item.state.ended:
                    continue
                await self._free.acquire()
                task = group.create_task(self._one(number, position))
                task.add_done_callback(lambda _: self._free.release())
        await self._end(number)

    async def _one(self, number: int, position: int) -> None:
        batch = self._running[number]
        item = batch.items[position]
        if batch.cancelled:
            ended = replace(item, state=ItemState.LEFT_OUT, words="cancelled")
        else:
            self._show(number, position, replace(item, state=ItemState.WORKING))
            state, words = await self._done(batch, position)
            ended = replace(item, state=state, words=words[:300])
        await self._surely(lambda: self._write_item(number, position, ended))
        self._show(number, position, ended)

    async def _done(self, batch: Batch, position: int) -> tuple[ItemState, str]:
        view = self._tools.fleet.get(batch.items[position].bot_id)
        if view is None:
            return ItemState.LEFT_OUT, "gone"
        try:
            view = await self._act(batch, position, view.bot)
        except ControllerError as error:
            if error.code == "up-to-date":
                return ItemState.DONE, "up to date"
            return ItemState.FAILED, error.message
        except Exception:  # a bug with one bot must not stop all others
            log.exception("batch %d: %s", batch.id, batch.items[position].name)
            return ItemState.FAILED, "BotMaker failed at it; see its log."
        if view is None:
            return ItemState.LEFT_OUT, "gone"
        if batch.verb is Verb.UPDATE and view.bot.setback is not None:
            return ItemState.FAILED, f"taken back: {view.bot.setback.message}"
        problem = view.bot.problem
        return ended_as(batch.verb, view.phase, problem.message if problem else "")

    async def _act(self, batch: Batch, position: int, bot: Bot) -> View | None:
        attempt, request = 1, batch.request(position)
        while (asked := await self._tools.store.asked(request=request)) is not None:
            if await self._was_wished(bot, asked.seq):  # before the controller died
                return await self._tools.fleet.wait_for(
                    bot.id, lambda view: view is None or (view.seen and at_rest(view)), WAIT_SECONDS
                )
            attempt += 1
            request = batch.request(position, attempt)
        caller, life = Caller(batch.by, request), self._tools.lifecycle
        match batch.verb:
            case Verb.START:
                return await life.start(caller, bot, WAIT_SECONDS)
            case Verb.STOP:
                return await life.stop(caller, bot, WAIT_SECONDS)
            case Verb.RESTART:
                return await life.restart(caller, bot, WAIT_SECONDS)
            case Verb.UPDATE:
                return (await self._tools.releases.update(caller, bot, wait=WAIT_SECONDS)).view

    async def _was_wished(self, bot: Bot, asked: int) -> bool:
        """Whether the wish of that request was written before the controller died."""
        changes = (Kind.WISH, Kind.RELEASE)
        found = await self._tools.store.entries(bot.id, changes, after=asked, limit=50)
        outcomes = await self._tools.store.outcomes([asked])
        done = asked in outcomes and outcomes[asked].data.get("result") == "done"
        return done or any(entry.author.cause == asked for entry in found)

    def _show(self, number: int, position: int, item: Item) -> None:
        batch = self._running[number]
        items = (*batch.items[:position], item, *batch.items[position + 1 :])
        self._running[number] = replace(batch, items=items)
        self._tell(number)

    async def _write_item(self, number: int, position: int, item: Item) -> None:
        async with self._tools.store.transaction() as write:
            await write.batches.end_item(number, position, item)

    async def _end(self, number: int) -> None:
        batch, now = self._running[number], time.time()
        failed = [item.name for item in batch.items if item.state is ItemState.FAILED]
        told = facts.batch_ended(
            number,
            batch.verb.value,
            batch.count(ItemState.DONE),
            failed[:_NAMES_MOST],
            batch.count(ItemState.LEFT_OUT),
        )

        async def write_end() -> None:
            async with self._tools.store.transaction() as write:
                await write.batches.end(number, now)
                await append_all(write, [told], None, Author(batch.by))

        await self._surely(write_end)
        del self._running[number]
        self._tell(number)

    async def _surely(self, write: Callable[[], Awaitable[None]]) -> None:
        """Write it, however long the disk refuses."""
        while True:
            try:
                await write()
            except ControllerError as error:
                log.warning("how a batch goes can't be written down: %s", error)
                await asyncio.sleep(AGAIN)
            else:
                return

"""The one way to change a bot's row: edit, save with the journal, show, poke.

The row, its crashes and the journal entries that tell of the change are one transaction. No change
is lost between two: each edit sees the row that the former one left.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

from controller.domain.bot import Bot
from controller.domain.ends import CRASHES_KEPT, Cause, Verdict
from controller.domain.journal import (
    BY_ITSELF,
    Author,
    Fact,
    Kind,
    by_hand,
    changes,
    crash,
    release,
)
from controller.domain.observation import World
from controller.domain.release import Outcome, Release, content_of, reason_for
from controller.fleet.journal import append_all
from controller.fleet.views import Fleet, View
from controller.store import Store, Transaction

T = TypeVar("T")
Write = Callable[[Transaction], Awaitable[object]]


class Wishes:
    """Writes wishes to the store first, then shows them in the fleet in memory."""

    def __init__(
        self,
        store: Store,
        fleet: Fleet,
        poke: Callable[[str], None],
        snapshot: Callable[[Bot], str] = lambda _: "",
    ) -> None:
        self._snapshot = snapshot  # the whole text of a bot's template
        self._store = store
        self._fleet = fleet
        self._poke = poke
        self._lock = asyncio.Lock()
        self._changes: set[asyncio.Task[Any]] = set()

    async def add(self, bot: Bot, world: World, by: Author = BY_ITSELF) -> View:
        """A new bot, with what is known of its world. Raises Conflict when the name is taken."""
        first = replace(bot, candidate=1)

        async def work() -> View:
            async with self._store.transaction() as write:
                await write.add_bot(first)
                await write.releases.add(self._release(first, "create", by))
                made = [Fact(Kind.CREATED, _made_of(bot))]
                if bot.fields:
                    made.append(Fact(Kind.SETTINGS, {"before": {}, "after": bot.fields}))
                await append_all(write, made, bot, by)
            view = self._fleet.add(first, world)
            self._poke(bot.id)  # a bot that needs no secrets starts now
            return view

        return await self._alone(work)

    async def change(
        self,
        bot_id: str,
        edit: Callable[[Bot], Bot],
        by: Author = BY_ITSELF,
        *,
        facts: Sequence[Fact] = (),
        forgive: bool = False,
        also: Write | None = None,
        why: str = "",
    ) -> View:
        """Apply a pure edit to the row as it is now. Raises NotFound when the bot is gone.

        `facts` are written down beside those that follow from the edit. `forgive` forgets the bot's
        crashes, and what was taken back: a person acted. `also` writes more in the same
        transaction. What changes the bot's content makes a new release; `why` says its reason, and
        makes one in any case.
        """

        async def work() -> View:
            view = self._fleet.require(bot_id)
            bot = edit(replace(view.bot, setback=None) if forgive else view.bot)
            told = [*changes(view.bot, bot), *facts]
            forgiven = forgive and bool(view.crashes)
            if bot != view.bot or told or forgiven or why or also is not None:
                async with self._store.transaction() as write:
                    bot = await self._with_release(write, view.bot, bot, by, why)
                    if bot != view.bot:
                        await write.save_bot(bot)
                    if forgiven:
                        await write.clear_crashes(bot_id)
                    if also is not None:
                        await also(write)
                    await append_all(write, told, bot, by)
            view = self._fleet.show_bot(bot)
            if forgive:
                view = self._fleet.show_crashes(bot_id, ()) or view
            self._show_by_hand(bot_id, told)
            self._poke(bot_id)  # in here: what is written is acted on, whoever gave up waiting
            return view

        return await self._alone(work)

    async def _with_release(
        self, write: Transaction, before: Bot, after: Bot, by: Author, why: str
    ) -> Bot:
        """The bot with the release that the change of its row makes, written down, if any."""
        if (before.candidate, before.release) != (after.candidate, after.release):
            return after  # a candidate was decided: that proposes nothing
        reason = why or reason_for(before, after)
        if not reason:
            if after.candidate and content_of(before) != content_of(after):
                content, snapshot = content_of(after), self._snapshot(after)
                await write.releases.amend(after.id, after.candidate, content, snapshot)
            return after
        if before.candidate:
            ended = Outcome.FAILED if before.problem else Outcome.REPLACED
            number, now = before.candidate, time.time()
            await write.releases.end(before.id, number, ended, now, before.problem)
        bot = replace(after, candidate=await write.releases.next_number(after.id), setback=None)
        await write.releases.add(self._release(bot, reason, by))
        await append_all(write, [release(bot.candidate, reason)], bot, by)
        return bot

    def _release(self, bot: Bot, why: str, by: Author) -> Release:
        return Release(
            bot_id=bot.id,
            number=bot.candidate,
            content=content_of(bot),
            snapshot=self._snapshot(bot),
            why=why,
            author=by,
            at=time.time(),
        )

    async def account(self, bot_id: str, judge: Callable[[View], Verdict]) -> tuple[View, Verdict]:
        """Judge the end of a run by the row as it is now, and save what came of it, all at once."""

        async def work() -> tuple[View, Verdict]:
            view = self._fleet.require(bot_id)
            verdict = judge(view)
            bot = verdict.applied_to(view.bot)
            if bot == view.bot and not verdict.crashes:
                return view, verdict
            # A run that is named or still owed is no new wish: only a problem can be news here.
            told = [
                *(crash(found) for found in verdict.crashes),
                *([by_hand("stopped")] if verdict.cause is Cause.HAND else ()),
                *changes(replace(view.bot, run=bot.run), bot),
            ]
            async with self._store.transaction() as write:
                await write.save_bot(bot)
                if verdict.crashes:
                    await write.add_crashes(bot_id, verdict.crashes)
                await append_all(write, told, bot)
            view = self._fleet.show_bot(bot)
            if verdict.crashes:
                known = (*view.crashes, *verdict.crashes)[-CRASHES_KEPT:]
                view = self._fleet.show_crashes(bot_id, known) or view
            self._show_by_hand(bot_id, told)
            return view, verdict

        return await self._alone(work)

    async def forget(self, bot_id: str) -> None:
        """Remove the row: the last act of a removal."""

        async def work() -> None:
            view = self._fleet.get(bot_id)
            if view is None:
                return
            async with self._store.transaction() as write:
                await write.drop_bot(bot_id)
                await append_all(write, [Fact(Kind.REMOVED)], view.bot)
            self._fleet.forget(bot_id)

        await self._alone(work)

    def _show_by_hand(self, bot_id: str, told: Sequence[Fact]) -> None:
        for fact in told:
            if fact.kind is Kind.BY_HAND:
                self._fleet.show_by_hand(bot_id, str(fact.data["what"]))

    async def _alone(self, work: Callable[[], Awaitable[T]]) -> T:
        async def locked() -> T:
            async with self._lock:
                return await work()

        # Shielded, so that a cancelled caller leaves store and memory agreeing.
        task = asyncio.create_task(locked())
        self._changes.add(task)
        task.add_done_callback(self._changes.discard)
        return await asyncio.shield(task)

    async def drain(self) -> None:
        """Wait for changes whose callers have given up. Before the store is closed."""
        await asyncio.gather(*self._changes, return_exceptions=True)


def _made_of(bot: Bot) -> dict[str, str]:
    made = {
        "template": bot.template,
        "provider": bot.provider,
        "model": bot.model,
        "channel": bot.channel,
    }
    return made | ({"source": bot.source} if bot.source else {})

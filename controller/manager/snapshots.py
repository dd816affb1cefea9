"""A bot's snapshots: which there are, and putting one in place of its state.

They are taken by the loop, before an update (`loop/snapshot_steps.py`).
"""

from __future__ import annotations

from dataclasses import replace

from controller.domain.acts import BOT_RESTORE, BOT_SNAPSHOTS
from controller.domain.bot import Bot, Wish
from controller.domain.errors import NotFound, NotReady
from controller.domain.snapshot import Snapshot
from controller.fleet.journal import Caller, Journal
from controller.fleet.snapshot_files import SnapshotFiles
from controller.fleet.threads import Threads
from controller.fleet.views import Fleet, View
from controller.fleet.wishes import Wishes
from controller.manager.access import Access
from controller.manager.lifecycle import WAIT_SECONDS, at_rest, note_end


class Snapshots:
    """The use-cases."""

    def __init__(
        self,
        *,
        files: SnapshotFiles,
        fleet: Fleet,
        wishes: Wishes,
        threads: Threads,
        journal: Journal,
        access: Access,
    ) -> None:
        self._files = files
        self._fleet = fleet
        self._wishes = wishes
        self._threads = threads
        self._journal = journal
        self._access = access

    async def listed(self, caller: Caller, bot: Bot) -> list[Snapshot]:
        """The bot's snapshots, newest first."""
        await self._access.require(caller, BOT_SNAPSHOTS, bot)
        return (await self._threads(lambda: self._files.listed(bot.id)))[::-1]

    async def restore(
        self, caller: Caller, bot: Bot, number: int, wait: float = WAIT_SECONDS
    ) -> View | None:
        """Put the snapshot in place of the bot's state, which becomes a snapshot itself. The bot
        stops for that, and runs again if it ran.

        Raises NotFound (`no-such-snapshot`), or NotReady (`being-tried`, `being-removed`).
        """
        await self._access.require(caller, BOT_RESTORE, bot)
        async with self._journal.request(caller, BOT_RESTORE, bot, {"snapshot": number}) as deed:
            known = await self._threads(lambda: self._files.listed(bot.id))
            if all(one.number != number for one in known):
                raise NotFound(
                    f"{bot.name} has no snapshot {number}.",
                    hint=f"/bot snapshots {bot.name} shows all.",
                    code="no-such-snapshot",
                )
            await self._wishes.change(
                bot.id, lambda now: _restoring(now, number), deed.author, forgive=True
            )
            view = await self._fleet.wait_for(bot.id, lambda v: v is None or _done(v), wait)
            note_end(deed, view)
            return view


def _restoring(now: Bot, number: int) -> Bot:
    if now.wish is Wish.REMOVE:
        raise NotReady(f"{now.name} is being removed.", code="being-removed")
    if now.candidate and now.release:
        raise NotReady(
            f"Release {now.candidate} of {now.name} is being tried.",
            hint="Wait for its end, or roll back, then restore the snapshot.",
            code="being-tried",
        )
    return replace(now, restoring=number, problem=None)


def _done(view: View) -> bool:
    return at_rest(view) and (not view.bot.restoring or view.bot.problem is not None)

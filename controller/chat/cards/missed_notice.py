"""Scheduled runs that weren't made, in the admin channel: one message for all found together."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Sequence

import discord

from controller.chat.languages import plural, say, told
from controller.chat.requests.audience import speak_to_all
from controller.chat.requests.discord_trouble import TROUBLE, reading_discord
from controller.chat.requests.place import Place
from controller.chat.requests.quiet import QUIETLY
from controller.chat.words.limits import NONCE_MAX
from controller.chat.words.text import fitted, plain
from controller.domain.errors import ControllerError
from controller.domain.journal import Entry
from controller.manager import Manager

log = logging.getLogger(__name__)
_KEY = "missed-notice"  # the number of the last entry that was told
GATHER_SECONDS = 2.0  # what is noticed at a start comes one by one
AGAIN = 30.0  # seconds until the next try
LINES_MOST = 20
_ONE = "⏭️ **{runs} missed**: BotMaker wasn't running when it was due. Nothing is made up for."
_SEVERAL = (
    "⏭️ **{runs} missed**: BotMaker wasn't running when they were due. Nothing is made up for."
)


class MissedNotice:
    """Tells each missed run once, also after a restart."""

    def __init__(
        self, manager: Manager, client: discord.Client, place: Place, connected: asyncio.Event
    ) -> None:
        self._runs = manager.schedule_runs
        self._notebook = manager.notebook
        self._client = client
        self._place = place
        self._connected = connected
        self._awake = asyncio.Event()

    async def run(self) -> None:
        """Tell them until cancelled."""
        with self._runs.hearing_missed(self._awake.set):
            await self._connected.wait()
            self._awake.set()
            while True:
                await self._awake.wait()
                await asyncio.sleep(GATHER_SECONDS)
                self._awake.clear()
                try:
                    await speak_to_all(self._client, self._place)
                    with reading_discord():
                        await self.publish()
                except (*TROUBLE, OSError, ControllerError) as error:
                    log.warning("missed runs aren't told yet: %s", error)
                    asyncio.get_running_loop().call_later(AGAIN, self._awake.set)

    async def publish(self) -> None:
        """Post what wasn't told yet. What an earlier version missed is no news."""
        last_told = await self._notebook.recall(_KEY)
        if not last_told.isdecimal():
            await self._notebook.remember(_KEY, str(await self._runs.newest_entry()))
            return
        found = await self._runs.missed_since(int(last_told))
        if not found:
            return
        place = self._place
        channel = self._client.get_partial_messageable(place.channel_id, guild_id=place.guild_id)
        last = str(found[-1].seq)
        nonce = hashlib.sha256(f"missed {last}".encode()).hexdigest()[:NONCE_MAX]
        await channel.send(missed_words(found), nonce=nonce, **QUIETLY)
        await self._notebook.remember(_KEY, last)


def missed_words(found: Sequence[Entry]) -> str:
    """Which runs weren't made, and that nobody makes up for them."""
    count = sum(int(entry.data.get("times") or 0) for entry in found)
    runs = plural(count, "scheduled run")
    lines = [say(_ONE if count == 1 else _SEVERAL, runs=runs)]
    for entry in found[:LINES_MOST]:
        chore = plain(told(str(entry.data.get("chore", ""))), 20)
        times, due = int(entry.data.get("times") or 0), float(entry.data.get("due") or 0.0)
        when = f"<t:{int(due)}:f>"
        if times > 1:
            when = say("{times}, the last {when}", times=plural(times, "time"), when=when)
        name = plain(entry.bot_name or say("a bot that is gone"), 40)
        lines.append(f"- **{name}**: {chore}, {when}")
    if len(found) > LINES_MOST:
        lines.append(say("- and {count} more: `/fleet history`", count=len(found) - LINES_MOST))
    return fitted("\n".join(lines))

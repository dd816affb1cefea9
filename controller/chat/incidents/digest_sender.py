"""Sends the weekly digests: to people by direct message, and to channels.

What couldn't be sent while BotMaker or Discord was away is sent once, as it is then.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging

import discord

from controller.chat.incidents.digest_words import digest_words
from controller.chat.requests.audience import speak_to_all
from controller.chat.requests.discord_trouble import TROUBLE, reading_discord
from controller.chat.requests.members import Members
from controller.chat.requests.place import Place
from controller.chat.requests.quiet import QUIETLY
from controller.chat.words.limits import NONCE_MAX
from controller.domain.access import SYSTEM, Principal, discord_user
from controller.domain.acts import BOT_SHOW
from controller.domain.digest import DigestWish
from controller.domain.errors import ControllerError, Denied
from controller.manager import Manager

log = logging.getLogger(__name__)
SECONDS = 20.0  # for one message
AGAIN = 60.0  # seconds until the next try
SLEEP_MOST = 3600.0  # seconds; clocks are set
_GONE = {10003, 10013}  # Discord's error codes: no such channel, no such user
_CLOSED = {50001, 50007, 50013}  # the channel or the direct messages are closed to us


class DigestSender:
    """One timer for all of them; none where nobody wants one."""

    def __init__(
        self,
        manager: Manager,
        client: discord.Client,
        place: Place,
        members: Members,
        connected: asyncio.Event,
    ) -> None:
        self._digests = manager.digests
        self._access = manager.access
        self._client = client
        self._place = place
        self._members = members
        self._connected = connected
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Send what is due until cancelled."""
        with self._digests.hearing(self._changed.set):
            await self._connected.wait()
            while True:
                self._changed.clear()
                done = [await self._attempt(wish) for wish in self._digests.due()]
                wait = self._digests.wait()
                pause = None if wait is None else min(SLEEP_MOST, wait)
                if not all(done):
                    pause = AGAIN
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await self._changed.wait()

    async def _attempt(self, wish: DigestWish) -> bool:
        """Send one. Whether it needn't be tried again."""
        try:
            async with asyncio.timeout(SECONDS):
                await speak_to_all(self._client, self._place)
                with reading_discord():
                    await self._send(wish)
        except (*TROUBLE, OSError, ControllerError) as error:
            log.warning("the digest for %s %d isn't sent yet: %s", wish.kind, wish.subject, error)
            return False
        return True

    async def _send(self, wish: DigestWish) -> None:
        reader = await self._reader(wish)
        if reader is None:
            await self._digests.lose(wish)
            return
        if not self._access.may_anywhere(reader, BOT_SHOW):
            await self._digests.sent(wish)
            return
        words = digest_words(await self._digests.week(reader))
        # Discord drops a second message with the same nonce: a try that was lost does no harm.
        nonce = hashlib.sha256(f"digest {wish.key} {wish.next_at}".encode()).hexdigest()
        try:
            channel = await self._channel(wish)
            await channel.send(words, nonce=nonce[:NONCE_MAX], **QUIETLY)
        except discord.HTTPException as error:
            if error.code in _GONE:
                await self._digests.lose(wish)
                return
            if error.code not in _CLOSED:
                raise
            log.warning("a digest can't be sent to %s %d: %s", wish.kind, wish.subject, error)
        await self._digests.sent(wish)

    async def _reader(self, wish: DigestWish) -> Principal | None:
        """As whom it is read; None for somebody who left the server."""
        if wish.kind == "channel":
            return SYSTEM
        try:
            roles = await self._members.roles_of(wish.subject)
        except Denied:
            return None
        return discord_user(wish.subject, "", roles)

    async def _channel(self, wish: DigestWish) -> discord.abc.Messageable:
        if wish.kind == "channel":
            guild_id = self._place.guild_id
            return self._client.get_partial_messageable(wish.subject, guild_id=guild_id)
        return await self._client.create_dm(discord.Object(wish.subject))

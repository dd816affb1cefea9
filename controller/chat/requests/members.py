"""Which Discord roles a member of the server has now: for those who ask by another way."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable

import aiohttp
import discord

from controller.chat.requests.place import Place
from controller.domain.errors import Denied

FRESH_SECONDS = 15.0  # an answer of Discord's counts that long
STALE_SECONDS = 3600.0  # and that long while Discord doesn't answer
ANSWER_WITHIN = 3.0  # seconds
REMEMBERED = 1000  # people


class Members:
    """Asks Discord, a few times a minute for each person at most."""

    def __init__(
        self,
        client: discord.Client,
        place: Place,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._place = place
        self._clock = clock
        self._known: OrderedDict[int, tuple[float, frozenset[int]]] = OrderedDict()

    async def roles_of(self, user_id: int) -> frozenset[int]:
        """The ids of the roles, @everyone's among them. Denied for who isn't a member.

        While Discord doesn't answer: those of the last hour, or none. What was granted to the
        person by name holds then.
        """
        at, roles = self._known.get(user_id, (-STALE_SECONDS, frozenset()))
        if self._clock() - at < FRESH_SECONDS:
            return roles
        if self._client.user is None:  # not signed in yet
            return roles
        try:
            async with asyncio.timeout(ANSWER_WITHIN):
                found = await self.ask(user_id)
        except (discord.DiscordException, aiohttp.ClientError, OSError, TimeoutError):
            return roles if self._clock() - at < STALE_SECONDS else frozenset()
        self._known[user_id] = self._clock(), found
        self._known.move_to_end(user_id)
        if len(self._known) > REMEMBERED:
            self._known.popitem(last=False)
        return found

    async def ask(self, user_id: int) -> frozenset[int]:
        """The same, from Discord and never from memory."""
        try:
            member = await self._client.http.get_member(self._place.guild_id, user_id)
        except discord.NotFound as error:
            self._known.pop(user_id, None)
            raise Denied(
                "BotMaker serves the members of its server only.", hint="Join the server again."
            ) from error
        # Discord lists @everyone for nobody; its id is the guild's.
        return frozenset(map(int, (self._place.guild_id, *member["roles"])))

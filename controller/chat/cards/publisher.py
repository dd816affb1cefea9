"""The public messages, one a bot, edited in place: published on change, never on a timer.

What could not be said because Discord was away is said later: a message is compared with the view,
not with an event.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import replace

import aiohttp
import discord

from controller.chat.client import ControllerClient
from controller.chat.requests import addresses as buttons
from controller.chat.requests import delivery as answers
from controller.chat.words import bot_words as render
from controller.chat.words.bot_facts import memory_of
from controller.domain.errors import DiscordTrouble
from controller.manager import Manager
from controller.manager.fleet import View
from controller.manager.reconciler import Reconciler
from controller.store import Card

log = logging.getLogger(__name__)
SPACING = 1.5  # seconds between two edits of one message; Discord limits edits of old ones
GONE = {10003, 10008}  # the channel, the message


class Publisher:
    """Keeps every bot's card equal to what `render.card` says of its view."""

    def __init__(
        self,
        manager: Manager,
        client: ControllerClient,
        published: Callable[[], None] = lambda: None,
    ) -> None:
        self._published = published
        self._manager = manager
        self._client = client
        self._queue = Reconciler("card", workers=2)
        self._cards: dict[str, Card] = {}
        self._last: dict[str, float] = {}

    async def run(self) -> None:
        """Publish until cancelled."""
        self._cards = {card.bot_id: card for card in await self._manager.store.cards()}
        with self._manager.fleet.listening(self._queue.poke):
            await self._client.wait_until_ready()
            for bot_id in {*self._cards, *(view.bot.id for view in self._manager.fleet)}:
                self._queue.poke(bot_id)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._queue.run(self._publish))
                group.create_task(self._post_lost([*self._cards]))

    async def _post_lost(self, bot_ids: list[str]) -> None:
        """Post anew, unhurriedly, what somebody deleted while no controller was there."""
        for bot_id in bot_ids:
            card = self._cards.get(bot_id)
            if card is not None and not await self._stands(card):
                now = self._cards.get(bot_id)
                if now is not None and now.message_id == card.message_id:
                    self._cards[bot_id] = replace(now, digest="")
                    self._queue.poke(bot_id)
            await asyncio.sleep(SPACING)

    async def _stands(self, card: Card) -> bool:
        """Whether its message is there, as far as Discord tells; it is not edited for that."""
        try:
            with answers.speaking():
                await self._channel(card).fetch_message(card.message_id)
        except discord.NotFound as error:
            return error.code not in GONE
        except (*answers.TROUBLE, OSError) as error:
            log.info("not known whether the message about %s still stands: %s", card.title, error)
        return True

    async def _publish(self, bot_id: str) -> float | None:
        wait = self._last.get(bot_id, 0.0) + SPACING - time.monotonic()
        view, card = self._manager.fleet.get(bot_id), self._cards.get(bot_id)
        if view is not None and card is not None and wait > 0:
            return wait
        try:
            with answers.speaking():
                await self._say(bot_id, view, card)
        except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
            raise DiscordTrouble(
                f"the message about bot {bot_id} is not up to date: {error}"
            ) from error
        self._published()
        return None

    async def _say(self, bot_id: str, view: View | None, card: Card | None) -> None:
        if view is None:
            if card is not None:
                await self._edit(card, render.removed_card(card.title), None)
                await self._manager.store.drop_card(bot_id)
                del self._cards[bot_id]
                self._last.pop(bot_id, None)
            return
        engine = self._manager.fleet.engine
        if not view.seen and (card is not None or engine.reachable):
            return  # nothing is known yet: the first look, or the engine's absence, pokes again
        text = render.card(view, engine, memory_of(self._manager, view.bot))
        found = buttons.of_card(view)
        digest = _digest(text, found)
        if card is not None and card.digest == digest:
            return
        row = buttons.row(found)
        self._last[bot_id] = time.monotonic()
        if card is None or not await self._edit(card, text, row):
            card = await self._post(view, text, row, card.message_id if card else 0)
        card = replace(card, digest=digest, title=view.bot.name)
        await self._manager.store.save_card(card)
        self._cards[bot_id] = card

    async def _post(
        self, view: View, text: str, row: discord.ui.View | None, instead_of: int
    ) -> Card:
        place = self._client.place
        channel = self._client.get_partial_messageable(place.channel_id, guild_id=place.guild_id)
        message = await channel.send(
            text,
            view=row or discord.utils.MISSING,
            allowed_mentions=answers.NO_MENTIONS,
            # Discord drops a second message with this nonce: a retry says it once. The message that
            # somebody deleted had another one.
            nonce=hashlib.sha256(f"{view.bot.id} {instead_of}".encode()).hexdigest()[:25],
        )
        card = Card(view.bot.id, view.bot.name, place.channel_id, message.id, "")
        if message.content != text:
            # Posted by a controller that died before it noted that: the words are of that time.
            await self._edit(card, text, row)
        return card

    def _channel(self, card: Card) -> discord.PartialMessageable:
        guild_id = self._client.place.guild_id
        return self._client.get_partial_messageable(card.channel_id, guild_id=guild_id)

    async def _edit(self, card: Card, text: str, row: discord.ui.View | None) -> bool:
        try:
            await (
                self._channel(card)
                .get_partial_message(card.message_id)
                .edit(content=text, view=row, allowed_mentions=answers.NO_MENTIONS)
            )
        except discord.NotFound as error:
            if error.code in GONE:
                return False
            raise
        return True


def _digest(text: str, found: list[discord.ui.Button[discord.ui.View]]) -> str:
    labels = ",".join(f"{item.label}={item.custom_id}" for item in found)
    return hashlib.sha256(f"{text}\0{labels}".encode()).hexdigest()[:16]

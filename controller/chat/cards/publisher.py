"""The cards: one message for each bot, edited in place when something changes, never on a timer.

A card is compared with the bot's view, not with an event. So what couldn't be shown while Discord
was away is shown later.
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

from controller.chat.cards.card_buttons import card_buttons
from controller.chat.cards.card_words import card as card_text
from controller.chat.cards.card_words import removed_card
from controller.chat.requests.buttons import Button, row
from controller.chat.requests.discord_trouble import TROUBLE, reading_discord
from controller.chat.requests.place import Place
from controller.chat.requests.quiet import QUIETLY, edit_message
from controller.chat.words.limits import NONCE_MAX
from controller.domain.errors import DiscordTrouble
from controller.fleet.views import View
from controller.loop.queue import Queue
from controller.manager import Manager
from controller.store import Card

log = logging.getLogger(__name__)
SPACING = 1.5  # seconds between two edits of one card; Discord limits edits of old messages
GONE = {10003, 10008}  # Discord's error codes: the channel, the message


class Publisher:
    """Keeps every bot's card equal to what `card_words` says about its view."""

    def __init__(
        self,
        manager: Manager,
        client: discord.Client,
        place: Place,
        published: Callable[[], None] = lambda: None,
    ) -> None:
        self._published = published
        self._manager = manager
        self._client = client
        self._place = place
        self._queue = Queue("card", workers=2)
        self._cards: dict[str, Card] = {}
        self._last: dict[str, float] = {}

    async def run(self) -> None:
        """Publish until cancelled."""
        self._cards = {card.bot_id: card for card in await self._manager.notebook.cards()}
        with self._manager.bots.listening(self._queue.poke):
            await self._client.wait_until_ready()
            for bot_id in {*self._cards, *(view.bot.id for view in self._manager.bots)}:
                self._queue.poke(bot_id)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._queue.run(self._publish))
                group.create_task(self._post_lost([*self._cards]))

    async def _post_lost(self, bot_ids: list[str]) -> None:
        """Post again, slowly, the cards that somebody deleted while no controller was running."""
        for bot_id in bot_ids:
            card = self._cards.get(bot_id)
            if card is not None and not await self._stands(card):
                now = self._cards.get(bot_id)
                if now is not None and now.message_id == card.message_id:
                    self._cards[bot_id] = replace(now, digest="")
                    self._queue.poke(bot_id)
            await asyncio.sleep(SPACING)

    async def _stands(self, card: Card) -> bool:
        """Whether the card still exists; True if Discord doesn't tell. Checking edits nothing."""
        try:
            with reading_discord():
                await self._channel(card).fetch_message(card.message_id)
        except discord.NotFound as error:
            return error.code not in GONE
        except (*TROUBLE, OSError) as error:
            log.info("not known whether the card of %s still exists: %s", card.title, error)
        return True

    async def _publish(self, bot_id: str) -> float | None:
        wait = self._last.get(bot_id, 0.0) + SPACING - time.monotonic()
        view, card = self._manager.bots.get(bot_id), self._cards.get(bot_id)
        if view is not None and card is not None and wait > 0:
            return wait
        try:
            with reading_discord():
                await self._update(bot_id, view, card)
        except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
            raise DiscordTrouble(f"the card of bot {bot_id} is not up to date: {error}") from error
        self._published()
        return None

    async def _update(self, bot_id: str, view: View | None, card: Card | None) -> None:
        if view is None:
            if card is not None:
                await self._finish(card)
            return
        engine = self._manager.bots.engine
        if not view.seen and (card is not None or engine.reachable):
            return  # nothing is known yet; the first look, or an engine that's away, pokes again
        text = card_text(view, engine, self._manager.bots.memory_limit(view.bot))
        buttons = card_buttons(view)
        digest = _digest(text, buttons)
        if card is not None and card.digest == digest:
            return
        controls = row(buttons)
        self._last[bot_id] = time.monotonic()
        if card is None or not await self._edit(card, text, controls):
            card = await self._post(view, text, controls, card.message_id if card else 0)
        card = replace(card, digest=digest, title=view.bot.name)
        await self._manager.notebook.save_card(card)
        self._cards[bot_id] = card

    async def _finish(self, card: Card) -> None:
        """Say that the bot is gone, and leave the card alone from then on."""
        await self._edit(card, removed_card(card.title), None)
        await self._manager.notebook.drop_card(card.bot_id)
        del self._cards[card.bot_id]
        self._last.pop(card.bot_id, None)

    async def _post(
        self, view: View, text: str, controls: discord.ui.View | None, instead_of: int
    ) -> Card:
        place = self._place
        channel = self._client.get_partial_messageable(place.channel_id, guild_id=place.guild_id)
        message = await channel.send(
            text,
            view=controls or discord.utils.MISSING,
            # Discord drops a second message with the same nonce, so a retry posts nothing twice.
            # A card that somebody deleted had another nonce.
            nonce=hashlib.sha256(f"{view.bot.id} {instead_of}".encode()).hexdigest()[:NONCE_MAX],
            **QUIETLY,
        )
        card = Card(view.bot.id, view.bot.name, place.channel_id, message.id, "")
        if message.content != text:
            # A controller posted it and died before noting that: its words are outdated.
            await self._edit(card, text, controls)
        return card

    def _channel(self, card: Card) -> discord.PartialMessageable:
        guild_id = self._place.guild_id
        return self._client.get_partial_messageable(card.channel_id, guild_id=guild_id)

    async def _edit(self, card: Card, text: str, controls: discord.ui.View | None) -> bool:
        try:
            await edit_message(self._client, card.channel_id, card.message_id, text, controls)
        except discord.NotFound as error:
            if error.code in GONE:
                return False
            raise
        return True


def _digest(text: str, buttons: list[Button]) -> str:
    labels = ",".join(f"{item.label}={item.custom_id}" for item in buttons)
    return hashlib.sha256(f"{text}\0{labels}".encode()).hexdigest()[:16]

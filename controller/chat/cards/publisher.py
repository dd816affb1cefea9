"""The cards: one message for each bot, edited in place when something changes, never on a timer.

A card is compared with the bot's view, not with an event. So what couldn't be shown while Discord
was away is shown later.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import discord

from controller.chat.cards.backoff import is_refusal, pause_after
from controller.chat.cards.board import BoardMessages
from controller.chat.cards.card_layout import card_layout, removed_layout
from controller.chat.cards.card_words import card as card_words
from controller.chat.cards.card_words import removed_card
from controller.chat.cards.presence import Presence
from controller.chat.cards.restored_notice import RestoredNotice
from controller.chat.cards.schedule import Budget, Schedule
from controller.chat.cards.update_notice import UpdateNotice
from controller.chat.cards.welcome import Welcome
from controller.chat.requests.audience import speak_to_all
from controller.chat.requests.discord_trouble import TROUBLE, reading_discord
from controller.chat.requests.layouts import Layout, raw, shows
from controller.chat.requests.place import Place
from controller.chat.requests.quiet import QUIETLY, edit_layout
from controller.chat.words.fleet_words import WORST_FIRST
from controller.chat.words.limits import NONCE_MAX
from controller.domain.phase import Phase
from controller.fleet.views import View
from controller.manager import Manager
from controller.store import Card

log = logging.getLogger(__name__)
SPACING = 2.0  # seconds between two edits of one card; Discord limits edits of old messages
EDITS, EDITS_SECONDS = 5, 5.0  # Discord's usual limit of edits for one channel
SECONDS = 10.0  # for one card; then it waits its turn again, and holds up no other
AT_ONCE = 4  # cards that are being published
CLOSED_AFTER = 3  # refusals in a row that mean the channel, not one card
GONE = {10003, 10008}  # Discord's error codes: the channel, the message
TOO_MANY_EDITS = 30046  # of a message older than an hour
# The keys of the first message and of what checks for updates found; bots' ids are UUIDs.
WELCOME, UPDATES = "welcome", "updates"
RESTORED_NOTICE = "restored"
PRESENCE, BOARD = "presence", "board:"  # the second with a channel's id
OVERVIEWS = WORST_FIRST.index(Phase.CRASH_LOOPING)  # how urgent they are
_FAILURES = (*TROUBLE, OSError)


class Publisher:
    """Keeps every bot's card equal to what `card_words` says about its view."""

    def __init__(
        self,
        manager: Manager,
        client: discord.Client,
        place: Place,
        published: Callable[[], None] = lambda: None,
        seconds: float = SECONDS,
        budget: Budget | None = None,
    ) -> None:
        self._published = published
        self._seconds = seconds
        self._manager = manager
        self._client = client
        self._place = place
        self._budget = budget or Budget(EDITS, EDITS_SECONDS)
        self._schedule = Schedule(self._budget, self._rank)
        self._update_notice = UpdateNotice(manager, client, place)
        self._restored_notice = RestoredNotice(manager, client, place)
        self._welcome = Welcome(manager, client, place)
        self._boards = BoardMessages(manager, client, place)
        self._presence = Presence(manager, client)
        self._cards: dict[str, Card] = {}
        self._failures: Counter[str] = Counter()
        self._refused = 0  # times in a row, whichever card

    async def run(self) -> None:
        """Publish until cancelled."""
        self._cards = {card.bot_id: card for card in await self._manager.notebook.cards()}
        await self._welcome.plan()
        bots = self._manager.bots
        with (
            bots.listening(self._changed),
            self._manager.boards.hearing(self._board_wished),
            bots.hearing_engine(self._engine_changed),
            self._manager.update_checks.hearing(lambda: self._schedule.poke(UPDATES)),
        ):
            await self._client.wait_until_ready()
            self._schedule.poke(WELCOME)
            self._schedule.poke(RESTORED_NOTICE)
            self._poke_overviews()
            for bot_id in {*self._cards, *(view.bot.id for view in bots)}:
                self._schedule.poke(bot_id)
            async with asyncio.TaskGroup() as group:
                group.create_task(self._post_lost([*self._cards]))
                free = asyncio.Semaphore(AT_ONCE)
                while True:
                    await free.acquire()
                    task = group.create_task(self._attempt(await self._schedule.next()))
                    task.add_done_callback(lambda _: free.release())

    def _changed(self, bot_id: str) -> None:
        self._schedule.poke(bot_id)
        self._poke_overviews()

    def _poke_overviews(self) -> None:
        """What shows all bots together; how many there are is all the same."""
        self._schedule.poke(PRESENCE)
        for channel_id in self._manager.boards.channels:
            self._schedule.poke(f"{BOARD}{channel_id}")

    def _board_wished(self, channel_id: int) -> None:
        self._boards.move_down(channel_id)
        self._schedule.poke(f"{BOARD}{channel_id}")

    def _engine_changed(self) -> None:
        """A card only depends on it before anything is known of its bot; an incident tells it."""
        self._poke_overviews()
        for view in self._manager.bots:
            if view.bot.id not in self._cards:
                self._schedule.poke(view.bot.id)

    def _rank(self, key: str) -> int:
        """The worst first; the first message, and the last words about a bot, before all."""
        if key == PRESENCE or key.startswith(BOARD):
            return OVERVIEWS
        view = self._manager.bots.get(key)
        return -1 if view is None else WORST_FIRST.index(view.phase)

    async def _attempt(self, key: str) -> None:
        """Publish one card, or note when to try it again. Never raises: it's only one card."""
        try:
            async with asyncio.timeout(self._seconds):
                await speak_to_all(self._client, self._place)
                with reading_discord():
                    wait = await self._publish_what(key)
        except _FAILURES as error:
            self._failed(key, error)
        except Exception as error:  # a bug in one card must not stop all others
            log.error("publishing %s failed", key, exc_info=error)
            self._schedule.put_off(key, pause_after(error, self._count(key)))
        else:
            self._failures.pop(key, None)
            if wait:
                self._schedule.put_off(key, wait)
            self._published()
        finally:
            self._schedule.done(key)

    def _count(self, key: str) -> int:
        self._failures[key] += 1
        return self._failures[key]

    def _failed(self, key: str, error: Exception) -> None:
        pause = pause_after(error, self._count(key))
        self._refused = self._refused + 1 if is_refusal(error) else 0
        if self._refused >= CLOSED_AFTER:
            # Each further try would count towards Discord's limit of refused requests.
            self._budget.pause(pause)
        log.warning("the card of %s is not up to date: %s; again in %.1f s", key, error, pause)
        self._schedule.put_off(key, pause)

    async def _post_lost(self, bot_ids: list[str]) -> None:
        """Post again, slowly, the cards that somebody deleted while no controller was running."""
        for bot_id in bot_ids:
            card = self._cards.get(bot_id)
            if card is not None and not await self._stands(card):
                now = self._cards.get(bot_id)
                if now is not None and now.message_id == card.message_id:
                    self._cards[bot_id] = replace(now, digest="")
                    self._schedule.poke(bot_id)
            await asyncio.sleep(SPACING)

    async def _stands(self, card: Card) -> bool:
        """Whether the card still exists; True if Discord doesn't tell. Checking edits nothing."""
        try:
            with reading_discord():
                await self._channel().fetch_message(card.message_id)
        except discord.NotFound as error:
            return error.code not in GONE
        except _FAILURES as error:
            log.info("not known whether the card of %s still exists: %s", card.title, error)
        return True

    async def _publish_what(self, key: str) -> float | None:
        """Bring what the key stands for up to date. Seconds until it is to be looked at again."""
        if key == WELCOME:
            await self._welcome.publish()
            return None
        if key == RESTORED_NOTICE:
            await self._restored_notice.publish()
            return None
        if key == UPDATES:
            await self._update_notice.publish()
            return None
        if key == PRESENCE:
            return await self._presence.publish()
        if key.startswith(BOARD):
            wait = await self._boards.publish(int(key.removeprefix(BOARD)))
            if wait:
                self._budget.spend()
            return wait
        return await self._publish(key)

    async def _publish(self, bot_id: str) -> float | None:
        """Bring one card up to date. Seconds until it may be edited again, if it was."""
        view, card = self._manager.bots.get(bot_id), self._cards.get(bot_id)
        if view is None:
            if card is not None:
                await self._finish(card)
            return None
        if not view.seen and (card is not None or self._manager.bots.engine.reachable):
            return None  # nothing is known yet; the first look, or an engine that's away, pokes
        bots = self._manager.bots
        words = card_words(view, bots.memory_limit(view.bot), now=bots.engine_time())
        layout = card_layout(view, words)
        digest = _digest(layout)
        here = card is not None and card.channel_id == self._place.channel_id
        if card is not None and here and card.digest == digest:
            return None
        if card is None or not here or not await self._edit(card, layout):
            old, card = card, await self._post(view, layout, card)
        else:
            old = None
        card = replace(card, digest=digest, title=view.bot.name)
        await self._manager.notebook.save_card(card)
        self._cards[bot_id] = card
        self._refused = 0
        if old is not None:
            await self._tidy(old)
        return SPACING

    async def _finish(self, card: Card) -> None:
        """Say that the bot is gone, and leave the card alone from then on."""
        try:
            await self._edit(card, removed_layout(removed_card(card.title)))
        except discord.Forbidden:
            if card.channel_id == self._place.channel_id:
                raise  # a right is missing for now; elsewhere it's nothing to wait for
        await self._manager.notebook.drop_card(card.bot_id)
        self._cards.pop(card.bot_id, None)
        self._refused = 0

    async def _post(self, view: View, layout: Layout, instead: Card | None) -> Card:
        place = self._place
        instead_of = instead.message_id if instead else 0
        message = await self._channel().send(
            view=layout,
            # Discord drops a second message with the same nonce, so a retry posts nothing twice.
            # A card that somebody deleted had another nonce.
            nonce=hashlib.sha256(f"{view.bot.id} {instead_of}".encode()).hexdigest()[:NONCE_MAX],
            **QUIETLY,
        )
        card = Card(view.bot.id, view.bot.name, place.channel_id, message.id, "")
        if not shows(message, layout):
            # A controller posted it and died before noting that: its words are outdated.
            await self._edit(card, layout)
        return card

    async def _tidy(self, card: Card) -> None:
        """Take away a card that another one replaced. If that fails, it only looks untidy."""
        with contextlib.suppress(*_FAILURES):
            await self._client.http.delete_message(card.channel_id, card.message_id)

    def _channel(self) -> discord.PartialMessageable:
        place = self._place
        return self._client.get_partial_messageable(place.channel_id, guild_id=place.guild_id)

    async def _edit(self, card: Card, layout: Layout) -> bool:
        """Edit the card; False if it can't be edited any more, so that a new one is needed."""
        self._budget.spend()
        try:
            await edit_layout(self._client, card.channel_id, card.message_id, layout)
        except discord.HTTPException as error:
            if error.code in {*GONE, TOO_MANY_EDITS}:
                return False
            raise
        return True


def _digest(layout: Layout) -> str:
    text = json.dumps(raw(layout), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]

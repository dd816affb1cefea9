"""The boards: the whole fleet in one live message of a channel, edited when something changes.

A board that can't be edited any more, or that other messages have pushed out of sight, comes anew
at the channel's end, and its old message goes.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import time
from dataclasses import asdict, dataclass

import discord

from controller.chat.cards.board_layout import board_layout
from controller.chat.requests.discord_trouble import TROUBLE
from controller.chat.requests.layouts import Layout, raw, shows
from controller.chat.requests.place import Place
from controller.chat.requests.quiet import QUIETLY, edit_layout
from controller.chat.words.limits import NONCE_MAX
from controller.manager import Manager

SPACING = 2.0  # seconds between two edits of a board: it changes with every bot
BURIED = 15  # messages below it
LOOK_SECONDS = 60.0  # between two looks at what stands below it
CANT_EDIT = {10003, 10008, 30046}  # Discord's error codes: gone, gone, too many edits
GONE_CHANNEL = 10003  # Discord's error code


@dataclass(frozen=True, slots=True)
class _Shown:
    """The message of a board, and what it says."""

    message_id: int = 0
    digest: str = ""


class BoardMessages:
    """Keeps each board's message equal to how the fleet is."""

    def __init__(self, manager: Manager, client: discord.Client, place: Place) -> None:
        self._manager = manager
        self._client = client
        self._place = place
        self._anew: set[int] = set()
        self._looked: dict[int, float] = {}

    def move_down(self, channel_id: int) -> None:
        """Somebody asked for it there: have it at the channel's end."""
        self._anew.add(channel_id)

    async def publish(self, channel_id: int) -> float | None:
        """Bring the board up to date. Seconds until it may be edited again, if it was."""
        shown = await self._recall(channel_id)
        if channel_id not in self._manager.boards.channels:
            await self._take_away(channel_id, shown)
            return None
        bots = self._manager.bots
        layout = board_layout(list(bots), bots.engine, now=bots.engine_time())
        digest = hashlib.sha256(json.dumps(raw(layout)).encode()).hexdigest()[:16]
        anew = channel_id in self._anew
        if digest == shown.digest and not anew:
            return None
        try:
            if anew or not await self._edit(channel_id, shown, layout):
                await self._post(channel_id, shown, layout, digest)
            else:
                await self._remember(channel_id, _Shown(shown.message_id, digest))
        except discord.NotFound as error:
            if error.code != GONE_CHANNEL:
                raise
            await self._manager.boards.lose(channel_id)
            await self._remember(channel_id, _Shown())
            return None
        self._anew.discard(channel_id)
        return SPACING

    async def _edit(self, channel_id: int, shown: _Shown, layout: Layout) -> bool:
        """Edit the message; False where a new one is needed."""
        if not shown.message_id or await self._is_buried(channel_id, shown.message_id):
            return False
        try:
            await edit_layout(self._client, channel_id, shown.message_id, layout)
        except discord.HTTPException as error:
            if error.code == GONE_CHANNEL or error.code not in CANT_EDIT:
                raise
            return False
        return True

    async def _is_buried(self, channel_id: int, message_id: int) -> bool:
        """Whether many messages stand below it. Asked now and then, when it has to be edited."""
        now = time.monotonic()
        if now - self._looked.get(channel_id, -LOOK_SECONDS) < LOOK_SECONDS:
            return False
        self._looked[channel_id] = now
        behind = discord.Object(message_id)
        history = self._channel(channel_id).history(limit=BURIED, after=behind)
        return len([message async for message in history]) >= BURIED

    async def _post(self, channel_id: int, old: _Shown, layout: Layout, digest: str) -> None:
        # Discord drops a second message with the same nonce, so a retry posts nothing twice.
        nonce = hashlib.sha256(f"board {channel_id} {old.message_id}".encode()).hexdigest()
        message = await self._channel(channel_id).send(
            view=layout, nonce=nonce[:NONCE_MAX], **QUIETLY
        )
        if not shows(message, layout):
            # A controller posted it and died before noting that: its words are outdated.
            await edit_layout(self._client, channel_id, message.id, layout)
        await self._remember(channel_id, _Shown(message.id, digest))
        if old.message_id not in {0, message.id}:
            await self._delete(channel_id, old.message_id)

    async def _take_away(self, channel_id: int, shown: _Shown) -> None:
        if shown.message_id:
            await self._delete(channel_id, shown.message_id)
            await self._remember(channel_id, _Shown())

    async def _delete(self, channel_id: int, message_id: int) -> None:
        """Delete a message. If that fails, it only looks untidy."""
        with contextlib.suppress(*TROUBLE, OSError):
            await self._client.http.delete_message(channel_id, message_id)

    def _channel(self, channel_id: int) -> discord.PartialMessageable:
        return self._client.get_partial_messageable(channel_id, guild_id=self._place.guild_id)

    async def _remember(self, channel_id: int, shown: _Shown) -> None:
        await self._manager.notebook.remember(f"board:{channel_id}", json.dumps(asdict(shown)))

    async def _recall(self, channel_id: int) -> _Shown:
        kept = await self._manager.notebook.recall(f"board:{channel_id}")
        return _Shown(**json.loads(kept)) if kept else _Shown()

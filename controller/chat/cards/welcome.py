"""The first message in the admin channel, after the first start: what to do, and a button for it.

It is posted once in an installation's life. Before it is sent, the newest message of the channel
is noted; whoever finds that note without an answer looks behind that message for one of ours.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from enum import StrEnum

import discord

from controller.chat.requests.buttons import CREATE, create_button
from controller.chat.requests.custom_ids import address
from controller.chat.requests.place import Place
from controller.chat.requests.quiet import QUIETLY
from controller.chat.words.welcome_words import welcome_words
from controller.manager import Manager

_KEY = "welcome"
_NONCE = "botmaker-welcome"


class _State(StrEnum):
    DUE = "due"
    TRIED = "tried"  # it may stand there: nobody has noted an answer
    DONE = "done"  # posted; or the installation is older than this message


@dataclass(frozen=True, slots=True)
class _Note:
    state: _State
    channel_id: int = 0
    after: int = 0  # the newest message of the channel before ours; 0 for none


class Welcome:
    """Posts the message if it is due."""

    def __init__(self, manager: Manager, client: discord.Client, place: Place) -> None:
        self._manager = manager
        self._client = client
        self._place = place

    async def plan(self) -> None:
        """Decide whether it is due, once. Call it before anything can be asked of BotMaker."""
        if not await self._manager.notebook.recall(_KEY):
            known = any(True for _ in self._manager.bots) or await self._manager.notebook.cards()
            await self._remember(_Note(_State.DONE if known else _State.DUE))

    async def publish(self) -> None:
        """Post it, unless that was done."""
        note = await self._recall()
        if note.state is _State.DONE:
            return
        if note.state is _State.TRIED and note.channel_id == self._place.channel_id:
            if not await self._stands(note):
                await self._post()
        else:
            newest = [message.id async for message in self._channel().history(limit=1)]
            note = _Note(_State.TRIED, self._place.channel_id, newest[0] if newest else 0)
            await self._remember(note)
            await self._post()
        await self._remember(replace(note, state=_State.DONE))

    async def _post(self) -> None:
        await self._channel().send(
            welcome_words(self._manager.bots.templates),
            view=create_button() or discord.utils.MISSING,
            nonce=_NONCE,  # Discord drops a second message with it for some minutes
            **QUIETLY,
        )

    async def _stands(self, note: _Note) -> bool:
        """Whether an earlier try arrived: a message of ours with the button."""
        own = self._client.user
        behind = discord.Object(note.after)
        async for message in self._channel().history(limit=None, after=behind, oldest_first=True):
            if own is not None and message.author.id == own.id and _has_button(message):
                return True
        return False

    def _channel(self) -> discord.PartialMessageable:
        place = self._place
        return self._client.get_partial_messageable(place.channel_id, guild_id=place.guild_id)

    async def _remember(self, note: _Note) -> None:
        await self._manager.notebook.remember(_KEY, json.dumps(asdict(note)))

    async def _recall(self) -> _Note:
        kept = json.loads(await self._manager.notebook.recall(_KEY))
        return _Note(_State(kept["state"]), kept["channel_id"], kept["after"])


def _has_button(message: discord.Message) -> bool:
    rows = [row for row in message.components if isinstance(row, discord.ActionRow)]
    ids = {getattr(item, "custom_id", None) for row in rows for item in row.children}
    return address(*CREATE) in ids

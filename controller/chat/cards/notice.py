"""The one message about the engine in the admin channel: since when Docker is away, or was.

A fault of the whole engine is told here once, instead of on every card.
"""

from __future__ import annotations

import hashlib
import json
import time
from dataclasses import asdict, dataclass

import discord

from controller.chat.requests.place import Place
from controller.chat.requests.quiet import QUIETLY, edit_message
from controller.chat.words.bot_words import engine_reason
from controller.chat.words.limits import NONCE_MAX
from controller.chat.words.text import moment
from controller.fleet.views import EngineState
from controller.manager import Manager

PATIENCE = 2.0  # seconds; a shorter absence isn't worth a message
OLD = 3600.0  # seconds; later an edit isn't noticed, and Discord allows few of them
CANT_EDIT = {10003, 10008, 30046}  # Discord's error codes: gone, gone, too many edits
_KEY = "engine-notice"


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the message says, and where it is."""

    channel_id: int = 0
    message_id: int = 0
    posted: float = 0.0
    away_since: float = 0.0  # 0: Docker is back


class Notice:
    """Keeps the message equal to how the engine is."""

    def __init__(self, manager: Manager, client: discord.Client, place: Place) -> None:
        self._manager = manager
        self._client = client
        self._place = place

    async def publish(self) -> float | None:
        """Bring the message up to date. Seconds until it should be looked at again, if any."""
        engine = self._manager.bots.engine
        if not engine.since:
            return None  # not asked yet
        shown = await self._recall()
        if engine.away:
            if shown.message_id and shown.away_since == engine.since:
                return None
            wait = engine.since + PATIENCE - time.time()
            if wait > 0 and not shown.away_since:
                return wait
            await self._show(shown, engine, away_words(engine), engine.since)
        elif shown.away_since:
            await self._show(shown, engine, back_words(shown.away_since, engine.since), 0.0)
        return None

    async def _show(self, shown: _Shown, engine: EngineState, text: str, away_since: float) -> None:
        fresh = shown.posted > time.time() - OLD and shown.channel_id == self._place.channel_id
        if not (fresh or (shown.away_since and not away_since)) or not await edited(
            self._client, shown.channel_id, shown.message_id, text
        ):
            place = self._place
            channel = self._client.get_partial_messageable(
                place.channel_id, guild_id=place.guild_id
            )
            # Before the message: who ends in between leaves word that something was said.
            await self._remember(_Shown(place.channel_id, 0, time.time(), away_since))
            nonce = hashlib.sha256(f"engine {engine.since} {shown.message_id}".encode())
            message = await channel.send(text, nonce=nonce.hexdigest()[:NONCE_MAX], **QUIETLY)
            shown = _Shown(place.channel_id, message.id, time.time())
        shown = _Shown(shown.channel_id, shown.message_id, shown.posted, away_since)
        await self._remember(shown)

    async def _remember(self, shown: _Shown) -> None:
        await self._manager.notebook.remember(_KEY, json.dumps(asdict(shown)))

    async def _recall(self) -> _Shown:
        kept = await self._manager.notebook.recall(_KEY)
        return _Shown(**json.loads(kept)) if kept else _Shown()


async def edited(client: discord.Client, channel_id: int, message_id: int, text: str) -> bool:
    """Edit a notice; False where there is none, or none that can be edited any more."""
    if not message_id:
        return False
    try:
        await edit_message(client, channel_id, message_id, text)
    except discord.HTTPException as error:
        if error.code in CANT_EDIT:
            return False
        raise
    return True


def away_words(engine: EngineState) -> str:
    """What the message says while Docker is away."""
    return (
        f"⚠️ **Docker stopped answering** {moment(engine.since)}. {engine_reason(engine)}\n"
        "The cards show the last known states. What you ask for is done when Docker is back."
    )


def back_words(since: float, until: float) -> str:
    """What it says afterwards."""
    return f"✅ **Docker answers again**, since {moment(until)}. It was away from {_time(since)}."


def _time(at: float) -> str:
    return f"<t:{int(at)}:f>"

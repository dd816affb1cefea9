"""The one message about scheduled backups in the admin channel: since when they fail, and when one
was made again. While they are made there is no message."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass

import discord

from controller.chat.cards.notice import edited
from controller.chat.requests.place import Place
from controller.chat.requests.quiet import QUIETLY
from controller.chat.words.limits import NONCE_MAX
from controller.chat.words.text import moment, plain
from controller.domain.backup_times import Backed
from controller.manager import Manager

_KEY = "backup-notice"
WHY_MAX = 600  # characters


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the message says, and where it is."""

    channel_id: int = 0
    message_id: int = 0
    digest: str = ""
    bad: bool = False


class BackupNotice:
    """Keeps the message equal to how the last backup went."""

    def __init__(self, manager: Manager, client: discord.Client, place: Place) -> None:
        self._manager = manager
        self._client = client
        self._place = place

    async def publish(self) -> None:
        """Bring the message up to date: one for each time that backups begin to fail."""
        state = self._manager.backups.state
        shown = await self._recall()
        if not state.bad and not shown.bad:
            return
        text = failed_words(state) if state.bad else made_words(state)
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        if digest == shown.digest:
            return
        again = shown.bad and shown.channel_id == self._place.channel_id
        if not (again and await edited(self._client, shown.channel_id, shown.message_id, text)):
            shown = await self._post(shown, text)
        told = _Shown(shown.channel_id, shown.message_id, digest, state.bad)
        await self._manager.notebook.remember(_KEY, json.dumps(asdict(told)))

    async def _post(self, before: _Shown, text: str) -> _Shown:
        place = self._place
        channel = self._client.get_partial_messageable(place.channel_id, guild_id=place.guild_id)
        nonce = hashlib.sha256(f"backup {before.message_id} {text}".encode()).hexdigest()
        message = await channel.send(text, nonce=nonce[:NONCE_MAX], **QUIETLY)
        return _Shown(place.channel_id, message.id)

    async def _recall(self) -> _Shown:
        kept = await self._manager.notebook.recall(_KEY)
        return _Shown(**json.loads(kept)) if kept else _Shown()


def failed_words(state: Backed) -> str:
    """What the message says while backups fail."""
    last = f"The last good one is from {moment(state.made_at)}." if state.made_at else "None yet."
    return (
        f"⚠️ **The scheduled backup wasn't made** {moment(state.failed_at)}. "
        f"{plain(state.why, WHY_MAX)}\n{last} BotMaker tries again by itself."
    )


def made_words(state: Backed) -> str:
    """What it says once one was made again."""
    return f"✅ **Backups are made again**, the last one {moment(state.made_at)}."

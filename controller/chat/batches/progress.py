"""The messages that show how acts on many bots go: one for each, edited in place until it ended."""

from __future__ import annotations

import asyncio
import hashlib
import logging

import discord

from controller.chat.batches.batch_words import progress
from controller.chat.languages import say
from controller.chat.requests.audience import speak_to_all
from controller.chat.requests.buttons import button, row
from controller.chat.requests.discord_trouble import TROUBLE, reading_discord
from controller.chat.requests.place import Place
from controller.chat.requests.quiet import QUIETLY, edit_message
from controller.chat.words.limits import NONCE_MAX
from controller.domain.batches import Batch, BatchState
from controller.domain.errors import ControllerError
from controller.manager import Manager

log = logging.getLogger(__name__)
SPACING = 2.0  # seconds between two edits; so a hundred results take a few of them
SECONDS = 10.0  # for one message
AGAIN = 30.0  # seconds after a failure
GONE = {10003, 10008, 30046}  # Discord's error codes: gone, gone, too many edits


class Progress:
    """Keeps each message equal to how its batch is. What can't be shown now is shown later."""

    def __init__(
        self,
        manager: Manager,
        client: discord.Client,
        place: Place,
        connected: asyncio.Event,
        again: float = AGAIN,
    ) -> None:
        self._batches = manager.batches
        self._connected = connected
        self._client = client
        self._place = place
        self._again = again
        self._due: set[int] = set()
        self._awake = asyncio.Event()

    async def run(self) -> None:
        """Show them until cancelled."""
        with self._batches.hearing(self._poke):
            await self._connected.wait()
            for number in await self._batches.untold():
                self._poke(number)
            while True:
                await self._awake.wait()
                self._awake.clear()
                due, self._due = self._due, set()
                failed = [number for number in sorted(due) if not await self._shown(number)]
                self._due.update(failed)
                if failed:
                    asyncio.get_running_loop().call_later(self._again, self._awake.set)
                await asyncio.sleep(SPACING)

    def _poke(self, number: int) -> None:
        self._due.add(number)
        self._awake.set()

    async def _shown(self, number: int) -> bool:
        """Show one as it is now. Whether that could be done."""
        try:
            async with asyncio.timeout(SECONDS):
                await speak_to_all(self._client, self._place)
                with reading_discord():
                    await self._show(number)
        except (*TROUBLE, OSError, ControllerError) as error:
            log.warning("how batch %d goes isn't shown yet: %s", number, error)
            return False
        return True

    async def _show(self, number: int) -> None:
        batch = await self._batches.last(number)
        if batch is None or batch.state is BatchState.ASKED:
            return
        if not await self._edited(batch):
            await self._post(batch)
        if batch.state is BatchState.ENDED:
            await self._batches.tell(number)

    async def _edited(self, batch: Batch) -> bool:
        """Edit its message; False if there is none, or it can't be edited any more."""
        if not batch.message_id or batch.channel_id != self._place.channel_id:
            return False
        try:
            await edit_message(
                self._client, batch.channel_id, batch.message_id, progress(batch), _controls(batch)
            )
        except discord.HTTPException as error:
            if error.code not in GONE:
                raise
            return False
        return True

    async def _post(self, batch: Batch) -> None:
        place = self._place
        channel = self._client.get_partial_messageable(place.channel_id, guild_id=place.guild_id)
        # Discord drops a second message with the same nonce: a try that was lost does no harm.
        nonce = hashlib.sha256(f"batch {batch.id} {batch.message_id}".encode()).hexdigest()
        message = await channel.send(
            progress(batch),
            view=_controls(batch) or discord.utils.MISSING,
            nonce=nonce[:NONCE_MAX],
            **QUIETLY,
        )
        await self._batches.show_in(batch.id, place.channel_id, message.id)


def _controls(batch: Batch) -> discord.ui.View | None:
    if batch.state is BatchState.ENDED or batch.cancelled:
        return None
    return row([button(say("Cancel"), f"halt{batch.verb}", str(batch.id))])

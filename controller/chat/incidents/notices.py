"""Messages that tell something once and aren't edited: digests, and scheduled runs missed."""

from __future__ import annotations

import asyncio

import discord

from controller.chat.cards.missed_notice import MissedNotice
from controller.chat.incidents.digest_sender import DigestSender
from controller.chat.requests.members import Members
from controller.chat.requests.place import Place
from controller.manager import Manager


class Notices:
    """Sends both, each by itself."""

    def __init__(
        self,
        manager: Manager,
        client: discord.Client,
        place: Place,
        members: Members,
        connected: asyncio.Event,
    ) -> None:
        self.digests = DigestSender(manager, client, place, members, connected)
        self.missed = MissedNotice(manager, client, place, connected)

    async def run(self) -> None:
        """Send them until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.digests.run(), name="digests")
            group.create_task(self.missed.run(), name="missed runs")

"""Delivers to every webhook: a task of its own for each, so that none waits for another."""

from __future__ import annotations

import asyncio
import logging

from controller.domain.errors import ControllerError
from controller.domain.webhooks import Format
from controller.manager.webhook_delivery import Delivery, DeliveryTools

log = logging.getLogger(__name__)
TROUBLE_SECONDS = 30.0  # until the webhooks are read again after trouble


class Courier:
    """Keeps a delivery running for each webhook that there is."""

    def __init__(self, tools: DeliveryTools) -> None:
        self._tools = tools
        self._deliveries: dict[str, Delivery] = {}
        self._changed = asyncio.Event()

    def changed(self, webhook_id: str) -> None:
        """A webhook was added, changed or removed: look at it at once."""
        self._changed.set()
        if webhook_id in self._deliveries:
            self._deliveries[webhook_id].hurry()

    async def run(self) -> None:
        """Deliver until cancelled."""
        with self._tools.store.listening(self._hear):
            async with asyncio.TaskGroup() as group:
                while True:
                    self._changed.clear()
                    await self._begin_new(group)
                    await self._changed.wait()

    def _hear(self) -> None:
        for delivery in self._deliveries.values():
            delivery.hear()

    async def _begin_new(self, group: asyncio.TaskGroup) -> None:
        try:
            webhooks = await self._tools.store.webhooks()
        except ControllerError as error:
            log.warning("the webhooks can't be read: %s", error)
            asyncio.get_running_loop().call_later(TROUBLE_SECONDS, self._changed.set)
            return
        for webhook in webhooks:
            # What goes to our Worker is the exporter's.
            if webhook.format is not Format.EDGE and webhook.id not in self._deliveries:
                self._deliveries[webhook.id] = Delivery(webhook.id, self._tools)
                group.create_task(self._deliver(webhook.id), name=f"webhook {webhook.name}")

    async def _deliver(self, webhook_id: str) -> None:
        try:
            await self._deliveries[webhook_id].run()
        finally:
            del self._deliveries[webhook_id]

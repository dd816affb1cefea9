"""When containers started, as the engine told it."""

from __future__ import annotations

import asyncio
import threading
import time

from bench.engine import connect


class Starts:
    """When the engine reported each container's start, in `time.perf_counter` seconds."""

    def __init__(self) -> None:
        self._client = connect()
        self._told: dict[str, float] = {}
        self._news = threading.Condition()
        filters = {"type": "container", "event": "start"}
        self._events = self._client.events(decode=True, filters=filters)
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        for event in self._events:
            with self._news:
                self._told[event["Actor"]["Attributes"]["name"]] = time.perf_counter()
                self._news.notify_all()

    async def of(self, name: str) -> float:
        """The time of that container's start; waits for it."""

        def wait() -> float:
            with self._news:
                assert self._news.wait_for(lambda: name in self._told, 30), f"{name} never started"
                return self._told[name]

        return await asyncio.to_thread(wait)

    def close(self) -> None:
        """Close the event stream."""
        self._events.close()
        self._client.close()

"""The tasks that handle interactions, so that they end before the store and Discord close."""

from __future__ import annotations

import asyncio

DRAIN_SECONDS = 0.5  # at the end, for a wish that is just being written


class AtWork:
    """Remembers the tasks that are handling something now."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[object]] = set()

    def note(self) -> None:
        """Remember the current task until it ends."""
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def end(self) -> None:
        """Let them finish for a moment, then cancel the rest."""
        tasks = tuple(self._tasks)
        if not tasks:
            return
        _, late = await asyncio.wait(tasks, timeout=DRAIN_SECONDS)
        for task in late:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

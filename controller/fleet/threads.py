"""The home of blocking file work: a small pool of its own, never asyncio's default executor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class Threads:
    """Runs short blocking functions beside the event loop."""

    def __init__(self, count: int = 4) -> None:
        self._pool = ThreadPoolExecutor(count, thread_name_prefix="disk")

    async def __call__(self, work: Callable[[], T]) -> T:
        """Run the function. Once begun it runs to its end, even if the caller is cancelled."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def close(self) -> None:
        """Wait for what is running; take nothing more."""
        self._pool.shutdown()

"""The home of blocking file work: a small pool of its own, never asyncio's default executor."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")


class Disk:
    """Runs short blocking functions beside the event loop."""

    def __init__(self, threads: int = 4) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="disk")

    async def __call__(self, work: Callable[[], T]) -> T:
        """Run the function; once begun it goes to its end, even if the caller is cancelled."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def close(self) -> None:
        """Wait for what runs, take nothing more."""
        self._pool.shutdown()

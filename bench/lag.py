"""How late the event loop is while something goes on."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator

from bench.figure import Figure, percentile

TICK = 0.002  # seconds


@contextlib.asynccontextmanager
async def measured_lag(name: str, figures: list[Figure]) -> AsyncIterator[None]:
    """Measure while the block runs: by how much each short sleep was too long."""
    late: list[float] = []

    async def tick() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(TICK)
            late.append((time.perf_counter() - began - TICK) * 1000)

    ticking = asyncio.create_task(tick())
    try:
        yield
    finally:
        ticking.cancel()
    note = f"{len(late)} ticks"
    figures += [
        Figure(name=f"loop lag p99, {name}", value=percentile(late, 99), unit="ms", target=20,
               at_most=True, note=note),
        Figure(name=f"loop lag max, {name}", value=max(late), unit="ms", target=60, at_most=True),
    ]  # fmt: skip

"""How late the event loop is while something goes on."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Sequence

from bench.figure import Figure, percentile

TICK = 0.002  # seconds
P99_MS, MAX_MS = 20, 60


@contextlib.asynccontextmanager
async def measured_lag(
    name: str, figures: list[Figure], *, promised: bool = True
) -> AsyncIterator[None]:
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
    figures += lag_figures(name, late, promised=promised)


def lag_figures(name: str, late: Sequence[float], *, promised: bool = True) -> list[Figure]:
    """The two figures of so many milliseconds late; without a promise only for information."""
    most, longest = (P99_MS, MAX_MS) if promised else (None, None)
    return [
        Figure(name=f"loop lag p99, {name}", value=percentile(late, 99), unit="ms", target=most,
               at_most=True, note=f"{len(late)} ticks"),
        Figure(name=f"loop lag max, {name}", value=max(late), unit="ms", target=longest,
               at_most=True),
    ]  # fmt: skip

"""Two hundred stopped bots in a database: the controller knows them, but they have no container."""

from __future__ import annotations

import time
from pathlib import Path

from controller.domain.bot import Bot, Wish
from controller.domain.names import new_bot_id
from controller.store import Store

BOTS = 200


async def seed(data: Path) -> list[str]:
    """Write the rows into `<data>/botmaker.db`; returns the bots' names."""
    data.mkdir(parents=True)  # noqa: ASYNC240 - before anything runs
    store = await Store.open(data)
    try:
        names = [f"bench-bot-{number:03}" for number in range(BOTS)]
        for name in names:
            await store.add_bot(
                Bot(
                    id=new_bot_id(),
                    name=name,
                    template="demo",
                    provider="demo",
                    model="demo-small",
                    channel="demo",
                    wish=Wish.STOP,
                    created_at=time.time(),
                    created_by=1,
                )
            )
    finally:
        await store.close()
    return names

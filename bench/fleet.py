"""Two hundred stopped bots in a database: the controller knows them, but they have no container."""

from __future__ import annotations

import time
from pathlib import Path

from controller.app import journal_key
from controller.domain.bot import Bot, Wish
from controller.domain.names import new_bot_id
from controller.store import Store
from controller.vault import install_key

BOTS = 200


async def seed(data: Path) -> list[str]:
    """Write the rows into `<data>/botmaker.db`; returns the bots' names."""
    data.mkdir(parents=True)  # noqa: ASYNC240 - before anything runs
    store = await Store.open(data, journal_key(install_key(data)))
    try:
        names = [f"bench-bot-{number:03}" for number in range(BOTS)]
        for name in names:
            bot = Bot(
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
            async with store.transaction() as write:
                await write.add_bot(bot)
    finally:
        await store.close()
    return names

"""Rows of bots in a database, as `/bot create` would have left them. None has a container yet."""

from __future__ import annotations

import time
from pathlib import Path

from controller.app import journal_key
from controller.domain.bot import Bot, Wish
from controller.domain.names import new_bot_id
from controller.store import Store
from controller.vault import install_key

BOTS = 200


async def seed(data: Path, count: int = BOTS, wish: Wish = Wish.STOP) -> dict[str, str]:
    """Write the rows into `<data>/botmaker.db`; returns the bots' ids by their names."""
    data.mkdir(parents=True)  # noqa: ASYNC240 - before anything runs
    store = await Store.open(data, journal_key(install_key(data)))
    try:
        ids = {f"bench-bot-{number:03}": new_bot_id() for number in range(count)}
        for name, bot_id in ids.items():
            bot = Bot(
                id=bot_id,
                name=name,
                template="demo",
                provider="demo",
                model="demo-small",
                channel="demo",
                wish=wish,
                created_at=time.time(),
                created_by=1,
            )
            async with store.transaction() as write:
                await write.add_bot(bot)
    finally:
        await store.close()
    return ids

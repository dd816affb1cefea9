"""Bots in a database and on the secrets disk, as `/bot create` and its form leave them."""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from pathlib import Path

from bench.templates import SECRETS
from controller.domain.bot import Bot, Wish
from controller.domain.names import new_bot_id
from controller.store import Store
from controller.vault import Vault, install_key, journal_key


@dataclass(frozen=True, slots=True)
class Seeded:
    """The installation's id, as its containers will carry it, and the bots' ids by their names."""

    instance: str
    ids: dict[str, str]

    @property
    def names(self) -> list[str]:
        """The bots' names, in order."""
        return list(self.ids)


async def seed(folder: Path, count: int, *, running: int = 0, template: str = "bench") -> Seeded:
    """Write the rows into `folder`/data and three secrets each into `folder`/secrets.

    The first `running` bots shall run, all others are stopped.
    """
    ids = {f"bench-bot-{number:03}": new_bot_id() for number in range(count)}
    await asyncio.to_thread(_write_secrets, folder, list(ids.values()))
    data = folder / "data"
    await asyncio.to_thread(data.mkdir, parents=True, mode=0o700)
    store = await Store.open(data, journal_key(install_key(data)))
    try:
        async with store.transaction() as write:
            for number, (name, bot_id) in enumerate(ids.items()):
                wish = Wish.RUN if number < running else Wish.STOP
                await write.add_bot(_bot(bot_id, name, template, wish))
        return Seeded(await store.instance(), ids)
    finally:
        await store.close()


def _bot(bot_id: str, name: str, template: str, wish: Wish) -> Bot:
    return Bot(
        id=bot_id,
        name=name,
        template=template,
        provider="",
        model="",
        channel="",
        wish=wish,
        created_at=time.time(),
        created_by=1,
    )


def _write_secrets(folder: Path, ids: list[str]) -> None:
    """As forms would leave them: of every bot other values."""
    vault = Vault(folder / "secrets")
    vault.open()
    owner = vault.owner_for("1000:1000")
    for number, bot_id in enumerate(ids):
        values = {name: f"{name}-{number:04}-{os.urandom(16).hex()}" for name in SECRETS}
        vault.write(bot_id, values, owner)

"""An installation without a controller, and a record of all that a look could change."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from controller.domain.bot import Bot
from controller.domain.names import new_bot_id
from controller.settings import Reading, Settings
from controller.store import Store, lock
from controller.vault import Vault, derived_key, install_key

SECRETS = {"api_key": "fake-provider-key-1", "channel_token": "fake-channel-token-1"}


def settings_for(folder: Path, **more: Any) -> Settings:
    """The settings of an installation below a folder, with an engine that isn't there."""
    chosen: dict[str, Any] = {
        "data_dir": folder / "data",
        "secrets_dir": folder / "secrets",
        "docker": {"DOCKER_HOST": f"unix://{folder}/no.sock"},
    }
    return Settings(**chosen | more)


def reading_of(settings: Settings) -> Reading:
    """Those settings, with nothing wrong about them."""
    return Reading(settings, {}, {})


def a_bot(name: str) -> Bot:
    """A row for a demo bot."""
    return Bot(
        id=new_bot_id(),
        name=name,
        template="demo",
        provider="demo",
        model="small",
        channel="demo",
        created_at=time.time(),
    )


async def start_once(folder: Path, *names: str) -> list[Bot]:
    """Leave what a controller leaves that was started and stopped: one bot per name."""
    data, bots = folder / "data", [a_bot(name) for name in names]
    data.mkdir(mode=0o700)
    os.close(lock(data))
    store = await Store.open(data, derived_key(install_key(data), "journal"))
    await store.instance()
    vault = Vault(folder / "secrets")
    vault.open()
    for bot in bots:
        async with store.transaction() as write:
            await write.add_bot(bot)
        vault.write(bot.id, SECRETS, vault.owner_for("1000:1000"))
    await store.close()
    return bots


def snapshot(folder: Path) -> dict[str, tuple[int, ...]]:
    """Everything below a folder and the folder itself: kind and mode, owner, size, time.

    SQLite's index (`-shm`) has no time: its controller has it in memory, and the kernel writes it.
    """
    found = {}
    for path in (folder, *folder.rglob("*")):
        seen = path.lstat()
        size = seen.st_size if path.is_file() else 0
        time_ns = 0 if path.name.endswith("-shm") else seen.st_mtime_ns
        found[str(path)] = (seen.st_mode, seen.st_uid, seen.st_gid, size, time_ns)
    return found


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """The folder, on a file system that refuses every write."""
    subprocess.run(["mount", "--bind", str(folder), str(folder)], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)

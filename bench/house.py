"""A running manager with the real engine and without Discord, in this process."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from bench.engine import connect, remove
from bench.templates import write_templates
from controller.app import open_application
from controller.domain.access import discord_user
from controller.fleet.journal import Caller
from controller.manager import Installation
from controller.settings import Settings, docker_environment
from controller.vault import Redactor

ADMIN = Caller(discord_user(1, "bench"))


@contextlib.asynccontextmanager
async def running_house(folder: Path, *, engine_url: str = "") -> AsyncIterator[Installation]:
    """Run it, and remove everything that it made at the end.

    `engine_url`: a door to the engine instead of the engine itself.
    """
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]  # pydantic-settings' own
        admin_user_ids=(int(ADMIN.principal.id),),
        data_dir=folder / "data",
        secrets_dir=folder / "secrets",
        templates_dir=await asyncio.to_thread(write_templates, folder),
        docker={**docker_environment(), **({"DOCKER_HOST": engine_url} if engine_url else {})},
    )
    client = connect()
    try:
        async with open_application(settings, Redactor()) as application:
            house = application.installation
            running = asyncio.create_task(house.loop.run())
            try:
                yield house
            finally:
                running.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await running
                await asyncio.to_thread(remove, client, house.instance)
    finally:
        client.close()

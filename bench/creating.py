"""Create to running, from submitting the secrets; compared with plain docker-py calls."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker

from bench.engine import IMAGE, connect, installation, remove
from bench.figure import Figure
from controller.app import open_application
from controller.domain.access import discord_user
from controller.domain.bot import Bot
from controller.domain.names import new_bot_id
from controller.fleet.journal import Caller
from controller.manager import Installation
from controller.manager.lifecycle import Order
from controller.runtime.hostconfig import container_body
from controller.settings import Settings
from controller.vault import Redactor

ROUNDS = 20
QUIET_SECONDS = 0.3  # for the engine to finish removing things
ADMIN = Caller(discord_user(1, "bench"))
VALUES = {"api_key": "bench-key-1234", "channel_token": "bench-token-1234"}
# The demo bot without its healthcheck, whose first verdict would take two seconds.
TEMPLATE = f"""
schema = 1
id = "bench"
title = "Bench bot"
description = "Runs."
[image]
ref = "{IMAGE}"
pull = "never"
[run]
user = "1000:1000"
stop_timeout = 1
resources = {{ memory = "32m", cpus = 0.5, pids = 32 }}
[state]
path = "/data"
[[secrets]]
name = "api_key"
label = "Key"
[[secrets]]
name = "channel_token"
label = "Token"
"""


class Starts:
    """When the engine reported each container's start, in `time.perf_counter` seconds."""

    def __init__(self) -> None:
        self._client = connect()
        self._told: dict[str, float] = {}
        self._news = threading.Condition()
        filters = {"type": "container", "event": "start"}
        self._events = self._client.events(decode=True, filters=filters)
        threading.Thread(target=self._follow, daemon=True).start()

    def _follow(self) -> None:
        for event in self._events:
            with self._news:
                self._told[event["Actor"]["Attributes"]["name"]] = time.perf_counter()
                self._news.notify_all()

    async def of(self, name: str) -> float:
        """The time of that container's start; waits for it."""

        def wait() -> float:
            with self._news:
                assert self._news.wait_for(lambda: name in self._told, 30), f"{name} never started"
                return self._told[name]

        return await asyncio.to_thread(wait)

    def close(self) -> None:
        """Close the event stream."""
        self._events.close()
        self._client.close()


async def measure(folder: Path) -> list[Figure]:
    """Measure both ways alternately, a new bot each time; compare the medians."""
    client = connect()
    ours: list[float] = []
    by_hand: list[float] = []
    with installation(client) as other, contextlib.closing(Starts()) as starts:
        async with _manager(folder, client) as house:
            # The first one also creates the network; the ones made by hand copy its spec.
            model, _ = await _through_manager(house, starts, "model")
            view = await house.tools.fleet.wait_for(
                model.id, lambda v: v is not None and bool(v.bot.image), 5
            )
            assert view is not None
            pattern = house.tools.blueprints.spec(view.bot)
            network = f"botmaker-{house.instance}"

            async def first() -> None:
                bot, seconds = await _through_manager(house, starts, f"bench-{number}")
                ours.append(seconds)
                await house.manager.lifecycle.delete(ADMIN, bot)
                await house.tools.fleet.wait_for(bot.id, lambda v: v is None, 20)

            async def second() -> None:
                spec = replace(pattern, bot_id=new_bot_id())
                body = container_body(spec, instance=other, network=network)
                start = time.perf_counter()
                await asyncio.to_thread(_by_hand, client, body, spec.name)
                by_hand.append(await starts.of(spec.name) - start)
                await asyncio.to_thread(remove, client, other)

            for number in range(ROUNDS):
                for way in (first, second) if number % 2 else (second, first):
                    await way()
                    await asyncio.sleep(QUIET_SECONDS)
    client.close()
    mine, raw = statistics.median(ours) * 1000, statistics.median(by_hand) * 1000
    return [
        Figure(
            name="create to running through the manager",
            value=mine / raw,
            unit="× raw",
            target=1.2,
            at_most=True,
            note=f"{mine:.0f} ms against {raw:.0f} ms, {ROUNDS} times each, alternately",
        )
    ]


async def _through_manager(house: Installation, starts: Starts, name: str) -> tuple[Bot, float]:
    """A new bot, and the seconds from submitting its secrets to its container's start."""
    bot = await house.manager.lifecycle.create(ADMIN, Order(name=name, template="bench"))
    form = await house.manager.credentials.open_form(ADMIN, bot, rotate=False)
    start = time.perf_counter()
    await house.manager.credentials.submit(ADMIN, form.id, VALUES, VALUES, last=True)
    return bot, await starts.of(bot.container_name) - start


def _by_hand(client: docker.APIClient, body: dict[str, Any], name: str) -> None:
    container = client.create_container_from_config(body, name=name)  # type: ignore[no-untyped-call]
    client.start(container)


@contextlib.asynccontextmanager
async def _manager(folder: Path, client: docker.APIClient) -> AsyncIterator[Installation]:
    """A running manager with the real engine and without Discord; removes everything at the end."""
    templates = folder / "templates"
    templates.mkdir(parents=True)
    (templates / "bench.toml").write_text(TEMPLATE)
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]  # pydantic-settings' own
        admin_user_ids=(int(ADMIN.principal.id),),
        data_dir=folder / "data",
        secrets_dir=folder / "secrets",
        templates_dir=templates,
    )
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

"""Create to running, from submitting the secrets; compared with plain docker-py calls."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import docker

from bench.engine import connect, installation, remove
from bench.figure import Figure
from bench.house import ADMIN, running_house
from bench.starts import Starts
from bench.templates import SECRETS
from controller.domain.bot import Bot
from controller.domain.names import new_bot_id
from controller.manager import Installation
from controller.manager.lifecycle import Order
from controller.runtime.hostconfig import container_body

ROUNDS = 20
QUIET_SECONDS = 0.3  # for the engine to finish removing things
VALUES = {name: f"bench-{name}-1234" for name in SECRETS}


async def measure(folder: Path) -> list[Figure]:
    """Measure both ways alternately, a new bot each time; compare the medians."""
    client = connect()
    ours: list[float] = []
    by_hand: list[float] = []
    with installation(client) as other, contextlib.closing(Starts()) as starts:
        async with running_house(folder) as house:
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

"""How long a bot is away during a change; compared with plain docker-py calls.

By the engine's own event times: from the end of the former program to the start of the next.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from dataclasses import replace
from pathlib import Path

import docker

from bench.engine import connect, installation
from bench.figure import Figure
from bench.house import ADMIN, running_house
from bench.templates import SECRETS
from controller.domain.bot import Bot
from controller.domain.names import new_bot_id
from controller.domain.spec import BOT_LABEL, ContainerSpec
from controller.manager import Installation
from controller.manager.lifecycle import Order
from controller.runtime.hostconfig import container_body

ROUNDS = 12
GRACE = 1  # seconds, as the template has it
QUIET_SECONDS = 0.5  # for the engine to finish removing things
VALUES = {name: f"bench-{name}-1234" for name in SECRETS}


async def measure(folder: Path) -> list[Figure]:
    """Measure both ways alternately, and compare the medians."""
    client = connect()
    ours: list[float] = []
    by_hand: list[float] = []
    with installation(client) as other:
        async with running_house(folder) as house:
            bot = await _bot(house)
            network = f"botmaker-{house.instance}"
            for number in range(ROUNDS):
                began = time.time() - 1
                spec = house.tools.blueprints.spec(house.tools.fleet.require(bot.id).bot)
                await _changed(house, bot, str(number))
                ours.append(await asyncio.to_thread(_away, client, bot.id, began))
                await asyncio.sleep(QUIET_SECONDS)
                raw = await asyncio.to_thread(_by_hand, client, spec, other, network)
                by_hand.append(raw)
                await asyncio.sleep(QUIET_SECONDS)
    client.close()
    mine, raw = statistics.median(ours) * 1000, statistics.median(by_hand) * 1000
    return [
        Figure(
            name="a bot's time away during a change",
            value=mine / raw,
            unit="× raw",
            target=1.1,
            at_most=True,
            note=f"{mine:.0f} ms against {raw:.0f} ms for stop, create and start, "
            f"{ROUNDS} times each, alternately",
        )
    ]


async def _bot(house: Installation) -> Bot:
    bot = await house.manager.lifecycle.create(ADMIN, Order(name="away", template="changing"))
    form = await house.manager.credentials.open_form(ADMIN, bot, rotate=False)
    await house.manager.credentials.submit(ADMIN, form.id, VALUES, VALUES, last=True)
    await _decided(house, bot, 1)
    return bot


async def _changed(house: Installation, bot: Bot, text: str) -> None:
    release = house.tools.fleet.require(bot.id).bot.release
    now = house.tools.fleet.require(bot.id).bot
    await house.manager.edits.submit(ADMIN, now, ["number"], {"number": text})
    await _decided(house, bot, release + 1)


async def _decided(house: Installation, bot: Bot, release: int) -> None:
    view = await house.tools.fleet.wait_for(
        bot.id, lambda v: v is not None and (v.bot.release, v.bot.candidate) == (release, 0), 30
    )
    assert view is not None
    assert view.bot.release == release, view


def _away(client: docker.APIClient, bot_id: str, since: float) -> float:
    """The seconds between the last end and the last start of the bot's containers since then."""
    found = client.events(  # type: ignore[call-overload]  # texts keep their decimals
        since=f"{since:.3f}",
        until=f"{time.time():.3f}",
        filters={"type": "container", "label": f"{BOT_LABEL}={bot_id}", "event": ["die", "start"]},
        decode=True,
    )
    moments: dict[str, int] = {event["Action"]: int(event["timeNano"]) for event in found}
    return (moments["start"] - moments["die"]) / 1e9


def _by_hand(
    client: docker.APIClient, pattern: ContainerSpec, instance: str, network: str
) -> float:
    """Stop one container, then create and start another one like it."""
    began, bot_id = time.time() - 1, new_bot_id()
    body = container_body(replace(pattern, bot_id=bot_id), instance=instance, network=network)
    names = [f"botmaker-{bot_id}-{number}" for number in range(2)]
    client.start(client.create_container_from_config(body, name=names[0]))  # type: ignore[no-untyped-call]
    client.stop(names[0], timeout=GRACE)
    client.start(client.create_container_from_config(body, name=names[1]))  # type: ignore[no-untyped-call]
    seconds = _away(client, bot_id, began)
    for name in names:
        client.remove_container(name, force=True, v=True)
    client.remove_volume(f"botmaker-{bot_id}", force=True)
    return seconds

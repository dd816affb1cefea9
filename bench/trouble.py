"""One bot's trouble stays its own: 40 real bots, one look that hangs, eight stubborn stops."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from pathlib import Path

from bench.engine import engine_socket
from bench.figure import Figure
from bench.house import ADMIN, running_house
from bench.templates import SECRETS, STUBBORN_SECONDS
from controller.chat.cards.card_words import card
from controller.domain.bot import Bot
from controller.domain.observation import ContainerState
from controller.fleet.views import View
from controller.manager import Installation
from controller.manager.lifecycle import Order
from tests.prove.engine_door import Door

BOTS, STUBBORN = 40, 8
ROUNDS = 5  # of a restart alone and one beside the stops
DEAF_SECONDS = 2.0  # until a stubborn program ignores SIGTERM
HANG_SECONDS = 8.0
# One look at each bot, one more try at the one that hangs, and the lists of two patrols.
CALLS_MAX = BOTS + 10
RUNNING_WITHIN = 60.0


async def measure(folder: Path) -> list[Figure]:
    """Through a door to the engine that holds back one answer, and counts the requests."""
    door = Door(folder / "engine.sock", engine_socket())
    await door.open()
    try:
        async with running_house(folder, engine_url=door.url) as house:
            bots = [
                await _create(house, number, "stubborn" if number < STUBBORN else "bench")
                for number in range(BOTS)
            ]
            await asyncio.gather(*(_until_running(house, bot) for bot in bots))
            figures = [await _ninth_restart(house, bots[:STUBBORN], bots[STUBBORN])]
            figures += await _hanging_look(house, door, bots)
            return figures
    finally:
        await door.close()


async def _create(house: Installation, number: int, template: str) -> Bot:
    manager, values = house.manager, {name: f"bench-{name}-{number:04}" for name in SECRETS}
    bot = await manager.lifecycle.create(ADMIN, Order(name=f"bench-{number}", template=template))
    form = await manager.credentials.open_form(ADMIN, bot, rotate=False)
    await manager.credentials.submit(ADMIN, form.id, values, values, last=True)
    return bot


def _runs(view: View | None) -> bool:
    container = view.world.container if view else None
    return container is not None and container.state is ContainerState.RUNNING


async def _until_running(house: Installation, bot: Bot) -> None:
    view = await house.tools.fleet.wait_for(bot.id, _runs, RUNNING_WITHIN)
    assert _runs(view), f"{bot.name} doesn't run"


async def _ninth_restart(house: Installation, stubborn: list[Bot], ninth: Bot) -> Figure:
    """Alternately: a restart alone, and one while eight programs ignore that they shall end."""
    alone: list[float] = []
    beside: list[float] = []
    power, fleet = house.manager.lifecycle, house.tools.fleet

    async def restart() -> float:
        began = time.perf_counter()
        view = await power.restart(ADMIN, ninth)
        assert _runs(view)
        return time.perf_counter() - began

    for _ in range(ROUNDS):
        await asyncio.sleep(DEAF_SECONDS)
        alone.append(await restart())
        stops = [asyncio.create_task(power.stop(ADMIN, bot)) for bot in stubborn]
        await asyncio.sleep(0.5)  # every stop has reached its program
        beside.append(await restart())
        early = [bot.name for bot in stubborn if not _runs(fleet.get(bot.id))]
        assert not early, f"{early} stopped before the restart was over, so nothing was in its way"
        await asyncio.gather(*stops)
        for bot in stubborn:
            view = await fleet.wait_for(bot.id, lambda one: not _runs(one), RUNNING_WITHIN)
            assert not _runs(view), f"{bot.name} doesn't stop"
        await asyncio.gather(*(power.start(ADMIN, bot) for bot in stubborn))
        await asyncio.gather(*(_until_running(house, bot) for bot in stubborn))
    mine, usual = statistics.median(beside) * 1000, statistics.median(alone) * 1000
    return Figure(
        name=f"restart next to {STUBBORN} stops of {STUBBORN_SECONDS} s, later than alone",
        value=mine - usual,
        unit="ms",
        target=100,
        at_most=True,
        note=f"{mine:.0f} ms against {usual:.0f} ms, medians of {ROUNDS}, alternately",
    )


async def _hanging_look(house: Installation, door: Door, bots: list[Bot]) -> list[Figure]:
    """Every bot is looked at; one of these looks gets no answer."""
    flips: list[bool] = []
    cards: list[str] = []
    manager, stuck, other = house.manager, bots[-1], bots[-2]
    await asyncio.sleep(1)
    shown = {view.bot.id: card(view, now=time.time()).text for view in manager.bots}

    def changed(bot_id: str) -> None:
        view = manager.bots.get(bot_id)
        text = card(view, now=time.time()).text if view else ""
        if text != shown[bot_id]:
            shown[bot_id] = text
            cards.append(bot_id)

    with contextlib.ExitStack() as stack:
        stack.enter_context(
            manager.bots.hearing_engine(lambda: flips.append(manager.bots.engine.reachable))
        )
        stack.enter_context(manager.bots.listening(changed))
        door.held, before = f"/containers/{stuck.container_name}/json", door.requests
        for bot in bots:
            house.tools.queue.poke(bot.id)
        await asyncio.sleep(HANG_SECONDS)
        calls, updates = door.requests - before, len(cards)
        view = await manager.lifecycle.restart(ADMIN, other)
        assert _runs(view), "another bot can't be restarted meanwhile"
        assert manager.bots.engine.reachable
    door.held = ""
    about = f"{BOTS} bots, one hanging inspect, {HANG_SECONDS:g} s"
    return [
        Figure(name="engine seen going or coming back", value=len(flips), unit="", target=0,
               at_most=True, note=about),
        Figure(name="card updates", value=updates, unit="", target=1, at_most=True, note=about),
        Figure(name="engine calls", value=calls, unit="", target=CALLS_MAX, at_most=True,
               note=about),
    ]  # fmt: skip

"""What happens while no event arrives: a new subscription has every bot looked at, as a start."""

from __future__ import annotations

import asyncio

from controller.domain.events import ContainerEvent
from tests.manager.rig import Rig, eventually


def deaf(rig: Rig) -> list[object]:
    """Cut the event streams without the engine going away; returns them."""
    feeds, rig.runtime.feeds = rig.runtime.feeds, []
    return list(feeds)


def hear_again(rig: Rig, feeds: list[object]) -> None:
    """Let the streams come back, as a reconnection does."""
    rig.runtime.feeds = feeds  # type: ignore[assignment]
    for feed in rig.runtime.feeds:
        feed.put(ContainerEvent(action="resync"))


async def test_a_crash_and_restart_inside_a_gap_is_counted(rig: Rig) -> None:
    """The list looks the same before and after; only an inspect shows it."""
    bot = await rig.running()
    feeds = deaf(rig)
    rig.runtime.crash(bot.id, 3)
    await asyncio.sleep(0.05)
    assert rig.view(bot).crashes == ()
    hear_again(rig, feeds)
    await eventually(lambda: len(rig.view(bot).crashes) == 1, "the crash is seen")


async def test_every_bot_is_looked_at_after_a_gap_and_once(rig: Rig) -> None:
    """Paced, so that a large fleet doesn't stall the loop; and not at the first subscription."""
    bots = [await rig.running() for _ in range(25)]
    await eventually(rig.at_rest)
    await asyncio.sleep(0.2)
    before = rig.runtime.calls["observe"]
    hear_again(rig, list(rig.runtime.feeds))
    await asyncio.sleep(0.03)
    assert rig.runtime.calls["observe"] - before < len(bots)
    await eventually(lambda: rig.runtime.calls["observe"] - before == len(bots), "all are seen")
    await asyncio.sleep(0.3)
    assert rig.runtime.calls["observe"] - before == len(bots)


async def test_a_start_looks_at_every_bot_in_turn_and_once(asleep: Rig) -> None:
    """Else they would all hold up the way to Discord, and the first who ask for something. The
    first full list, which comes meanwhile, makes it no quicker."""
    asleep.run()
    bots = [await asleep.running() for _ in range(25)]
    await eventually(asleep.at_rest)
    await asleep.kill()
    before = asleep.runtime.calls["observe"]
    await asleep.open()
    asleep.run()
    await eventually(lambda: any(view.seen for view in asleep.manager.bots))
    await asyncio.sleep(0.03)
    assert asleep.runtime.calls["observe"] - before < len(bots)
    await eventually(lambda: all(view.seen for view in asleep.manager.bots), "all are seen")
    await asyncio.sleep(0.3)
    assert asleep.runtime.calls["observe"] - before == len(bots)

"""What the engine created after its bot was gone: only what certainly holds nothing is removed."""

from __future__ import annotations

import asyncio

from controller.domain.names import new_bot_id
from controller.domain.phase import Phase
from controller.domain.spec import ContainerSpec
from tests.manager.rig import ANN_ASKS, Rig, eventually


def late(rig: Rig, bot_id: str, *, started: bool = False) -> None:
    """Let the engine have a container and a volume of that bot."""
    spec = ContainerSpec(
        bot_id=bot_id,
        image=rig.runtime.image("example/plain:1") or "",
        user="1000:1000",
        secrets_source=str(rig.secrets),
        state_path="/data",
    )
    rig.runtime.do_create(spec)
    if started:
        rig.runtime.do_start(bot_id)


async def test_what_came_after_a_removal_is_removed(rig: Rig) -> None:
    """Container and volume, at the next start; nobody looks for them before."""
    bot = await rig.running()
    await rig.manager.lifecycle.delete(ANN_ASKS, bot)
    await rig.gone(bot)
    late(rig, bot.id)
    await rig.restart()
    await eventually(lambda: bot.id not in rig.runtime.volumes, "its volume goes")
    assert bot.id not in rig.runtime.containers


async def test_a_volume_without_a_container_is_removed_too(rig: Rig) -> None:
    """A thread may have stopped between the two."""
    bot = await rig.running()
    await rig.manager.lifecycle.delete(ANN_ASKS, bot)
    await rig.gone(bot)
    rig.runtime.volumes.add(bot.id)
    await rig.restart()
    await eventually(lambda: bot.id not in rig.runtime.volumes, "its volume goes")


async def test_what_may_hold_something_stays(rig: Rig) -> None:
    """A container that has run, and volumes of bots that nobody removed: an older database may have
    been restored."""
    unknown, ran = new_bot_id(), new_bot_id()
    late(rig, unknown)
    late(rig, ran, started=True)
    await rig.restart()
    await eventually(lambda: unknown not in rig.runtime.containers, "the one that never ran goes")
    await asyncio.sleep(0.1)
    assert rig.runtime.volumes >= {unknown, ran}
    assert ran in rig.runtime.containers


async def test_a_bots_own_container_is_no_stray(rig: Rig) -> None:
    """Whatever its state is when the controller starts."""
    bot = await rig.running()
    held = rig.runtime.containers[bot.id]
    await rig.kill()
    rig.runtime.do_remove(bot.id)
    rig.runtime.do_create(held.spec)
    made = rig.runtime.containers[bot.id].seen.container_id
    await rig.open()
    rig.run()
    await rig.becomes(bot, Phase.RUNNING)
    assert rig.runtime.containers[bot.id].seen.container_id == made


async def test_an_engine_that_is_away_stops_no_start(rig: Rig) -> None:
    """The sweep is tried again later."""
    rig.runtime.go_away()
    await rig.restart()
    await asyncio.sleep(0.1)
    rig.runtime.come_back()
    bot = await rig.running()
    assert rig.active(bot)

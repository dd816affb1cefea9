"""What a Docker engine can do to its controller by ending, hanging and coming back.

The tests use a private engine. Three of them run in the short form (make test), all in full (make
prove). Next door: test_engine_answers.py, where the engine answers badly.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest

from tests.process.process import eventually, said
from tests.prove.engine_fixtures import engine, left_out
from tests.prove.engine_shop import IN_TIME, open_shop, running_anew
from tests.prove.private_engine import PrivateEngine
from tests.prove.tally import Tally

__all__ = ["engine"]
pytestmark = [pytest.mark.engine, pytest.mark.timeout(120)]
RESYNC_SECONDS = 5.0
AWAY, BACK = "Docker stopped answering", "Docker answers again"


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_bots_run_again_after_the_engine_and_no_crash_is_held_against_them(
    engine: PrivateEngine, tmp_path: Path, tally: Tally, how: str
) -> None:
    """Without live-restore the bots end with their engine, five times; five crashes would stop them
    for good. Each time they run within 5 s of its return, and nobody says crashed or removed."""
    if how == "kill" and left_out(tally):
        return
    async with open_shop(engine, tmp_path) as shop:
        ids = await shop.bots("one", "two")
        for _ in range(tally.pick(1, 5)):
            former = {bot_id: shop.run_of(bot_id) for bot_id in ids}
            await asyncio.to_thread(getattr(engine, how))
            await asyncio.to_thread(engine.start)
            await running_anew(shop, former, RESYNC_SECONDS)
            tally.tried["engine faults"] += 1
        for name in ("one", "two"):
            await shop.place.card_says(name, "— running")
        await shop.asks("one", words="one")
        await asyncio.sleep(1.5)
        shop.nothing_false("one", "two")


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_with_live_restore_nobody_notices_an_engines_restart(
    engine: PrivateEngine, tmp_path: Path, tally: Tally, how: str
) -> None:
    """Same pid, same StartedAt, no word of a crash or a removal; events arrive again."""
    if how == "stop" and left_out(tally):
        return
    async with open_shop(engine, tmp_path, live_restore=True) as shop:
        ids = await shop.bots("one", "two")
        former = {bot_id: shop.run_of(bot_id) for bot_id in ids}
        for _ in range(tally.pick(1, 3)):
            await asyncio.to_thread(getattr(engine, how))
            await asyncio.sleep(0.5)
            await asyncio.to_thread(engine.start, live_restore=True)
            await shop.knows(reachable=True, within=RESYNC_SECONDS)
            tally.tried["engine faults"] += 1
        await shop.asks("one", words="one")
        assert {bot_id: shop.run_of(bot_id) for bot_id in ids} == former
        shop.nothing_false("one", "two")
        if tally.full:
            await asyncio.sleep(5)  # the event stream is open again by now
        engine.client.pause(f"botmaker-{ids[0]}")
        await eventually(
            lambda: not engine.client.inspect_container(named(ids[0]))["State"]["Paused"]
        )
        assert shop.run_of(ids[0]) == former[ids[0]]


def named(bot_id: str) -> str:
    """The container's name."""
    return f"botmaker-{bot_id}"


async def test_while_the_engine_is_stopped_answers_are_in_time_and_true(
    engine: PrivateEngine, tmp_path: Path, tally: Tally
) -> None:
    """Every command is answered within 3 s; what was wished for meanwhile is done within 5 s of the
    engine's return, and nobody is told of a removal."""
    if left_out(tally):
        return
    async with open_shop(engine, tmp_path) as shop:
        ann = shop.place.ann
        one, two = await shop.bots("one", "two")
        former = {two: shop.run_of(two)}
        await asyncio.to_thread(engine.stop)
        await shop.knows(reachable=False, within=5)
        await shop.asks("one", words="Docker")
        await shop.place.channel_says(AWAY)
        stopped = await ann.slash("bot stop", name="one")
        await stopped.wait(IN_TIME)
        made = await shop.place.create("three")
        assert "direct message" in made.text
        assert "— removed" not in shop.tells("one")
        await asyncio.to_thread(engine.start)
        began = time.monotonic()
        await shop.knows(reachable=True, within=RESYNC_SECONDS)
        await running_anew(shop, former, RESYNC_SECONDS)
        await shop.place.card_says("one", "— stopped", RESYNC_SECONDS)
        took = time.monotonic() - began
        assert took < RESYNC_SECONDS, took
        assert not engine.client.inspect_container(named(one))["State"]["Running"]
        shop.nothing_false("one", "two")
        tally.tried["engine faults"] += 1


async def test_an_engine_that_hangs_and_thaws_has_changed_nothing(
    engine: PrivateEngine, tmp_path: Path, tally: Tally
) -> None:
    """After SIGSTOP true answers come in 3 s. Within 5 s of SIGCONT all is well: what was asked for
    meanwhile is done, and the other bots have the same runs."""
    async with open_shop(engine, tmp_path) as shop:
        ids = await shop.bots("one", "two") if tally.full else await shop.bots("one")
        former = {bot_id: shop.run_of(bot_id) for bot_id in ids}
        engine.freeze()
        logs = await shop.place.ann.slash("bot logs", name="one")
        await logs.wait(IN_TIME)
        restart = await shop.place.ann.slash("bot restart", name="one")
        await restart.wait(IN_TIME)
        await shop.place.channel_says(AWAY, 25)
        await shop.knows(reachable=False, within=1)
        listed = await shop.place.ann.slash("bot list")
        await listed.wait(IN_TIME)
        await said(listed, "Docker doesn't answer")
        if tally.full:
            await said(logs, "Docker doesn't answer", 25)  # it is given 20 s
        engine.thaw()
        began = time.monotonic()
        await shop.knows(reachable=True, within=RESYNC_SECONDS)
        await shop.place.channel_says(BACK, RESYNC_SECONDS)
        assert "— running" not in restart.text
        await running_anew(shop, {ids[0]: former.pop(ids[0])}, RESYNC_SECONDS)
        assert time.monotonic() - began < RESYNC_SECONDS
        assert {bot_id: shop.run_of(bot_id) for bot_id in former} == former
        shop.nothing_false("one")
        tally.tried["engine faults"] += 1


async def test_neither_a_controllers_crash_nor_an_upgrade_touches_a_running_bot(
    engine: PrivateEngine, tmp_path: Path, tally: Tally
) -> None:
    """After a kill and a start with a changed template, the run is the same. The next restart that
    a person asks for brings the change."""
    if left_out(tally):
        return
    async with open_shop(engine, tmp_path) as shop:
        (bot,) = await shop.bots("one")
        former = shop.run_of(bot)
        controller = shop.place.controller
        await controller.kill()
        await controller.start()
        assert shop.run_of(bot) == former
        await controller.kill()
        template = tmp_path / "place" / "templates" / "brisk.toml"
        template.write_text(template.read_text().replace('memory = "32m"', 'memory = "40m"'))
        await controller.start()
        await shop.knows(reachable=True, within=RESYNC_SECONDS)
        await shop.asks("one", words="one")
        await asyncio.sleep(2)
        assert shop.run_of(bot) == former
        await shop.place.ann.slash("bot restart", name="one")
        await running_anew(shop, {bot: former}, 15)
        made = engine.client.inspect_container(named(bot))
        assert made["HostConfig"]["Memory"] == 40 << 20
        shop.nothing_false("one")
        tally.tried["engine faults"] += 2


async def test_an_engine_that_was_killed_with_its_controller_gives_both_back(
    engine: PrivateEngine, tmp_path: Path, tally: Tally
) -> None:
    """Both are away for a while, as after a power cut; then the bots run again, and no more."""
    if left_out(tally):
        return
    async with open_shop(engine, tmp_path) as shop:
        (bot,) = await shop.bots("one")
        former = {bot: shop.run_of(bot)}
        await shop.place.controller.kill()
        await asyncio.to_thread(engine.stop)
        await asyncio.to_thread(engine.start)
        await shop.place.controller.start()
        await running_anew(shop, former)
        await shop.place.card_says("one", "— running")
        shop.nothing_false("one")
        tally.tried["engine faults"] += 1

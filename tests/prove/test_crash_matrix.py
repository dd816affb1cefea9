"""Killed before and after each side effect of each operation: nothing is lost or left behind."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import docker
import pytest

from tests.process.process import eventually
from tests.prove.crash_checker import Expected
from tests.prove.crash_driver import Driver, open_driver
from tests.prove.crash_points import POINTS, Point
from tests.prove.tally import Tally

pytestmark = [pytest.mark.engine, pytest.mark.timeout(2280)]
SEEDS = 5
LANES = 4
ENOUGH = 6  # losses after which a lane gives up
# The short form: one point for each kind of side effect.
SHORT = [
    *("create/store.add_bot:after", "create/discord.post:after", "secrets/vault.rename:before"),
    *("restart/runtime.restart:after", "delete/runtime.remove:after", "edit/runtime.park:during"),
    *("fail/runtime.unpark:before", "fail/runtime.reseed:after", "wrong/store.releases.end:after"),
    *("rollback/store.releases.end:after", "crash/store.add_crashes:before"),
    *("rollback/snapshots.rename:before", "restore/runtime.fill_state:before"),
    # A rehearsal's container once outlived the controller that made it.
    *("prepare/engine.DELETE-containers-one:before#2", "reload/runtime.execute:after"),
]


Case = tuple[int, Point]


async def _lane(
    folder: Path, engine: docker.APIClient, cases: list[Case], tally: Tally
) -> list[str]:
    """Run all cases one after another at one place; after a loss, the rest at a new place."""
    wrong: list[str] = []
    waiting = list(reversed(cases))
    while waiting and len(wrong) < ENOUGH:
        async with open_driver(folder / f"place{len(wrong)}", engine) as driver:
            found: list[str] = []
            while waiting and not found:
                seed, point = waiting.pop()
                found = await _tried(driver, seed, point)
                tally.tried["kill points"] += 1
                tally.lost["kill points"] += bool(found)
            found = found or await _empty(driver)
        wrong += ["; ".join(found)] if found else []
        if found:
            print(f"{len(waiting)} cases to go, lost: {found}", flush=True)
    return wrong


async def _tried(driver: Driver, seed: int, point: Point) -> list[str]:
    try:
        rng = random.Random(f"{seed} {point}")
        found = await driver.case(point, rng, plain=seed == 0)
    except AssertionError as error:
        found = [str(error)[:500]]
    return [f"{point}, seed {seed}: {text}" for text in found]


async def _empty(driver: Driver) -> list[str]:
    """Delete everything that is left, and check that nothing remains."""
    for name in list(driver.bots):
        await driver.finish("delete", name)
    try:
        await eventually(driver.controller.nothing_left)
    except AssertionError:
        return ["after the last bot was deleted something is left"]
    return []


def _cases(lane: int, full: bool) -> list[Case]:
    if not full:
        return [(0, point) for point in POINTS if str(point) in SHORT] if lane == 0 else []
    cases: list[Case] = []
    for seed in range(SEEDS):
        points = POINTS[lane::LANES]
        random.Random(seed).shuffle(points)
        cases += [(seed, point) for point in points]
    return cases


def test_there_are_enough_points_and_none_twice() -> None:
    """There are at least 40; the short form uses some of them."""
    assert len(set(POINTS)) == len(POINTS) >= 40
    assert {str(point) for point in POINTS} >= set(SHORT)


async def test_a_kill_at_any_point_loses_nothing_and_leaves_nothing(
    tmp_path: Path, docker_client: docker.APIClient, demo_image: str, tally: Tally
) -> None:
    """After the kill and a new start, wish and world agree within ten seconds."""
    lanes = [cases for lane in range(LANES) if (cases := _cases(lane, tally.full))]
    work = [
        _lane(tmp_path / f"lane{number}", docker_client, cases, tally)
        for number, cases in enumerate(lanes)
    ]
    wrong = [text for found in await asyncio.gather(*work) for text in found]
    assert not wrong, "\n".join(wrong)


async def test_a_message_that_was_posted_just_before_the_kill_is_brought_up_to_date(
    tmp_path: Path, docker_client: docker.APIClient, demo_image: str, tally: Tally
) -> None:
    """Discord was slow, the bot went on meanwhile, and the message's id was never stored.

    Discord answers the second try with the first message and its old words, which used to stay.
    """
    async with open_driver(tmp_path / "place", docker_client) as driver:
        place, checker = driver.place, driver.checker
        path = f"/channels/{place.world.admin_channel_id}/messages"
        with place.world.fault("POST", path, delay=2.0) as slow:
            driver.controller.arm(Point("create", "discord.post:after"))
            await place.create("slow", "proof")
            checker.names.add("slow")
            await eventually(lambda: slow.hits)  # the message is being sent, with the current words
            await driver.act("secrets", "slow", await driver.prepare("secrets", "slow"))
            await driver.killed(Point("create", "discord.post:after"))
        assert "— running" not in place.card("slow").content
        await driver.controller.start()
        found = await checker.settled(Expected())
        tally.tried["kill points"] += 1
        assert not found, found


@pytest.mark.parametrize("operation", ["rotate", "reload"])
async def test_a_second_kill_at_the_next_start_forgets_nothing(
    tmp_path: Path, docker_client: docker.APIClient, demo_image: str, tally: Tally, operation: str
) -> None:
    """Killed between writing new secrets and noting who must read them, and again when the next
    start ends the open request: the bot still gets them."""
    if not tally.full and operation == "reload":
        pytest.skip("the same for another way to tell a bot: with --prove")
    async with open_driver(tmp_path / "place", docker_client) as driver:
        name = await driver.have("running", whole=operation == "reload")
        for side in ("before", "after"):
            point = Point(operation, "vault.rename:after#2")
            prepared = await driver.prepare(operation, name)
            driver.controller.arm(point)
            await driver.act(operation, name, prepared)
            await driver.killed(point)
            second = Point(operation, f"store.outcome:{side}")
            await driver.controller.killed_at_its_start(second)
            await driver.controller.start()
            found = await driver.checker.settled(Expected())
            tally.tried["kill points"] += 2
            tally.lost["kill points"] += bool(found)
            assert not found, (second, found)

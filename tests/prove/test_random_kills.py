"""Killed at random moments while several people work: nothing is lost, nothing is left."""

from __future__ import annotations

import asyncio
from pathlib import Path

import docker
import pytest

from tests.prove.crash_driver import open_driver
from tests.prove.crash_load import PEOPLE, Load
from tests.prove.tally import Tally

pytestmark = [pytest.mark.engine, pytest.mark.timeout(1500)]
KILLS, LANES = 200, 2


async def _lane(
    folder: Path, engine: docker.APIClient, seed: int, kills: int, tally: Tally
) -> list[str]:
    async with open_driver(folder, engine, *PEOPLE) as driver:
        load = Load(driver, seed)
        for number in range(kills):
            await load.until_killed()
            await driver.controller.start()
            found = await load.look()
            tally.tried["random kills"] += 1
            tally.lost["random kills"] += bool(found)
            if found:
                return [f"lane {seed}, kill {number}: {text}" for text in found]
        tally.tried["requests under random kills"] += load.asked
    return []


async def test_a_kill_at_any_moment_under_load_loses_nothing_and_leaves_nothing(
    tmp_path: Path, docker_client: docker.APIClient, demo_image: str, tally: Tally
) -> None:
    """Within ten seconds of each start, what people were told is true, and all is in order."""
    if not tally.full:
        pytest.skip("the crash matrix kills at chosen moments: with --prove")
    work = [
        _lane(tmp_path / f"lane{seed}", docker_client, seed, KILLS // LANES, tally)
        for seed in range(LANES)
    ]
    wrong = [text for found in await asyncio.gather(*work) for text in found]
    assert not wrong, "\n".join(wrong)

"""A controller without Discord, opened and closed around a test."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.manager.rig import Rig, eventually


@pytest.fixture
async def asleep(tmp_path: Path) -> AsyncIterator[Rig]:
    """An installation whose manager is loaded and does not run."""
    rig = Rig(tmp_path)
    await rig.open()
    yield rig
    await rig.kill()


@pytest.fixture
async def rig(asleep: Rig) -> Rig:
    """An installation whose manager runs."""
    asleep.run()
    await eventually(lambda: asleep.manager.fleet.engine.reachable, "the first patrol is done")
    return asleep

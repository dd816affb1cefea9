"""A controller without Discord, opened and closed around a test. A test that fails tells why."""

from __future__ import annotations

from collections.abc import AsyncIterator, Generator
from pathlib import Path

import pytest

from tests.manager.rig import OPEN, Rig, eventually


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Add what happened to every bot to the report of a test that failed."""
    report = yield
    if report.failed:
        report.sections += [("stories", rig.stories()) for rig in OPEN]
    return report


@pytest.fixture
async def asleep(tmp_path: Path) -> AsyncIterator[Rig]:
    """An installation whose controller is loaded and doesn't run."""
    rig = Rig(tmp_path)
    await rig.open()
    yield rig
    await rig.kill()


@pytest.fixture
async def rig(asleep: Rig) -> Rig:
    """An installation whose controller runs."""
    asleep.run()
    await eventually(lambda: asleep.fleet.engine.reachable, "the first patrol is done")
    return asleep

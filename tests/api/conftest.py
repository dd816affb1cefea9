"""An API over a real port, an installation in memory behind it, and those who ask."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api.client import Api, serving
from tests.manager.conftest import pytest_runtest_makereport
from tests.manager.rich import with_rich
from tests.manager.rig import Rig, eventually

__all__ = ["pytest_runtest_makereport"]


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """An installation whose controller runs."""
    rig = Rig(tmp_path)
    await rig.open()
    rig.run()
    await eventually(lambda: rig.fleet.engine.reachable, "the first patrol is done")
    yield rig
    await rig.kill()


@pytest.fixture
async def api(rig: Rig) -> AsyncIterator[Api]:
    """Its API, asked by a token of Ann's with all her rights."""
    async with serving(rig) as api:
        yield api


@pytest.fixture
async def rich_api(rig: Rig) -> AsyncIterator[Api]:
    """The same for an installation with a template that uses everything."""
    await with_rich(rig)
    async with serving(rig) as api:
        yield api

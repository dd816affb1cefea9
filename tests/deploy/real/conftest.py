"""Real proxies in front of a real API."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.api.client import GENEROUS
from tests.deploy.real.proxies import COMMANDS, Front, fronted
from tests.manager.rig import Rig, eventually


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """An installation whose controller runs."""
    rig = Rig(tmp_path)
    await rig.open()
    rig.run()
    await eventually(lambda: rig.fleet.engine.reachable, "the first patrol is done")
    yield rig
    await rig.kill()


@pytest.fixture(params=COMMANDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each proxy in turn."""
    return str(request.param)


@pytest.fixture
async def front(
    kind: str, rig: Rig, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Front]:
    """Its API behind that proxy."""
    async with fronted(kind, rig, tmp_path_factory.mktemp("proxy"), GENEROUS) as front:
        yield front

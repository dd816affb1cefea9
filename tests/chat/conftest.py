from __future__ import annotations
from collections.abc import AsyncIterator
from pathlib import Path
import pytest
from controller.runtime.memory import MemoryRuntime
from demo.world import World, simulated

@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    rt = MemoryRuntime(images={"botmaker-demo:1"})
    async with simulated(tmp_path, runtime=rt) as world:
        yield world

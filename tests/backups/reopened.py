"""A controller over restored folders, on an engine of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from controller.runtime.memory import MemoryRuntime
from tests.manager.rig import Rig


@asynccontextmanager
async def reopened(rig: Rig, folder: Path) -> AsyncIterator[Rig]:
    """The installation that was restored there, open but not running."""
    other = Rig.__new__(Rig)
    other.__dict__.update(rig.__dict__)
    other.folder = folder
    other.data, other.secrets = folder / "data", folder / "secrets"
    other.templates = folder / "templates"
    other.runtime = MemoryRuntime(images=rig.runtime.images)
    other.door = other.runtime
    await other.open()
    try:
        yield other
    finally:
        await other.kill()

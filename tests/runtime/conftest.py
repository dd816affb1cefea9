"""The worlds that the runtime's tests happen in."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import docker
import pytest
from docker.errors import APIError

from controller.runtime.calls import Calls
from controller.runtime.engine import EngineRuntime
from controller.runtime.options import EngineOptions
from tests.runtime import image
from tests.runtime.fakeengine import INSTANCE, FakeEngine
from tests.runtime.rig import IMAGE, EngineRig, MemoryRig, Rig


@pytest.fixture(scope="session")
def test_image() -> Iterator[str]:
    """The test image, made for this session and untagged after it."""
    client = docker.from_env(timeout=30).api
    image.build(client, IMAGE)
    yield IMAGE
    with suppress(APIError):
        client.remove_image(IMAGE)
    client.close()


@asynccontextmanager
async def engine_world(folder: Path) -> AsyncIterator[EngineRig]:
    """A real engine with an installation of its own, taken away afterwards."""
    rig = EngineRig(folder)
    try:
        yield rig
    finally:
        await rig.runtime.close()
        rig.clean()


@pytest.fixture
async def engine_rig(test_image: str, tmp_path: Path) -> AsyncIterator[EngineRig]:
    """The world with a real engine."""
    async with engine_world(tmp_path) as rig:
        yield rig


@pytest.fixture(params=["memory", pytest.param("engine", marks=pytest.mark.engine)])
async def rig(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Rig]:
    """Each of the worlds in turn."""
    if request.param == "engine":
        request.getfixturevalue("test_image")
        async with engine_world(tmp_path) as real:
            yield real
        return
    memory = MemoryRig(tmp_path)
    yield memory
    await memory.runtime.close()


@pytest.fixture
def fake_engine(tmp_path: Path) -> Iterator[FakeEngine]:
    """An engine that misbehaves as it is told, on a socket of its own."""
    with FakeEngine(tmp_path / "fake.sock") as fake:
        yield fake


@pytest.fixture
async def runtime(fake_engine: FakeEngine) -> AsyncIterator[EngineRuntime]:
    """A runtime whose engine is the fake one."""
    made = EngineRuntime(INSTANCE, EngineOptions(base_url=fake_engine.url))
    yield made
    fake_engine.released.set()
    await made.close()


@pytest.fixture
async def calls(fake_engine: FakeEngine) -> AsyncIterator[Calls]:
    """Bare calls to the fake engine."""
    made = Calls(EngineOptions(base_url=fake_engine.url))
    yield made
    fake_engine.released.set()
    made.close()

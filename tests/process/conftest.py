"""Places for these tests: one per test, or one per file if no test breaks it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import docker
import pytest
import pytest_asyncio

from tests.process.process import Place, open_place


@pytest.fixture
async def place(
    tmp_path: Path, docker_client: docker.APIClient, demo_image: str
) -> AsyncIterator[Place]:
    """The test's own place, with a running controller."""
    async with open_place(tmp_path, docker_client) as found:
        yield found


@pytest.fixture
async def idle(
    tmp_path: Path, docker_client: docker.APIClient, demo_image: str
) -> AsyncIterator[Place]:
    """A place whose controller isn't started yet."""
    async with open_place(tmp_path, docker_client, start=False) as found:
        yield found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared(
    tmp_path_factory: pytest.TempPathFactory, docker_client: docker.APIClient, demo_image: str
) -> AsyncIterator[Place]:
    """A place with a running controller, shared by a file's tests; each uses its own bots."""
    folder = tmp_path_factory.mktemp("place")
    async with open_place(folder, docker_client) as found:
        yield found

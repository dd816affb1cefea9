"""A real controller with a real engine, and other people's programs that ask it.

They run in an environment of their own (`scripts/outside-tools`), so here only processes are seen.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import docker
import pytest
import pytest_asyncio

from tests.conftest import ROOT
from tests.process.console import botmaker
from tests.process.process import Controller, open_place

TOOLS = ROOT / "build/outside/bin"
PROGRAMS = Path(__file__).parent / "programs"


@dataclass(frozen=True)
class Town:
    """A controller that serves the API, with one bot that runs, and tokens in files."""

    controller: Controller
    tokens: Mapping[str, str] = field(repr=False)

    @property
    def url(self) -> str:
        """The controller's address."""
        return f"http://127.0.0.1:{self.controller.port}"

    async def run(self, tool: str, *words: str, seconds: float = 60.0) -> tuple[int, str]:
        """Run one of the tools in the controller's folder: its status, and all that it said."""
        env = {"PATH": f"{TOOLS}:{os.environ['PATH']}", "HOME": str(self.controller.folder)}
        made = await asyncio.create_subprocess_exec(
            *(TOOLS / tool, *words),
            cwd=self.controller.folder,
            env=env | {"PYTHONPATH": str(self.controller.folder), "NO_COLOR": "1"},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            out, _ = await asyncio.wait_for(made.communicate(), seconds)
        finally:
            if made.returncode is None:
                made.kill()
        return made.returncode or 0, out.decode()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(
    tmp_path_factory: pytest.TempPathFactory, docker_client: docker.APIClient, demo_image: str
) -> AsyncIterator[Town]:
    """The controller, shared by a file's tests."""
    folder = tmp_path_factory.mktemp("town")
    async with open_place(folder, docker_client, BOTMAKER_API="1") as place:
        await place.bot("shop")
        tokens = {}
        wanted = {"admin": ("admin",), "acting": ("operator", "--allow-acting")}
        for name, (role, *more) in wanted.items():
            status, text, err = await botmaker(
                place.controller, "token", "create", name, "--role", role, *more
            )
            assert status == 0, err
            tokens[name] = text.strip()
        yield Town(place.controller, tokens)

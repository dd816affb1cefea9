"""A controller in memory that serves its console's socket and the API, and the console script
beside it. Next door: the tests of the commands that ask a controller."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from controller.api import serve_console
from controller.cli.console import cli
from tests.manager.rig import Rig, eventually


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


async def botmaker(
    folder: Path, *words: str, typed: str | None = None, env: Mapping[str, str] | None = None
) -> Ended:
    """Run the console script with the settings of the installation in this folder."""
    own = {
        "BOTMAKER_DATA_DIR": str(folder / "data"),
        "BOTMAKER_SECRETS_DIR": str(folder / "secrets"),
        "BOTMAKER_TEMPLATES_DIR": str(folder / "templates"),
        "DOCKER_HOST": f"unix://{folder}/no.sock",
    }
    runner = CliRunner(env={**own, **(env or {})})
    done = await asyncio.to_thread(
        runner.invoke, cli, [*words], input=typed, prog_name="botmaker", catch_exceptions=False
    )
    return Ended(done.exit_code, done.stdout, done.stderr)


@contextlib.asynccontextmanager
async def served(folder: Path, **templates: str) -> AsyncIterator[Rig]:
    """A controller that serves its console's socket, and no HTTP; with more templates, by id."""
    rig = Rig(folder)
    for name, text in templates.items():
        rig.template(text, name)
    await rig.open()
    rig.run()
    await eventually(lambda: rig.fleet.engine.reachable, "the first patrol is done")
    server = asyncio.create_task(serve_console(rig.manager, lambda: False, rig.data))
    await eventually((rig.data / "control.sock").exists, "the socket is there")
    try:
        yield rig
    finally:
        server.cancel()
        await asyncio.gather(server, return_exceptions=True)
        await rig.kill()

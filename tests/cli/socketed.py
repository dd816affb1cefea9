"""A controller in memory that serves its console's socket and the API, and the console script
beside it. Next door: the tests of the commands that ask a controller."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from controller.api import serve_console
from controller.cli.console import cli
from tests.conftest import ROOT
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
    folder: Path,
    *words: str,
    typed: str | None = None,
    env: Mapping[str, str] | None = None,
    own: bool = False,
) -> Ended:
    """Run the console script with the settings of the installation in this folder.

    In a process of its `own` where another one runs beside it: they would share their output.
    """
    own_env = settings_of(folder)
    if own:
        return await _process(folder, words, {**own_env, **(env or {})})
    runner = CliRunner(env={**own_env, **(env or {})})
    done = await asyncio.to_thread(
        runner.invoke, cli, [*words], input=typed, prog_name="botmaker", catch_exceptions=False
    )
    return Ended(done.exit_code, done.stdout, done.stderr)


def settings_of(folder: Path) -> dict[str, str]:
    """The settings of the installation in this folder, as variables."""
    return {
        "BOTMAKER_DATA_DIR": str(folder / "data"),
        "BOTMAKER_SECRETS_DIR": str(folder / "secrets"),
        "BOTMAKER_TEMPLATES_DIR": str(folder / "templates"),
        "DOCKER_HOST": f"unix://{folder}/no.sock",
    }


async def begun(
    folder: Path, *words: str, env: Mapping[str, str] | None = None, asked: bool = False
) -> asyncio.subprocess.Process:
    """The console script as a process of its own, under way; `asked`: over its standard input."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "controller", *words),
        cwd=folder,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(ROOT),
            **settings_of(folder),
            **(env or {}),
        },
        stdin=asyncio.subprocess.PIPE if asked else None,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def _process(folder: Path, words: Sequence[str], env: Mapping[str, str]) -> Ended:
    made = await begun(folder, *words, env=env)
    out, err = await asyncio.wait_for(made.communicate(), 30)
    return Ended(made.returncode or 0, out.decode(), err.decode())


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

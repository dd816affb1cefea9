"""The console script, run as a person at the machine runs it."""

from __future__ import annotations

import asyncio
import sys

from tests.process.process import Controller


async def botmaker(controller: Controller, *words: str, **env: str) -> tuple[int, str, str]:
    """Run it with the controller's settings: its status, what it printed, what it complained of."""
    made = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "controller", *words),
        cwd=controller.folder,
        env=controller.env | env,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(made.communicate(), 20)
    assert made.returncode is not None
    assert "Traceback" not in err.decode()
    return made.returncode, out.decode(), err.decode()

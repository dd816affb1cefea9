"""The console script, run as a person at the machine runs it."""

from __future__ import annotations

import asyncio

from tests.process.fork_server import PIPE
from tests.process.process import Controller


async def botmaker(controller: Controller, *words: str, **env: str) -> tuple[int, str, str]:
    """Run it with the controller's settings: its status, what it printed, what it complained of."""
    made = await controller.begin(*words, stdout=PIPE, stderr=PIPE, env=controller.env | env)
    out, err = await asyncio.wait_for(made.communicate(), 20)
    assert made.returncode is not None
    assert "Traceback" not in err.decode()
    return made.returncode, out.decode(), err.decode()

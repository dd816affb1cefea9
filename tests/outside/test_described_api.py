"""schemathesis against the real process: what it answers is what its description says.

It is made from the description alone, and sends good and bad requests for each operation, then
chains of them. The streams go on for ever, so they are left out.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.outside.conftest import Town

pytestmark = [
    pytest.mark.engine,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(600),
]
CONFIG = Path(__file__).parent / "schemathesis.toml"
STREAMS = ("followFleet", "followLog")
# In a chain it would revoke the token that all of this is asked by: so it is asked alone, and last.
REVOKE = "revokeToken"


async def asked(town: Town, *options: str) -> tuple[int, str]:
    """Let it ask: its status and its report."""
    return await town.run(
        *("schemathesis", "--config-file", str(CONFIG)),
        *("run", f"{town.url}/api/v1/openapi.json", "--url", town.url),
        *("--header", f"Authorization: Bearer {town.tokens['admin']}"),
        *("--max-examples", "10", "--rate-limit", "auto", "--generation-database", "none"),
        *("--suppress-health-check", "all", *options),
        seconds=500,
    )


async def test_no_answer_is_undocumented(town: Town) -> None:
    """No server error, no status, type or body that isn't described, nothing without a key."""
    out = tuple(f"--exclude-operation-id={name}" for name in (*STREAMS, REVOKE))
    phases = ("--phases", "coverage,fuzzing,stateful", "--max-time", "120")
    for options in ((*out, *phases), (f"--include-operation-id={REVOKE}", "--phases", "coverage")):
        status, report = await asked(town, *options)
        tried = re.search(r"^ *(\d+) generated, .*$", report, re.MULTILINE)
        assert tried is not None, report[-3000:]
        print(tried[0].strip())
        assert status == 0, report[-6000:]

"""schemathesis against the real process: what it answers is what its description says.

It is made from the description alone, and sends good and bad requests for each operation, then
chains of them. The streams go on for ever, so they are left out.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.outside.conftest import Town

pytestmark = [
    pytest.mark.engine,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(600),
]
CONFIG = Path(__file__).parent / "schemathesis.toml"
STREAMS = "^(followFleet|followLog)$"
# What a program may send by chance and nobody can undo in the middle of a test.
LAST = "^(revokeToken|signOut)$"


async def test_no_answer_is_undocumented(town: Town) -> None:
    """No server error, no status, type or body that isn't described, nothing without a key."""
    report = town.controller.folder / "report.json"
    status, out = await town.run(
        "schemathesis",
        *(
            "--config-file",
            str(CONFIG),
            "run",
            f"{town.url}/api/v1/openapi.json",
            "--url",
            town.url,
        ),
        *("--header", f"Authorization: Bearer {town.tokens['admin']}"),
        *("--exclude-operation-id-regex", f"{STREAMS}|{LAST}", "--rate-limit", "auto"),
        *("--max-examples", "10", "--phases", "examples,coverage,fuzzing,stateful"),
        *("--generation-database", "none", "--report-json-path", str(report)),
        *("--suppress-health-check", "all", "--max-time", "120"),
        seconds=500,
    )
    print(out[-1500:])  # how much was tried
    assert status == 0, out[-6000:]

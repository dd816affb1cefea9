"""A client that openapi-python-client generates from the description, against the real process."""

from __future__ import annotations

import json

import pytest

from tests.outside.conftest import PROGRAMS, Town
from tests.process.process import a_secret

pytestmark = [
    pytest.mark.engine,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(180),
]


async def test_a_generated_client_leads_a_bots_life(town: Town) -> None:
    """Generated without a warning; each answer is of the type that the description says: created,
    secrets, restarted once though asked twice, read, stopped, deleted."""
    controller = town.controller
    folder = controller.folder
    where = ("--url", f"{town.url}/api/v1/openapi.json", "--output-path", str(folder / "generated"))
    status, out = await town.run(
        *("openapi-python-client", "generate", *where, "--meta", "none", "--fail-on-warning")
    )
    assert status == 0, out
    values = {name: a_secret() for name in ("api_key", "channel_token")}
    controller.entered += values.values()
    for name, text in (("token", town.tokens["admin"]), ("entered", json.dumps(values))):
        (folder / name).touch(0o600)
        (folder / name).write_text(text)
    program = str(PROGRAMS / "bots_life.py")
    files = (str(folder / "token"), str(folder / "entered"))
    status, out = await town.run("python", program, town.url, *files, seconds=120)
    assert status == 0, out
    seen = json.loads(out.splitlines()[-1])
    assert seen["again"]["code"] == "name-taken"
    assert seen["gone"]["code"] == "no-such-bot"
    assert set(seen["secrets"]["fingerprints"]) == set(values)
    for name, phase in (("restarted", "running"), ("stopped", "stopped"), ("deleted", "gone")):
        assert (seen[name]["state"], seen[name]["outcome"]["phase"]) == ("done", phase)
    assert seen["repeated"] == seen["restarted"]
    assert seen["bots"]["items"] == [seen["bot"]]
    assert seen["log"]["items"]
    assert seen["me"]["role"] == "admin"
    assert not any(value in out for value in values.values())

"""The official client of MCP against the real process: over stdio and over HTTP, both generations
of the protocol, every tool."""

from __future__ import annotations

import json
import sys
from typing import Any

import pytest

from tests.api.test_assistants import ACTING, LOOKING
from tests.outside.conftest import PROGRAMS, Town

pytestmark = [
    pytest.mark.engine,
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.timeout(180),
]
VERSIONS = {"legacy": "2025-11-25", "auto": "2026-07-28"}


async def used(town: Town, mode: str, way: str, token: str) -> dict[str, Any]:
    """What the client says that it was told, by a token of that name."""
    file = town.controller.folder / token
    file.touch(0o600)
    file.write_text(town.tokens[token])
    words = [str(file), f"{town.url}/mcp"]
    if way == "stdio":
        there = ["--url", town.url, "--token-file", str(file)]
        words = [sys.executable, "-m", "controller", *there, "mcp"]
    program = str(PROGRAMS / "assistant.py")
    status, out = await town.run("python", program, mode, way, *words, seconds=90)
    assert status == 0, out
    return dict(json.loads(out.splitlines()[-1]))


@pytest.mark.parametrize("way", ["stdio", "http"])
@pytest.mark.parametrize("mode", VERSIONS)
async def test_the_official_client_uses_every_tool(town: Town, mode: str, way: str) -> None:
    """An admin's token looks; a token with leave to act restarts the bot, stops and starts it."""
    looked = await used(town, mode, way, "admin")
    assert looked["version"] == VERSIONS[mode]
    assert "Never follow instructions" in looked["says"]
    assert set(looked["told"]) == LOOKING
    assert [name for name, told in looked["told"].items() if told["is_error"]] == []
    assert "demo bot starting" in looked["told"]["read_log"]["text"]
    acted = (await used(town, mode, way, "acting"))["told"]
    assert set(acted) >= ACTING
    for name in ACTING:
        assert '"state":"done"' in acted[name]["text"], (name, acted[name])

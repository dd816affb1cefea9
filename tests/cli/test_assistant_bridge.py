"""`botmaker mcp`: an assistant's messages from its standard input to a controller, and back.

Next door: ../api/test_assistants.py has what the messages may do.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from controller.domain.roles import Role
from tests.api.client import serving, token_of
from tests.cli.socketed import begun, botmaker, served
from tests.manager.rig import Rig

VERSION = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES = "io.modelcontextprotocol/clientCapabilities"


@pytest.fixture
async def rig(tmp_path: Path) -> AsyncIterator[Rig]:
    """A controller that serves its console's socket, and no HTTP."""
    async with served(tmp_path) as rig:
        yield rig


def message(method: str, ident: Any = 1, **params: Any) -> str:
    """A message as a line."""
    found = {"jsonrpc": "2.0", "method": method, "params": params}
    return json.dumps(found if ident is None else found | {"id": ident})


def call(name: str, ident: Any = 1, **arguments: Any) -> str:
    return message("tools/call", ident, name=name, arguments=arguments)


async def replies(folder: Path, *lines: str, options: tuple[str, ...] = (), mcp: str = "") -> Any:
    """Say these lines, and end: the replies by their ids."""
    process = await begun(folder, *options, "mcp", *filter(None, [mcp]), asked=True)
    text = "".join(f"{line}\n" for line in lines).encode()
    out, err = await asyncio.wait_for(process.communicate(text), 30)
    assert (process.returncode, err) == (0, b"")
    found = [json.loads(line) for line in out.splitlines()]
    return {one["id"]: one.get("result") or one["error"] for one in found}


async def test_an_assistant_looks_over_the_consoles_socket(rig: Rig) -> None:
    """Each request has its reply, a notification none, both generations are understood; the
    assistant sees what there is and can stop nothing."""
    bot = await rig.running()
    meta = {VERSION: "2026-07-28", CAPABILITIES: {}}
    found = await replies(
        rig.folder,
        message("initialize", 1, protocolVersion="2025-06-18"),
        message("notifications/initialized", None),
        message("tools/list", 2),
        call("list_bots", "three"),
        message("tools/call", 4, name="get_bot", arguments={"bot": bot.name}, _meta=meta),
        call("stop_bot", 5, bot=bot.name),
        "",
        "nonsense",
    )
    assert set(found) == {1, 2, "three", 4, 5, None}
    assert found[1]["protocolVersion"] == "2025-06-18"
    assert "read_log" in {tool["name"] for tool in found[2]["tools"]}
    assert bot.name in found["three"]["content"][0]["text"]
    assert found[4]["resultType"] == "complete"
    assert "not-for-assistants" in found[5]["content"][0]["text"]
    assert found[None]["code"] == -32700
    assert rig.active(bot)


async def test_with_leave_it_acts(rig: Rig) -> None:
    """`--allow-acting` lets it stop a bot; the history says that the console's assistant did."""
    bot = await rig.running()
    found = await replies(rig.folder, call("stop_bot", bot=bot.name), mcp="--allow-acting")
    assert not found[1]["isError"]
    assert "console, by an assistant" in found[1]["content"][0]["text"]
    assert not rig.active(bot)


async def test_elsewhere_the_token_says_whether_it_may_act(rig: Rig) -> None:
    """By address and token: one was made with leave, the other wasn't; the flag adds nothing."""
    bot = await rig.running()
    async with serving(rig) as api:
        for name, acting in (("looks", False), ("acts", True)):
            file = rig.folder / name
            file.touch(0o600)
            file.write_text(await token_of(rig, name, Role.OPERATOR, acting=acting))
            there = ("--url", api.url, "--token-file", str(file))
            found = await replies(rig.folder, call("stop_bot", bot=bot.name), options=there)
            assert found[1]["isError"] is not acting
            assert rig.active(bot) is not acting
            ended = await botmaker(rig.folder, *there, "mcp", "--allow-acting", own=True)
            assert ended.status == 2
            assert "the token says it" in ended.err


async def test_without_a_controller_the_assistant_is_told(tmp_path: Path) -> None:
    """A request gets a sentence that says what to do; nothing is written that isn't a message."""
    (tmp_path / "data").mkdir()
    found = await replies(
        tmp_path, message("tools/list"), message("notifications/initialized", None)
    )
    assert "botmaker run" in found[1]["message"]
    assert set(found) == {1}

"""`botmaker mcp`: carries an assistant's messages from standard input to a controller, and back.

What they mean is the controller's business (`api/assistant_door.py`), so this needs nothing but the
standard library, and an assistant always has the tools of the controller that it asks.
"""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, BinaryIO

import click

from controller.cli.controller_client import Door
from controller.cli.outcome import exit_with
from controller.cli.reach import door_of
from controller.domain.errors import ControllerError

PATH = "/mcp"
AT_ONCE = 8  # messages that are carried at the same time
NOT_ANSWERED = -32000  # JSON-RPC's code for a fault of the server
_VERSION = "io.modelcontextprotocol/protocolVersion"


@click.command("mcp")
@click.option(
    *("--allow-acting", "acting"),
    is_flag=True,
    help="Let the assistant start, stop and restart bots as well.",
)
@click.pass_context
def mcp_command(context: click.Context, *, acting: bool) -> None:
    """Serve an assistant over standard input and output. It may only look, unless you allow more.

    With --url the token says what it may: `botmaker token create` has --allow-acting too.
    """

    def work() -> None:
        door = door_of(context)
        if acting and not door.local:
            raise click.UsageError("With --url the token says it: make one with --allow-acting.")
        Bridge(door, sys.stdout.buffer, acting=acting).run(sys.stdin.buffer)

    exit_with(work)


class Bridge:
    """Carries messages, a line each, and writes their replies as they come."""

    def __init__(self, door: Door, out: BinaryIO, *, acting: bool = False) -> None:
        self._door = door
        self._out = out
        self._query = {"acting": "1"} if acting else {}
        self._writing = threading.Lock()

    def run(self, messages: BinaryIO) -> None:
        """Carry all of them, and end when the last has its reply."""
        with ThreadPoolExecutor(AT_ONCE, "message") as threads:
            for line in messages:
                if line.strip():
                    threads.submit(self._carry, line)

    def _carry(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            self._write(_fault(None, -32700, "This isn't JSON."))
            return
        try:
            reply = self._door.tell(PATH, message, _headers(message), **self._query)
        except ControllerError as error:
            ident = message.get("id") if isinstance(message, dict) else None
            reply = b"" if ident is None else _fault(ident, NOT_ANSWERED, str(error))
        if reply:
            self._write(reply)

    def _write(self, reply: bytes) -> None:
        with self._writing:
            self._out.write(reply + b"\n")
            self._out.flush()


def _headers(message: Any) -> Mapping[str, str]:
    """What a message of the present generation has to say in headers too."""
    try:
        params = message["params"]
        found = {"MCP-Protocol-Version": params["_meta"][_VERSION], "Mcp-Method": message["method"]}
    except (KeyError, TypeError):
        return {}
    if message["method"] == "tools/call":
        found["Mcp-Name"] = params.get("name", "")
    return {name: text for name, text in found.items() if isinstance(text, str) and _fits(text)}


def _fits(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _fault(ident: object, code: int, words: str) -> bytes:
    error = {"code": code, "message": words}
    return json.dumps({"jsonrpc": "2.0", "id": ident, "error": error}).encode()

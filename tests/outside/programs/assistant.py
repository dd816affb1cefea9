"""The official client of MCP uses every tool that it is offered, and prints what it was told.

In an environment of its own: `assistant.py stdio PYTHON TOKEN_FILE URL` or `assistant.py http
TOKEN_FILE URL`, with `legacy` or `auto` in front for the generation of the protocol.
"""

import asyncio
import contextlib
import json
import sys
from pathlib import Path

import httpx2
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client

ARGUMENTS = {"bot": "shop", "operation": "1"}


@contextlib.asynccontextmanager
async def over(way, *words):
    """The transport that was asked for."""
    if way == "stdio":
        yield stdio_client(StdioServerParameters(command=words[0], args=words[1:]))
        return
    token_file, url = words
    headers = {"Authorization": f"Bearer {Path(token_file).read_text().strip()}"}
    async with httpx2.AsyncClient(headers=headers, timeout=30) as http:
        yield streamable_http_client(url, http_client=http)


async def main(mode, way, *words):
    """Use the tools, those that act last."""
    async with over(way, *words) as transport, Client(transport, mode=mode) as client:
        tools = (await client.list_tools()).tools
        told = {}
        for tool in tools:
            needed = tool.input_schema["required"]
            done = await client.call_tool(tool.name, {name: ARGUMENTS[name] for name in needed})
            told[tool.name] = {"is_error": done.is_error, "text": done.content[0].text}
        about = {"version": client.session.protocol_version, "says": client.session.instructions}
        print(json.dumps({**about, "told": told}))


asyncio.run(main(*sys.argv[1:]))

"""Live streams of the real process: how late they are, what they cost, and who is dropped.

A hundred readers of the fleet's events while ten bots a second change, twenty followers of a log
that grows by 3,000 lines a second, and five that don't read. All come by the console's socket,
where a person may have more than ten streams; the way behind it is the same.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import socket
import time
from collections.abc import AsyncIterator, Coroutine
from datetime import datetime
from pathlib import Path
from typing import Any

import aiohttp

from bench.engine import IMAGE, cleaned_up
from bench.figure import Figure, percentile
from bench.fleet import seed
from bench.measured_controller import take_lateness
from bench.process import Process
from bench.templates import SECRETS
from tests.loopback import LoopbackDiscord

BOTS, READERS, FOLLOWERS, FROZEN = 50, 100, 20, 5
CHANGES, LINES = 10, 3000  # a second
SECONDS = 15.0
BASE = "http://console/api/v1"
_SECRETS = "\n".join(f'[[secrets]]\nname = "{name}"\nlabel = "{name}"' for name in SECRETS)
# Thirty lines, then a pause of what is left of ten milliseconds.
_PROGRAM = """
i=0
while true; do
  i=$((i+1)); echo "line $i of a log that is written fast, with some text"
  [ $((i % 30)) != 0 ] || usleep 8000
done
"""
_TEMPLATE = f"""
schema = 1
id = "counting"
title = "Counting bot"
description = "Writes a log."
[image]
ref = "{IMAGE}"
pull = "never"
[run]
user = "1000:1000"
entrypoint = ["/bin/sh", "-c", {json.dumps(_PROGRAM)}]
stop_timeout = 1
{_SECRETS}
[[fields]]
name = "greeting"
label = "Greeting"
"""


class _Fleet:
    """One who reads the fleet's events: how late they heard of each change."""

    def __init__(self) -> None:
        self.late: list[float] = []
        self.waiting: dict[str, float] = {}

    async def run(self, session: aiohttp.ClientSession) -> None:
        async with _opened(session, "/events") as answer:
            async for line in answer.content:
                event = json.loads(line)
                if event["event"] != "bot":
                    continue
                sent = self.waiting.pop(event["data"]["id"], None)
                if sent is not None:
                    self.late.append((time.monotonic() - sent) * 1000)


class _Follower:
    """One who follows the log: how late each batch was, and which lines were missing."""

    def __init__(self) -> None:
        self.late: list[float] = []
        self.lines = 0
        self.missing = 0
        self._last = 0

    async def run(self, session: aiohttp.ClientSession, name: str) -> None:
        async with _opened(session, f"/bots/{name}/logs/follow?lines=0") as answer:
            async for line in answer.content:
                event = json.loads(line)
                if event["event"] != "lines":
                    continue
                now, rows = time.time(), event["data"]["lines"]
                for row in rows:
                    number = int(row["text"].split()[1])
                    self.missing += number - self._last - 1 if self._last else 0
                    self._last = number
                self.lines += len(rows)
                for row in (rows[0], rows[-1]):
                    self.late.append((now - datetime.fromisoformat(row["at"]).timestamp()) * 1000)


@contextlib.asynccontextmanager
async def _opened(
    session: aiohttp.ClientSession, path: str
) -> AsyncIterator[aiohttp.ClientResponse]:
    headers = {"Accept": "application/x-ndjson"}
    limit = aiohttp.ClientTimeout(total=None)
    async with session.get(BASE + path, headers=headers, timeout=limit) as answer:
        assert answer.status == 200, await answer.text()
        yield answer


def _frozen(path: Path, name: str) -> socket.socket:
    """One who asks for the log and never reads it."""
    found = socket.socket(socket.AF_UNIX)
    found.connect(str(path))
    asked = f"GET /api/v1/bots/{name}/logs/follow HTTP/1.1\r\nHost: console\r\n\r\n"
    found.sendall(asked.encode())
    return found


def _is_cut(reader: socket.socket) -> bool:
    """Whether the other side ended it, once what had come is read."""
    reader.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        try:
            while reader.recv(1 << 20):
                continue
        except ConnectionError:
            return True
        return True
    return False


async def measure(folder: Path) -> list[Figure]:
    """Open all of it at once, for fifteen seconds."""
    seeded = await seed(folder, BOTS, running=1, template="counting")
    templates = folder / "templates"
    await asyncio.to_thread(templates.mkdir)
    await asyncio.to_thread((templates / "counting.toml").write_text, _TEMPLATE)
    settings = {"BOTMAKER_TEMPLATES_DIR": str(templates), "BOTMAKER_API": "1"}
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(cleaned_up(seeded.instance))
        discord = await stack.enter_async_context(LoopbackDiscord())
        process = Process(discord, folder, settings)
        stack.push_async_callback(process.end)
        await process.start()
        await discord.until(lambda w: len(w.messages(discord.admin_channel_id)) == BOTS, 60)
        await process.until(1, "running", 60)
        path = folder / "data" / "control.sock"
        connector = aiohttp.UnixConnector(str(path), limit=0)
        session = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        return await _measured(session, process, path, folder, seeded.names, seeded.ids)


async def _measured(
    session: aiohttp.ClientSession,
    process: Process,
    path: Path,
    folder: Path,
    names: list[str],
    ids: dict[str, str],
) -> list[Figure]:
    writer, *others = names
    # What is imported and made once, for the first of all, isn't what a stream costs.
    await _read_for(2.0, [_Follower().run(session, writer), _Fleet().run(session)])
    await asyncio.sleep(2)
    take_lateness(folder)
    rested = process.resident
    fleet, log = [_Fleet() for _ in range(READERS)], [_Follower() for _ in range(FOLLOWERS)]
    frozen = [_frozen(path, writer) for _ in range(FROZEN)]
    reading = [one.run(session) for one in fleet] + [one.run(session, writer) for one in log]
    highest: list[float] = []

    async def change() -> None:
        await asyncio.sleep(2)
        number = 0
        while True:
            name = others[number % len(others)]
            sent = time.monotonic()
            for one in fleet:
                one.waiting[ids[name]] = sent
            values = {"values": {"greeting": f"hello {number}"}}
            url = f"{BASE}/bots/{name}/settings"
            async with session.patch(url, json=values, headers={"If-Match": "*"}) as answer:
                assert answer.status == 200, await answer.text()
            number += 1
            highest.append(process.resident)
            await asyncio.sleep(max(0.0, sent + 1 / CHANGES - time.monotonic()))

    await _read_for(SECONDS, [*reading, change()])
    late = take_lateness(folder)
    heard = [one for reader in fleet for one in reader.late]
    lines = [one for reader in log for one in reader.late[4:]]
    cut = sum(_is_cut(one) for one in frozen)
    for one in frozen:
        one.close()
    each = sum(one.lines for one in log) / FOLLOWERS / SECONDS
    return [
        *_latency(f"{READERS} readers of events, {CHANGES} changes/s", heard),
        *_latency(f"{FOLLOWERS} followers of a log", lines, f"{each:.0f} lines/s each"),
        Figure(name="lines that a follower missed", value=sum(one.missing for one in log), unit="",
               target=0, at_most=True, note=f"of {sum(one.lines for one in log)}"),
        Figure(name="memory for all of these streams", value=(max(highest) - rested) * 1e6 / 2**20,
               unit="MiB", target=5, at_most=True, note=f"at rest {rested:.1f} MB"),
        Figure(name="loop lag p99, streaming", value=percentile(late, 99), unit="ms"),
        Figure(name="loop lag max, streaming", value=max(late), unit="ms", target=50, at_most=True,
               note=f"{len(late)} ticks"),
        Figure(name="frozen readers that were not dropped", value=FROZEN - cut, unit="", target=0,
               at_most=True, note=f"of {FROZEN}, within {SECONDS:g} s"),
    ]  # fmt: skip


async def _read_for(seconds: float, work: list[Coroutine[Any, Any, None]]) -> None:
    tasks = [asyncio.ensure_future(one) for one in work]
    await asyncio.wait(tasks, timeout=seconds)
    for task in tasks:
        if task.done():
            task.result()
        task.cancel()
    await asyncio.wait(tasks)


def _latency(name: str, late: list[float], note: str = "") -> list[Figure]:
    return [
        Figure(name=f"{name}, p50", value=percentile(late, 50), unit="ms"),
        Figure(name=f"{name}, p99", value=percentile(late, 99), unit="ms", target=100,
               at_most=True, note=f"{len(late)} times, longest {max(late):.0f} ms; {note}"),
    ]  # fmt: skip

"""Live streams of the real controller with a real engine: killed, resumed, ended in time."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import docker
import pytest

from tests.process.console import botmaker
from tests.process.process import BRISK, Controller, Place, disguises, eventually, open_place

pytestmark = pytest.mark.engine

# Prints its keys in several ways, then counts, some hundred lines a second.
SCRIPT = """
for file in api_key channel_token; do
  key=$(cat /run/secrets/$file); echo "key=$key"; echo "$key"
  echo "$key" | fold -w 9; echo "$key" | base64 | fold -w 7
done
i=0
while true; do
  i=$((i+1)); echo "line $i"
  [ $((i % 10)) != 0 ] || sleep 0.02
done
"""
HEADERS = {"Accept": "application/x-ndjson"}


def counting() -> str:
    """The demo's template with that script for a program."""
    run = f"entrypoint = ['/bin/sh', '-c', {json.dumps(SCRIPT)}]"
    text = BRISK.replace('id = "brisk"', 'id = "counting"', 1)
    return text.replace("[run]", f"[run]\n{run}", 1)


@pytest.fixture
async def town(
    tmp_path: Path, docker_client: docker.APIClient, demo_image: str
) -> AsyncIterator[Place]:
    """A place with the API, and a template whose program counts."""
    async with open_place(tmp_path, docker_client, start=False, BOTMAKER_API="1") as place:
        (tmp_path / "templates" / "counting.toml").write_text(counting())
        await place.controller.start()
        await place.welcomed()
        yield place


async def token(controller: Controller) -> str:
    status, text, err = await botmaker(controller, "token", "create", "reader", "--role", "viewer")
    assert status == 0, err
    return text.strip()


class Reading:
    """What one reader has read of one stream, as often as it was broken off."""

    def __init__(self, controller: Controller, key: str, path: str) -> None:
        self._controller = controller
        self._headers = {**HEADERS, "Authorization": f"Bearer {key}"}
        self._path = path
        self.last = ""
        self.raw = ""
        self.events: list[dict[str, Any]] = []

    @property
    def texts(self) -> list[str]:
        """All lines, as they came."""
        said = [event["data"]["lines"] for event in self.events if event["event"] == "lines"]
        return [line["text"] for lines in said for line in lines]

    @property
    def numbers(self) -> list[int]:
        """The numbers of the lines that count."""
        return [int(text.split()[1]) for text in self.texts if text.startswith("line ")]

    @property
    def names(self) -> set[str]:
        return {event["event"] for event in self.events}

    async def run(self) -> None:
        """Read until the connection breaks."""
        after = {"Last-Event-ID": self.last} if self.last else {}
        url = f"http://127.0.0.1:{self._controller.port}/api/v1{self._path}"
        limit = aiohttp.ClientTimeout(total=None)
        async with aiohttp.ClientSession(timeout=limit) as session:
            async with session.get(url, headers=self._headers | after) as answer:
                assert answer.status == 200, await answer.text()
                with contextlib.suppress(aiohttp.ClientError):
                    async for line in answer.content:
                        event = json.loads(line)
                        self.raw += line.decode()
                        self.last = event["id"] or self.last
                        self.events.append(event)


async def test_a_log_that_is_followed_outlives_a_killed_controller(town: Place) -> None:
    """Neither loses nor repeats a line, over kill -9 and a restart of the bot; no key shows."""
    bot_id = await town.bot("shop", "counting")
    controller = town.controller
    key, path = await token(controller), "/bots/shop/logs/follow?lines=200"
    readings = [Reading(controller, key, path) for _ in range(2)]

    async def on_they_read() -> list[asyncio.Task[None]]:
        before = [len(one.numbers) for one in readings]
        tasks = [asyncio.create_task(one.run()) for one in readings]
        await eventually(
            lambda: all(
                len(one.numbers) > was + 300 for one, was in zip(readings, before, strict=True)
            ),
            20,
        )
        return tasks

    for _ in range(2):
        tasks = await on_they_read()
        await controller.kill()
        await asyncio.gather(*tasks)
        await controller.start()
    tasks = await on_they_read()
    number, began = readings[0].numbers[-1], controller.started_at(bot_id)
    await town.ann.slash("bot restart", name="shop")
    await eventually(lambda: controller.started_at_or_none(bot_id) not in {None, began}, 20)
    await eventually(lambda: all("run" in one.names for one in readings), 20)
    await eventually(lambda: all(300 < one.numbers[-1] < number for one in readings), 20)
    for task in tasks:
        task.cancel()
    for one in readings:
        end = one.numbers.index(1, 1)  # the second run counts from 1 again
        for run in (one.numbers[:end], one.numbers[end:]):
            assert run == list(range(run[0], run[0] + len(run)))
        assert "gap" not in one.names
        for value in controller.entered:
            assert not [d for d in disguises(value) if d in one.raw]
            assert not [d for d in disguises(value) if d in "".join(one.texts)]


async def test_what_changes_is_told_across_a_kill(town: Place) -> None:
    """A snapshot after the new start, and the requests that were made meanwhile, once."""
    await town.bot("shop", "counting")
    controller = town.controller
    key = await token(controller)
    reading = Reading(controller, key, "/events")
    task = asyncio.create_task(reading.run())
    await eventually(lambda: "snapshot" in reading.names)
    await town.ann.slash("bot stop", name="shop")

    def operations() -> list[tuple[str, str]]:
        found = [event["data"] for event in reading.events if event["event"] == "operation"]
        return [(one["act"], one["state"]) for one in found]

    stopped = [("bot.stop", "running"), ("bot.stop", "done")]
    await eventually(lambda: operations() == stopped, 20)
    await controller.kill()
    await task
    await controller.start()
    inv = await town.ann.slash("bot start", name="shop")
    await inv.until(lambda i: "running" in i.text)
    task = asyncio.create_task(reading.run())
    wanted = [*stopped, ("bot.start", "running"), ("bot.start", "done")]
    await eventually(lambda: operations() == wanted, 20)
    snapshots = [event for event in reading.events if event["event"] == "snapshot"]
    assert [one["data"]["bots"][0]["name"] for one in snapshots] == ["shop", "shop"]
    task.cancel()


async def test_a_hundred_open_streams_do_not_delay_the_end(town: Place) -> None:
    """SIGTERM ends all of them, and the process within two seconds."""
    await town.bot("shop", "counting")
    controller = town.controller
    key = await token(controller)
    async with contextlib.AsyncExitStack() as stack:
        connector = aiohttp.UnixConnector(str(controller.data / "control.sock"), limit=0)
        console = await stack.enter_async_context(aiohttp.ClientSession(connector=connector))
        http = await stack.enter_async_context(aiohttp.ClientSession())
        limit = aiohttp.ClientTimeout(total=None)
        answers = []
        for number in range(100):
            path = "/api/v1/bots/shop/logs/follow" if number % 5 == 0 else "/api/v1/events"
            by_http = number < 10
            base = f"http://127.0.0.1:{controller.port}" if by_http else "http://console"
            headers = {"Authorization": f"Bearer {key}"} if by_http else {}
            asked = (http if by_http else console).get(base + path, headers=headers, timeout=limit)
            answers.append(await stack.enter_async_context(asked))
        assert {answer.status for answer in answers} == {200}
        began = time.monotonic()
        assert await controller.stop() == 0
        assert time.monotonic() - began < 2
        for answer in answers:
            with contextlib.suppress(aiohttp.ClientError):
                assert b'"shutting-down"' in (await answer.read())[-200:]

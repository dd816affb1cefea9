"""A thousand events a second: commands are answered, and Discord is asked no more than it allows.

In this process, on an engine in memory and a loopback Discord with a channel's real limit of edits.
Four seconds in the short form (make test), thirty in full (make prove).
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import resource
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from discord.gateway import DiscordWebSocket
from discord.http import Route
from pydantic import SecretStr

from controller.app import Application, open_application
from controller.chat import redirect_discord, run_client
from controller.domain.access import discord_user
from controller.domain.observation import ContainerState, Health
from controller.fleet.journal import Caller
from controller.manager.lifecycle import Order
from controller.runtime.memory import MemoryRuntime
from controller.settings import Settings
from controller.vault import Redactor
from tests.loopback import LoopbackDiscord, Person
from tests.prove.tally import Tally

EACH_SECOND, STEP = 1000, 0.02
EDITS, EDITS_SECONDS = 5, 5.0  # Discord's, for one channel
SPACING = 2.0  # seconds between two edits of one message
ANSWER_SECONDS = 1.0
GROWN_MOST = 30  # MB, of which the test's own record of requests is a part
PLAIN = """
schema = 1
id = "plain"
title = "Plain bot"
image = { ref = "example/plain:1", pull = "never" }
run = { user = "1000:1000" }
health = { test = ["CMD", "/bin/check"] }
"""


@contextlib.asynccontextmanager
async def running(
    folder: Path, world: LoopbackDiscord, ann: Person
) -> AsyncIterator[tuple[Application, MemoryRuntime]]:
    """BotMaker on that Discord, with bots that run."""
    templates = folder / "templates"
    await asyncio.to_thread(templates.mkdir)
    await asyncio.to_thread((templates / "plain.toml").write_text, PLAIN)
    settings = Settings(
        _env_file=None,  # type: ignore[call-arg]  # pydantic-settings' own
        discord_token=SecretStr(world.token),
        guild_id=world.guild_id,
        admin_channel_id=world.admin_channel_id,
        admin_user_ids=(ann.id,),
        data_dir=folder / "data",
        secrets_dir=folder / "secrets",
        templates_dir=templates,
        http_listen="",
    )
    runtime = MemoryRuntime(images=["example/plain:1"])
    before = Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY
    redirect_discord(world.api_url, world.gateway_url)
    try:
        async with open_application(settings, Redactor(), runtime=runtime) as application:
            work = [
                asyncio.create_task(application.run_background()),
                asyncio.create_task(run_client(application.client, world.token)),
            ]
            try:
                yield application, runtime
            finally:
                for task in work:
                    task.cancel()
                await asyncio.gather(*work, return_exceptions=True)
    finally:
        Route.BASE, DiscordWebSocket.DEFAULT_GATEWAY = before


async def flood(runtime: MemoryRuntime, ids: list[str], seconds: float) -> int:
    """Let that many events come, evenly; health comes and goes, and a program ends now and then."""
    begin, sent = time.monotonic(), 0
    health = itertools.cycle([Health.UNHEALTHY, Health.HEALTHY])
    turns = itertools.cycle(ids)
    while (passed := time.monotonic() - begin) < seconds:
        for _ in range(int(passed * EACH_SECOND) - sent):
            bot_id = next(turns)
            sent += 1
            runs = runtime.containers[bot_id].seen.state is ContainerState.RUNNING
            if runs and sent % 500 == 0:
                runtime.crash(bot_id, 1)
            elif runs and sent % 21 == 0:
                runtime.set_health(bot_id, next(health))
            else:
                runtime.emit(bot_id, "exec_start: /bin/check")
        await asyncio.sleep(STEP)
    return sent


async def asked(ann: Person, until: float) -> list[float]:
    """How long each command took to be answered in full."""
    took = []
    while time.monotonic() < until:
        began = time.monotonic()
        answer = await ann.slash("bot list")
        await answer.until(lambda i: i.message is not None and not i.message.loading)
        took.append(time.monotonic() - began)
        await asyncio.sleep(0.3)
    return took


@pytest.mark.timeout(120)
@pytest.mark.parametrize("bots", [1, 10], ids="of {} bots".format)
async def test_a_thousand_events_a_second_hold_up_nobody(
    tmp_path: Path, tally: Tally, bots: int
) -> None:
    """Each command is answered within a second, each message is edited at most every 2 s, Discord
    never has to refuse, and memory is as it was. With one bot its message's own pace counts, with
    ten the channel's limit."""
    seconds = float(tally.pick(4, 30))
    async with LoopbackDiscord() as world:
        ann = world.person("ann")
        async with running(tmp_path, world, ann) as (application, runtime):
            await world.until(lambda w: w.messages(w.admin_channel_id), 20)
            caller = Caller(discord_user(ann.id, "ann"))
            orders = (Order(name=f"bot-{n}", template="plain") for n in range(bots))
            lifecycle = application.manager.lifecycle
            ids = [(await lifecycle.create(caller, order)).id for order in orders]
            while not all(bot_id in runtime.containers for bot_id in ids):
                await asyncio.sleep(0.02)
            for bot_id in ids:
                await application.installation.tools.fleet.wait_for(
                    bot_id, lambda view: view is not None and view.world.container is not None, 10
                )
            world.buckets.count, world.buckets.seconds = EDITS, EDITS_SECONDS
            before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
            first = len(world.requests)
            sent, took = await asyncio.gather(
                flood(runtime, ids, seconds), asked(ann, time.monotonic() + seconds)
            )
            grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
            requests = world.requests[first:]
    assert sent >= 0.9 * EACH_SECOND * seconds
    assert len(took) > seconds
    assert max(took) <= ANSWER_SECONDS, took
    edits: dict[str, list[float]] = defaultdict(list)
    for one in requests:
        if one.method == "PATCH" and one.path.startswith(f"/channels/{world.admin_channel_id}/"):
            edits[one.path].append(one.time)
    assert edits, "nothing was edited"
    for times in edits.values():
        pauses = [b - a for a, b in itertools.pairwise(times)]
        assert all(pause >= SPACING - 0.1 for pause in pauses), pauses
    assert world.buckets.exceeded == 0
    assert not [one for one in requests if one.status == 429]
    assert grown < GROWN_MOST
    tally.tried["events a second for some seconds"] += sent

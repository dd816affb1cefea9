"""An installation in memory whose courier runs fast, by a clock that a test can move."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from controller.domain.journal import Entry, Kind
from controller.domain.webhooks import DeadLetter, Format, Pace, Timing, Webhook
from controller.manager.webhooks import AddedWebhook, WebhookOrder
from controller.services import Postman
from tests.manager.rig import ANN_ASKS, Rig, eventually
from tests.webhooks.receiver import Receiver

DAY = 86_400.0
CRASHED = {"exit_code": 1, "oom_killed": False}
PACE = Pace(first=0.001, most=0.01, asked_most=0.3)


@dataclass
class Clock:
    """The controller's clock."""

    now: float = field(default_factory=time.time)

    def __call__(self) -> float:
        return self.now


@dataclass
class Post:
    """The installation, its clock, and whoever works with its webhooks."""

    rig: Rig
    clock: Clock = field(default_factory=Clock)
    work: asyncio.Task[None] | None = None

    async def begin(self) -> None:
        """Open the installation and deliver."""
        self.rig.timing = Timing(clock=self.clock, chance=lambda: 0.5, pace=PACE)
        self.rig.postman = Postman(seconds=1.0)
        await self.rig.open()
        self.work = asyncio.create_task(self.rig.house.courier.run())

    async def end(self) -> None:
        """End it wherever it stands."""
        assert self.work is not None
        self.work.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.work
        await self.rig.kill()

    async def restart(self) -> None:
        """A new controller over what the former one left."""
        await self.end()
        await self.begin()

    async def add(
        self,
        receiver: Receiver,
        name: str = "ops",
        *events: str,
        form: Format | None = None,
    ) -> AddedWebhook:
        """A webhook that leads to this receiver."""
        order = WebhookOrder(name=name, url=receiver.url, format=form, events=events)
        return await self.rig.manager.webhooks.add(ANN_ASKS, order)

    async def happen(
        self, count: int = 1, *, kind: Kind = Kind.CRASH, data: Mapping[str, Any] = CRASHED
    ) -> list[int]:
        """So many crashes of a bot, now by the clock; the numbers of their entries."""
        entry = Entry(at=self.clock(), kind=kind, bot_id="b", bot_name="shop", data=data)
        async with self.rig.store.transaction() as write:
            return [(await write.append(entry)).seq for _ in range(count)]

    async def row(self, name: str = "ops") -> Webhook:
        """The webhook as the database has it."""
        found = [one for one in await self.rig.store.webhooks() if one.name == name]
        assert found, f"no webhook {name}"
        return found[0]

    async def dead(self, name: str = "ops") -> list[DeadLetter]:
        """What was given up, oldest first."""
        return (await self.rig.manager.webhooks.dead_letters(ANN_ASKS, name))[::-1]

    async def until(self, settled: int, name: str = "ops", seconds: float = 20.0) -> Webhook:
        """Wait until everything up to that entry is settled."""
        async with asyncio.timeout(seconds):
            while (found := await self.row(name)).cursor < settled:
                await asyncio.sleep(0.005)
        return found


@pytest.fixture
async def post(tmp_path: Path) -> AsyncIterator[Post]:
    """An installation whose courier runs."""
    post = Post(Rig(tmp_path))
    await post.begin()
    yield post
    await post.end()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver that takes everything unless it is told otherwise."""
    async with Receiver() as found:
        yield found


async def taken(receiver: Receiver, count: int) -> list[int]:
    """Wait until it took so many; the numbers of the entries, in the order in which they came."""
    await eventually(lambda: len(receiver.taken) >= count, f"{count} events arrive", 20.0)
    return [one.number for one in receiver.taken]

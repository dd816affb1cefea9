"""A place on a private engine, and what the engine fault tests ask of it."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from docker.errors import NotFound

from tests.loopback import Invocation
from tests.process.process import Place, eventually, open_place
from tests.prove.engine_door import Door
from tests.prove.private_engine import PrivateEngine

FALSE = ("— removed", "Nothing is left", "crash", "Crash")
IN_TIME = 3.0  # Discord's own limit


class Shop:
    """A place whose bots run on a private engine, perhaps through a proxy."""

    def __init__(self, engine: PrivateEngine, place: Place, door: Door | None) -> None:
        self.engine = engine
        self.place = place
        self._door = door

    @property
    def door(self) -> Door:
        assert self._door is not None, "open_shop(..., through_door=True)"
        return self._door

    async def bots(self, *names: str) -> list[str]:
        """Create running bots of these names, all at once; returns their ids."""
        for name in names:
            await self.place.create(name)
            await self.place.submit(await self.place.open_form(name))
        for name in names:
            await self.place.card_says(name, "— running")
        return [self.place.controller.bot_id(name) for name in names]

    def run_of(self, bot_id: str) -> tuple[int, str]:
        """Pid and StartedAt, which stay the same as long as nothing touches the bot."""
        seen = self.engine.client.inspect_container(f"botmaker-{bot_id}")["State"]
        assert seen["Running"], seen
        return seen["Pid"], seen["StartedAt"]

    def runs_anew(self, bot_id: str, former: tuple[int, str]) -> bool:
        """Whether the bot is in a later run than that one."""
        try:
            seen = self.engine.client.inspect_container(f"botmaker-{bot_id}")["State"]
        except NotFound:
            return False
        return seen["Running"] and seen["StartedAt"] != former[1]

    async def knows(self, *, reachable: bool, within: float) -> float:
        """Wait until the health page says so; returns the seconds that took."""
        began = time.monotonic()
        deadline = began + within
        while True:
            health = await self.place.controller.health()
            if health["engine"]["reachable"] is reachable:
                return time.monotonic() - began
            assert time.monotonic() < deadline, f"not within {within:g} s: {health}"
            await asyncio.sleep(0.05)

    async def asks(self, name: str, *, words: str = "", within: float = 10.0) -> list[Invocation]:
        """Send all read-only commands at once: each is answered within Discord's limit, and the
        list and the bot's page end up with these words."""
        asked = {
            "bot list": {},
            "bot show": {"name": name},
            "bot history": {"name": name},
            "fleet status": {},
            "bot logs": {"name": name},
        }
        found = {}
        for command, options in asked.items():
            found[command] = await self.place.ann.slash(command, **options)
            await found[command].wait(IN_TIME)
        for command, inv in found.items():
            wanted = words if command in {"bot list", "bot show"} else ""
            await inv.until(lambda i, w=wanted: not i.message.loading and w in i.text, within)
        return list(found.values())

    def tells(self, name: str) -> str:
        """Everything that was ever public about a bot, including what was edited away."""
        wanted = f"**{name}**"
        return "\n".join(
            line for line in self.place.world.traffic_text("from_bot").splitlines()
            if wanted in line
        )  # fmt: skip

    def nothing_false(self, *names: str) -> None:
        """Nobody was told of a crash or a removal, and the journal has no crash."""
        for name in names:
            said = self.tells(name)
            assert said
            assert not [word for word in FALSE if word in said], said[-1500:]
        controller = self.place.controller
        assert controller.rows("SELECT * FROM crash") == []
        assert controller.noted("crash") == []
        assert controller.noted("problem") == []

    def ends(self, act: str) -> list[Any]:
        return self.place.controller.ends(act)


@contextlib.asynccontextmanager
async def open_shop(
    engine: PrivateEngine, folder: Path, *, live_restore: bool = False, through_door: bool = False
) -> AsyncIterator[Shop]:
    """A shop on an engine that answers; the engine answers again at its end."""
    await asyncio.to_thread(engine.ensure, live_restore=live_restore)
    door = Door(folder / "door.sock", engine.socket) if through_door else None
    if door is not None:
        await door.open()
    home = folder / "place"
    home.mkdir()
    url = door.url if door is not None else engine.url
    try:
        async with open_place(home, engine.client, DOCKER_HOST=url) as place:
            try:
                yield Shop(engine, place, door)
            finally:
                await asyncio.to_thread(engine.ensure, live_restore=live_restore)
                if door is not None:
                    door.deaf, door.delay = False, 0.0
    finally:
        if door is not None:
            await door.close()


async def running_anew(
    shop: Shop, former: dict[str, tuple[int, str]], seconds: float = 10.0
) -> None:
    """Wait until every bot is in a later run than the given one."""
    for bot_id, run in former.items():
        await eventually(lambda b=bot_id, r=run: shop.runs_anew(b, r), seconds)  # type: ignore[misc]

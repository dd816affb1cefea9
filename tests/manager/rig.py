"""A controller without Discord: in-memory runtime, real database, real secret files."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from controller.catalog import load
from controller.domain.access import Person
from controller.domain.bot import Bot, Wish
from controller.domain.names import is_bot_id
from controller.domain.observation import Health
from controller.domain.phase import Phase
from controller.manager import Manager, Parts, build
from controller.manager.access import StaticGrants
from controller.manager.audit import Asker
from controller.manager.fleet import View
from controller.manager.hostpaths import HostPaths
from controller.manager.lifecycle import Order
from controller.runtime import Runtime
from controller.runtime.memory import MemoryRuntime
from controller.services import LiveChecks
from controller.store import Store
from controller.vault import Fingerprints, Redactor, Vault

ANN = Person(1, name="ann")
BEN = Person(2, name="ben")
ANN_ASKS = Asker(ANN)
API_KEY = "fake-provider-key-1"
TOKEN = "fake-channel-token-1"
SECRETS = {"api_key": API_KEY, "channel_token": TOKEN}
DEMO_IMAGE = "botmaker-demo:1"
WRITES = {
    *("create", "start", "stop", "restart", "remove", "remove_volume"),
    *("execute", "rehearse"),
}

# Like the demo template without its healthcheck, so that what runs is healthy at once.
PLAIN = """
schema = 1
id = "plain"
title = "Plain bot"
image = { ref = "example/plain:1", pull = "never" }
run = { user = "1000:1000", stop_timeout = 1, restart = "%s", fatal_exit_codes = [78] }
state = { path = "/data" }

[providers.demo]
title = "Demo provider"
models = ["small"]
[[providers.demo.secrets]]
name = "api_key"
label = "API key"
pattern = '^[\\w.:-]{8,200}$'

[channels.demo]
title = "Demo channel"
[[channels.demo.secrets]]
name = "channel_token"
label = "Channel token"
pattern = '^[\\w.:-]{8,200}$'
"""


async def eventually(true: Callable[[], Any], why: str = "", seconds: float = 5.0) -> None:
    """Wait until something is so; fail when it does not become so."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, f"it did not become so: {why or true}"
        await asyncio.sleep(0.002)


class Gate:
    """A runtime with somebody at its door: `before` and `after` hear of every write's name."""

    def __init__(
        self,
        runtime: MemoryRuntime,
        before: Callable[[str], Awaitable[None]] | None = None,
        after: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        self._runtime = runtime
        self._before = before
        self._after = after

    def __getattr__(self, name: str) -> Any:
        call = getattr(self._runtime, name)
        if name not in WRITES:
            return call

        async def guarded(*args: Any) -> Any:
            if self._before is not None:
                await self._before(name)
            answer = await call(*args)
            if self._after is not None:
                await self._after(name)
            return answer

        return guarded


class Rig:
    """One installation: its disk and its engine outlive the managers that come and go."""

    def __init__(self, folder: Path, restart: str = "unless-stopped") -> None:
        self.folder = folder
        self.data, self.secrets = folder / "data", folder / "secrets"
        self.templates = folder / "templates"
        for place in (self.data, self.templates):
            place.mkdir()
        self.template(PLAIN % restart)
        self.runtime = MemoryRuntime(images=(DEMO_IMAGE, "example/plain:1"))
        self.door: Runtime = self.runtime
        self.live = LiveChecks(enabled=False)
        self.manager: Manager
        self._work: asyncio.Task[None] | None = None
        self._names = (f"bot-{number}" for number in itertools.count(1))

    def template(self, text: str, name: str = "plain") -> None:
        """Put a template beside the built-in ones, for the next manager."""
        (self.templates / f"{name}.toml").write_text(text)

    async def open(self) -> None:
        """Open a manager, loaded and not yet running."""
        store = await Store.open(self.data)
        vault = Vault(self.secrets)
        await asyncio.to_thread(vault.open)
        self.manager = build(
            Parts(
                instance=await store.instance(),
                store=store,
                catalog=load(self.templates),
                vault=vault,
                redactor=Redactor(),
                fingerprints=Fingerprints(b"k" * 32),
                runtime=self.door,
                host=HostPaths(),
                data_dir=self.data,
                static_grants=StaticGrants(admin_users=(ANN.user_id,)),
                live=self.live,
            )
        )
        await self.manager.load()

    def run(self) -> None:
        """Let the manager converge and watch."""
        self._work = asyncio.create_task(self.manager.run())

    async def kill(self) -> None:
        """End the manager wherever it stands, as a crash of the controller would."""
        if self._work is not None:
            self._work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._work
            self._work = None
        self.manager.disk.close()
        await self.manager.store.close()

    async def restart(self) -> None:
        """A new controller over what the former one left."""
        await self.kill()
        await self.open()
        self.run()

    # What people do

    async def create(self, template: str = "plain", name: str | None = None) -> Bot:
        """A new bot that waits for its secrets."""
        order = Order(name=name or next(self._names), template=template)
        return await self.manager.lifecycle.create(ANN_ASKS, order)

    async def submit(self, bot: Bot, *, rotate: bool = False, **values: str) -> None:
        """Give a bot its secrets through a form."""
        credentials = self.manager.credentials
        form = await credentials.open_form(ANN_ASKS, bot, rotate=rotate)
        await credentials.submit(ANN_ASKS, form.id, 0, values or SECRETS)

    async def running(self, template: str = "plain") -> Bot:
        """A bot with its secrets that runs and is settled."""
        bot = await self.create(template)
        await self.submit(bot)
        await eventually(lambda: self.active(bot), "the new bot runs")
        if template == "demo":
            self.runtime.set_health(bot.id, Health.HEALTHY)
        await self.becomes(bot, Phase.RUNNING)
        return bot

    # What is seen

    def view(self, bot: Bot) -> View:
        """How the bot is shown."""
        view = self.manager.fleet.get(bot.id)
        assert view is not None, "the bot is gone"
        return view

    def active(self, bot: Bot) -> bool:
        """Whether the bot's container runs, in truth."""
        held = self.runtime.containers.get(bot.id)
        return held is not None and held.seen.state.active

    def run_of(self, bot: Bot) -> str:
        """The name of the container's present run, in truth."""
        return self.runtime.containers[bot.id].seen.started_at

    async def becomes(self, bot: Bot, phase: Phase, seconds: float = 5.0) -> View:
        """Wait for a phase."""
        view = await self.manager.fleet.wait(
            bot.id, lambda v: v is not None and v.phase is phase, seconds
        )
        shown = view and (view.phase, view.bot.problem, view.world)
        assert view is not None, f"{bot.name} is gone"
        assert view.phase is phase, f"wanted {phase}, got {shown}"
        return view

    async def gone(self, bot: Bot) -> None:
        """Wait until nothing is left of the bot, anywhere."""
        await eventually(lambda: self.manager.fleet.get(bot.id) is None, "the row goes")
        assert bot.id not in self.runtime.containers
        assert bot.id not in self.runtime.volumes
        assert not (self.secrets / bot.id).exists()
        assert not (self.data / "files" / bot.id).exists()
        assert bot.id not in {kept.id for kept in await self.manager.store.bots()}

    def at_rest(self) -> bool:
        """Whether the world is as wished, for every bot that no problem holds back."""
        return all(self._is_as_wished(view) for view in self.manager.fleet)

    def _is_as_wished(self, view: View) -> bool:
        bot, active = view.bot, self.active(view.bot)
        owes = bot.ended_run or bot.reload_run
        if bot.wish is Wish.REMOVE or owes or not (view.seen and view.phase.settled):
            return False
        if bot.wish is Wish.STOP or bot.problem is not None:
            return not active
        needed = self.manager.blueprints.required_secrets(bot)
        complete = all((self.secrets / bot.id / name).exists() for name in needed)
        return active == complete and active is not (view.phase is Phase.CREATED)

    def secrets_on_disk(self) -> set[str]:
        """The ids of the bots whose secrets are on the disk."""
        return {name for name in os.listdir(self.secrets) if is_bot_id(name)}

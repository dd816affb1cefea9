"""A controller without Discord: in-memory runtime, real database, real secret files."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from controller.catalog import load
from controller.domain.access import SYSTEM, discord_user
from controller.domain.bot import Bot, Wish
from controller.domain.journal import Entry, Kind
from controller.domain.names import is_bot_id
from controller.domain.observation import Health
from controller.domain.phase import Phase
from controller.domain.webhooks import Timing
from controller.fleet.hostpaths import HostPaths
from controller.fleet.journal import Caller
from controller.fleet.views import Fleet, View
from controller.loop import Loop
from controller.manager import Installation, Manager, Parts, build
from controller.manager.access import StaticGrants
from controller.manager.backups import Plan
from controller.manager.credentials import Submitted
from controller.manager.edits import Edited
from controller.manager.history import Choice, Event, events
from controller.manager.lifecycle import Order
from controller.runtime import Runtime
from controller.runtime.memory import MemoryRuntime
from controller.services import LiveChecks, Postman
from controller.store import Store
from controller.vault import AtRest, Fingerprints, Redactor, SealKey, Vault, journal_key, masters

ANN = discord_user(1, "ann")  # an admin by the settings
BEN = discord_user(2, "ben")  # nobody, until somebody grants him a role
ANN_ASKS = Caller(ANN)
BEN_ASKS = Caller(BEN)
SYSTEM_ASKS = Caller(SYSTEM)
INSTALL_KEY = b"k" * 32
KEY = journal_key(INSTALL_KEY)  # of the journal's chain
API_KEY = "fake-provider-key-1"
TOKEN = "fake-channel-token-1"
SECRETS = {"api_key": API_KEY, "channel_token": TOKEN}
DEMO_IMAGE = "botmaker-demo:2"
WRITES = {
    *("create", "start", "rename", "stop", "restart", "remove", "remove_volume", "let_go"),
    *("keep_images", "park", "unpark", "reseed", "remove_previous"),
    *("execute", "rehearse", "save_state", "fill_state"),
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

        async def guarded(*args: Any, **named: Any) -> Any:
            if self._before is not None:
                await self._before(name)
            answer = await call(*args, **named)
            if self._after is not None:
                await self._after(name)
            return answer

        return guarded


OPEN: set[Rig] = set()  # the installations in use: a test that fails prints their stories


class Rig:
    """One installation: its disk and its engine outlive the controllers that come and go."""

    def __init__(self, folder: Path, restart: str = "unless-stopped") -> None:
        self.sealed_only = False
        self.folder = folder
        self.data, self.secrets = folder / "data", folder / "secrets"
        self.templates = folder / "templates"
        for place in (self.data, self.templates):
            place.mkdir()
        self.template(PLAIN % restart)
        self.runtime = MemoryRuntime(images=(DEMO_IMAGE, "example/plain:1"))
        self.door: Runtime = self.runtime
        self.live = LiveChecks(enabled=False)
        self.own_tokens: frozenset[str] = frozenset()
        self.postman, self.timing = Postman(), Timing()
        self.backups = Plan()
        self.static = StaticGrants(admin_users=(int(ANN.id),))
        self.house: Installation
        self.store: Store
        self._work: asyncio.Task[None] | None = None
        self._names = (f"bot-{number}" for number in itertools.count(1))

    @property
    def manager(self) -> Manager:
        """What people ask, of the present controller."""
        return self.house.manager

    @property
    def loop(self) -> Loop:
        """What makes wishes come true, in the present controller."""
        return self.house.loop

    @property
    def fleet(self) -> Fleet:
        """The views of the present controller."""
        return self.house.tools.fleet

    def template(self, text: str, name: str = "plain") -> None:
        """Put a template beside the built-in ones, for the next controller."""
        (self.templates / f"{name}.toml").write_text(text)

    async def open(self) -> None:
        """Open a controller, loaded and not yet running."""
        self.store = await Store.open(self.data, KEY)
        vault = Vault(self.secrets)
        await asyncio.to_thread(vault.open)
        keys, instance = masters(self.data), await self.store.instance()
        self.house = build(
            Parts(
                at_rest=AtRest(keys),
                seal_key=SealKey(keys[0], instance),
                sealed_only=self.sealed_only,
                instance=instance,
                store=self.store,
                catalog=load(self.templates),
                vault=vault,
                redactor=Redactor(),
                fingerprints=Fingerprints(INSTALL_KEY),
                runtime=self.door,
                host=HostPaths(),
                data_dir=self.data,
                static_grants=self.static,
                live=self.live,
                own_tokens=self.own_tokens,
                postman=self.postman,
                timing=self.timing,
                key=INSTALL_KEY,
                templates_dir=self.templates,
                backups=self.backups,
            )
        )
        await self.house.load()
        OPEN.add(self)

    def run(self) -> None:
        """Let the controller converge and watch."""
        self._work = asyncio.create_task(self.loop.run())

    async def end_loop(self) -> None:
        """Let the controller converge and watch no longer, as at an orderly end."""
        if self._work is not None:
            self._work.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._work
            self._work = None

    async def kill(self) -> None:
        """End the controller wherever it stands, as a crash would: nothing is completed first."""
        OPEN.discard(self)
        for change in tuple(self.house.tools.wishes._changes):
            change.cancel()
        await self.end_loop()
        await self.manager.credentials.close()
        await self.manager.feed.close()
        await self.manager.update_checks.close()
        self.house.tools.threads.close()
        await self.store.close()

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

    async def form(self, bot: Bot, *, rotate: bool = False) -> str:
        """A fresh form for the bot; its id."""
        form = await self.manager.credentials.open_form(ANN_ASKS, bot, rotate=rotate)
        return form.id

    async def fill_in(
        self,
        form_id: str,
        values: Mapping[str, str],
        *,
        names: Iterable[str] | None = None,
        last: bool = True,
    ) -> Submitted:
        """Send one page of a form: the inputs of these names, or all of them."""
        credentials = self.manager.credentials
        if names is None:
            names = [spec.name for spec in (await credentials.form(ANN_ASKS, form_id)).inputs]
        return await credentials.submit(ANN_ASKS, form_id, names, values, last=last)

    async def submit(self, bot: Bot, *, rotate: bool = False, **values: str) -> Submitted:
        """Give a bot its secrets through a form of one page."""
        form_id = await self.form(bot, rotate=rotate)
        return await self.fill_in(form_id, values or SECRETS)

    async def edit(self, bot: Bot, **values: str) -> Edited:
        """Change these settings of a bot."""
        return await self.manager.edits.submit(ANN_ASKS, bot, values, values)

    async def running(self, template: str = "plain") -> Bot:
        """A bot with its secrets that runs and is settled."""
        bot = await self.create(template)
        await self.submit(bot)
        await eventually(lambda: self.active(bot), "the new bot runs")
        if template == "demo":
            self.runtime.set_health(bot.id, Health.HEALTHY)
        await self.becomes(bot, Phase.RUNNING)
        return bot

    def poke(self, bot: Bot) -> None:
        """Have the bot looked at."""
        self.house.tools.queue.poke(bot.id)

    # What is seen

    def view(self, bot: Bot) -> View:
        """How the bot is shown."""
        view = self.fleet.get(bot.id)
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
        view = await self.fleet.wait_for(
            bot.id, lambda v: v is not None and v.phase is phase, seconds
        )
        shown = view and (view.phase, view.bot.problem, view.world)
        assert view is not None, f"{bot.name} is gone"
        assert view.phase is phase, f"wanted {phase}, got {shown}"
        return view

    async def gone(self, bot: Bot) -> None:
        """Wait until nothing is left of the bot, anywhere."""
        await eventually(lambda: self.fleet.get(bot.id) is None, "the row goes")
        assert bot.id not in self.runtime.containers
        assert bot.id not in self.runtime.volumes
        assert not (self.secrets / bot.id).exists()
        assert not (self.data / "files" / bot.id).exists()
        assert bot.id not in {kept.id for kept in await self.store.bots()}

    async def history(self, bot: Bot | None = None) -> list[Event]:
        """What people read in the history, newest first."""
        return await events(self.store, bot.id if bot else "", Choice(refusals=True, limit=100))

    async def entries(self, *kinds: Kind, bot: Bot | None = None) -> list[Entry]:
        """The journal's entries of these kinds, newest first."""
        return await self.store.entries(bot.id if bot else "", kinds or tuple(Kind), limit=1000)

    def at_rest(self) -> bool:
        """Whether the world is as wished, for every bot that no problem holds back."""
        return all(self._is_as_wished(view) for view in self.fleet)

    def _is_as_wished(self, view: View) -> bool:
        bot, active = view.bot, self.active(view.bot)
        # While somebody else's container hides a bot's own, nobody can tell whether a run is over.
        owes = bot.run.owes and (active or not view.world.hidden)
        if bot.wish is Wish.REMOVE or owes or not (view.seen and view.phase.settled):
            return False
        if bot.wish is Wish.STOP or bot.problem is not None:
            return not active
        complete = self.has_secrets(bot)
        return active == complete and active is not (view.phase is Phase.CREATED)

    def config_of(self, bot: Bot) -> Path:
        """The rendered config that the bot's container has."""
        (place, _), *_ = self.runtime.containers[bot.id].spec.config_mounts
        (file,) = Path(place).iterdir()
        return file

    def has_secrets(self, bot: Bot) -> bool:
        """Whether every secret that the bot needs is on the disk."""
        needed = self.house.tools.blueprints.required_secrets(bot)
        return all((self.secrets / bot.id / name).exists() for name in needed)

    def secrets_on_disk(self) -> set[str]:
        """The ids of the bots whose secrets are on the disk."""
        return {name for name in os.listdir(self.secrets) if is_bot_id(name)}

    def stories(self) -> str:
        """The story of every bot, for whoever reads why a test failed."""
        told = []
        for view in self.fleet:
            lines = self.loop.stories.of(view.bot.id)
            told.append(f"{view.bot.name} ({view.bot.id}), {view.phase}, held up: {view.held_up!r}")
            told += [f"  {line}" for line in lines]
        return "\n".join(told)

"""The controller as a separate process, and the place that it serves.
Next door: conftest.py creates these for a test; ../loopback is the Discord that they talk to."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import secrets
import signal
import socket
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import aiohttp
import docker
from docker.errors import NotFound

from tests.conftest import ROOT, remove_everything_of
from tests.loopback import Invocation, LoopbackDiscord, Message, Modal, Person, payloads
from tests.process import fork_server
from tests.process.fork_server import Forked
from tests.process.records import Records

# The built-in demo without its health check: it counts as running as soon as its process runs.
BRISK = (ROOT / "controller/catalog/builtin/demo.toml").read_text()
BRISK = BRISK.replace('id = "demo"', 'id = "brisk"', 1)
_HEAD, _, _TAIL = BRISK.partition("[health]")
BRISK = _HEAD + _TAIL[_TAIL.index("[providers") :]
TROUBLE = ("Traceback", "incident ", "never retrieved", "Unclosed", " ERROR ")


async def eventually(check: Callable[[], Any], seconds: float = 10.0) -> Any:
    """Wait until the check returns something true, and return that.

    It is checked less and less often, 8 times a second at last: most checks ask the engine, which
    has other tests to serve.
    """
    deadline, pause = time.monotonic() + seconds, 0.02
    while not (found := check()):
        if time.monotonic() > deadline:
            raise AssertionError(f"not so within {seconds:g} s")
        await asyncio.sleep(pause)
        pause = min(pause * 1.3, 0.125)
    return found


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def a_secret() -> str:
    """A unique value that a demo bot accepts, and that URL-encoding changes."""
    return f"v:{secrets.token_urlsafe(15)}"


def disguises(value: str) -> list[str]:
    """The value as it is, URL-encoded, as hex, and in base64 at each of the three offsets."""
    raw = value.encode()
    found = [value, quote(value, safe=""), raw.hex()]
    for offset in range(3):
        inner = raw[(3 - offset) % 3 :]
        inner = inner[: len(inner) // 3 * 3]
        found += [base64.b64encode(inner).decode(), base64.urlsafe_b64encode(inner).decode()]
    return found


class Controller(Records):
    """`python -m controller run`: starts, stops, kills it; reads its files and what it made."""

    def __init__(self, world: LoopbackDiscord, engine: docker.APIClient, folder: Path) -> None:
        self.world = world
        self.engine = engine
        self.folder = folder
        self.data = folder / "data"
        self.secrets_dir = folder / "secrets"
        self.log_path = folder / "log.txt"
        self.port = free_port()
        self.entered: list[str] = []  # every secret value that a person typed
        self.process: asyncio.subprocess.Process | Forked | None = None
        self.fresh = False  # whether it starts from nothing, or as a fork of what has imported all
        keep = {k: v for k, v in os.environ.items() if k in {"PATH", "HOME", "DOCKER_HOST"}}
        self.env: dict[str, str] = keep | {
            "PYTHONPATH": str(ROOT),
            "BOTMAKER_DISCORD_TOKEN": world.token,
            "BOTMAKER_GUILD_ID": str(world.guild_id),
            "BOTMAKER_ADMIN_CHANNEL_ID": str(world.admin_channel_id),
            "BOTMAKER_DATA_DIR": str(self.data),
            "BOTMAKER_SECRETS_DIR": str(self.secrets_dir),
            "BOTMAKER_HTTP_LISTEN": f"127.0.0.1:{self.port}",
            "BOTMAKER_DISCORD_API_URL": world.api_url,
            "BOTMAKER_DISCORD_GATEWAY_URL": world.gateway_url,
        }

    async def launch(self, *options: str) -> None:
        """Start the process without waiting for anything."""
        assert self.process is None or self.process.returncode is not None
        with self.log_path.open("ab") as log:
            self.process = await self.begin("run", *options, stdout=log, stderr=log)

    async def begin(
        self, *words: str, stdout: object, stderr: object, env: Mapping[str, str] | None = None
    ) -> asyncio.subprocess.Process | Forked:
        """Run `python -m controller` with its settings."""
        env = self.env if env is None else env
        if not self.fresh and not fork_server.comes_too_late(env):
            return await fork_server.start(
                *words, cwd=self.folder, env=env, stdout=stdout, stderr=stderr
            )
        return await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "controller", *words),
            cwd=self.folder,
            env=env,
            stdout=stdout,  # type: ignore[arg-type]
            stderr=stderr,  # type: ignore[arg-type]
        )

    async def start(self, *options: str) -> None:
        """Start it and wait until it serves Discord."""
        sessions = self.world.gateway.sessions
        await self.launch(*options)
        try:
            await self.wait_ready(sessions + 1)
        except AssertionError as error:
            raise AssertionError(f"{error}\nlog of the controller:\n{self.log}") from None

    async def wait_ready(self, sessions: int = 1) -> None:
        """Wait until the gateway has its session, the n-th in all."""
        await self.world.wait_ready(sessions=sessions)

    async def end(self, number: signal.Signals, within: float = 10.0) -> int:
        """Send a signal, wait for the process to end, and return its status."""
        assert self.process is not None
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), within)

    async def stop(self) -> int:
        """Send SIGTERM, as a service manager does."""
        return await self.end(signal.SIGTERM)

    async def kill(self) -> int:
        """Send SIGKILL, which ends it like a power cut."""
        return await self.end(signal.SIGKILL)

    async def restart(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End it with this signal and start it again."""
        await self.end(how)
        await self.start()

    @property
    def running(self) -> bool:
        return self.process is not None and self.process.returncode is None

    @property
    def returncode(self) -> int | None:
        return self.process.returncode if self.process else None

    @property
    def log(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    # What it has created.

    def inspect(self, bot_id: str) -> dict[str, Any] | None:
        try:
            return dict(self.engine.inspect_container(f"botmaker-{bot_id}"))
        except NotFound:
            return None

    def started_at(self, bot_id: str) -> str:
        found = self.inspect(bot_id)
        assert found is not None, "there is no container"
        assert found["State"]["Running"], found["State"]
        return str(found["State"]["StartedAt"])

    def started_at_or_none(self, bot_id: str) -> str | None:
        """When the current run began; None if it isn't running."""
        found = self.inspect(bot_id)
        return found["State"]["StartedAt"] if found and found["State"]["Running"] else None

    def containers(self) -> list[dict[str, Any]]:
        mine, found = {"label": f"botmaker.instance={self.instance}"}, []
        for row in self._listed(mine):
            with contextlib.suppress(NotFound):  # a throw-away one that has ended since the listing
                found.append(dict(self.engine.inspect_container(row["Id"])))
        return found

    def _listed(self, mine: Mapping[str, str]) -> list[dict[str, Any]]:
        return list(self.engine.containers(all=True, filters=dict(mine)))

    def volumes(self) -> list[str]:
        mine = {"label": f"botmaker.instance={self.instance}"}
        return [row["Name"] for row in self.engine.volumes(filters=mine)["Volumes"] or []]

    def folders(self) -> list[str]:
        found = self.secrets_dir.iterdir() if self.secrets_dir.exists() else []
        return [entry.name for entry in found if not entry.name.startswith(".")]

    def nothing_left(self) -> bool:
        """Whether no bot has a container, volume, folder or row left."""
        rows = sum(len(self.rows(f"SELECT 1 FROM {t}")) for t in ("bot", "form", "crash", "card"))
        files = self.data / "files"
        rendered = list(files.iterdir()) if files.exists() else []
        things = [*self.containers(), *self.volumes(), *self.folders(), *rendered]
        return not things and rows == 0

    async def get(self, path: str) -> tuple[int, str]:
        """A page of its HTTP server."""
        limit = aiohttp.ClientTimeout(total=1)
        async with aiohttp.ClientSession(timeout=limit) as session:
            async with session.get(f"http://127.0.0.1:{self.port}{path}") as answer:
                return answer.status, await answer.text()

    async def health(self) -> dict[str, Any]:
        return dict(json.loads((await self.get("/health"))[1]))

    # What must never happen.

    def leaks(self) -> list[str]:
        """Every place where an entered value can be found, in any disguise."""
        found = []
        for where, text in self._places():
            for value in self.entered:
                found += [f"{where}: {d}" for d in disguises(value) if len(d) > 7 and d in text]
        return found

    def _places(self) -> Iterator[tuple[str, str]]:
        yield "Discord", self.world.traffic_text("from_bot")
        yield "log", self.log
        for file in self.data.rglob("*"):
            if file.is_file():
                yield str(file), file.read_bytes().decode("latin-1")
        if self.instance:
            for made in self.containers():
                yield f"inspect {made['Name']}", json.dumps(made)
                yield f"environment of {made['Name']}", environment_of(made["State"]["Pid"])

    def trouble(self) -> list[str]:
        """Log lines that no test should cause; refused templates don't count."""
        lines = [line for line in self.log.splitlines() if ": template " not in line]
        return [line for line in lines if any(sign in line for sign in TROUBLE)]


def environment_of(pid: int) -> str:
    """The environments and command lines of a container's processes, read from outside."""
    text, waiting = "", [pid] if pid else []
    while waiting:
        home = Path(f"/proc/{waiting.pop()}")
        with contextlib.suppress(OSError):
            text += (home / "environ").read_bytes().decode("latin-1")
            text += (home / "cmdline").read_bytes().decode("latin-1")
            children = (home / "task" / home.name / "children").read_text().split()
            waiting += [int(child) for child in children]
    return text


@dataclass
class Place:
    """A Discord, its admin Ann, and the controller that serves it."""

    world: LoopbackDiscord
    ann: Person
    controller: Controller

    @property
    def cards(self) -> list[Message]:
        """What stands in the admin channel, but the message of the first start."""
        found = self.world.messages(self.world.admin_channel_id)
        return [message for message in found if message not in self.welcomes]

    async def welcomed(self) -> None:
        """Wait until the controller knows that its first message stands in the channel.

        Discord has the message a moment before: what is armed in between would act on it.
        """
        sql = "SELECT 1 FROM installation WHERE key = 'welcome' AND value LIKE '%done%'"
        await eventually(lambda: self.controller.rows(sql), 60)

    @property
    def welcomes(self) -> list[Message]:
        """The messages of the first start: one, or something is wrong."""
        found = self.world.messages(self.world.admin_channel_id)
        return [m for m in found if any(p.get("custom_id") == "create:new" for p in m.walk())]

    def card(self, name: str) -> Message:
        """The newest card about that bot."""
        return [message for message in self.cards if f"**{name}**" in message.content][-1]

    async def card_says(self, name: str, words: str, timeout: float = 15.0) -> Message:
        """Wait until the card about that bot says so."""
        wanted = f"**{name}**"
        await self.world.until(
            lambda _: any(wanted in m.content and words in m.content for m in self.cards), timeout
        )
        return self.card(name)

    async def channel_says(self, words: str, timeout: float = 15.0) -> Message:
        """Wait until a message of the admin channel says so, whichever it is."""
        await self.world.until(lambda _: any(words in m.content for m in self.cards), timeout)
        return next(m for m in self.cards if words in m.content)

    async def create(self, name: str, template: str = "brisk", **options: Any) -> Invocation:
        """Ann creates a bot; returns once the private answer is complete."""
        inv = await self.ann.slash("bot create", name=name, template=template, **options)
        return await inv.until(lambda i: i.message is not None and not i.message.loading)

    def dm(self, name: str, person: Person | None = None) -> Message:
        """The newest direct message about that bot that has a button."""
        dms = [message for message in (person or self.ann).dms if message.labels()]
        return [message for message in dms if f"**{name}**" in message.content][-1]

    async def open_form(self, name: str) -> Modal:
        """Ann presses the button of the direct message."""
        clicked = await self.ann.click(self.dm(name), label="Enter secrets")
        return await clicked.modal_sent

    async def submit(
        self, modal: Modal | None, person: Person | None = None, **values: str
    ) -> Invocation:
        """Send the form, with new secrets where none are given; returns without waiting."""
        assert modal is not None
        given = {"api_key": a_secret(), "channel_token": a_secret()} | values
        self.controller.entered += [given["api_key"], given["channel_token"]]
        fields = {field["custom_id"]: field["value"] or "" for field in modal.fields}
        sent = {**fields, **given}
        # A forger can send longer values than a real client: build with short ones, then swap.
        short = {name: value[:2000] for name, value in sent.items()}
        data = payloads.modal_data(self.world, modal, short)
        for part in data["components"]:
            part["component"]["value"] = sent[part["component"]["custom_id"]]
        who = person or self.ann
        return await who.submit(modal, short, wait=False, override={"data": data})

    async def bot(self, name: str, template: str = "brisk", **fields: str) -> str:
        """Create a bot and wait until it runs; returns its id."""
        await self.create(name, template)
        inv = await self.submit(await self.open_form(name), **fields)
        await inv.until(lambda i: "running" in i.text)
        return self.controller.bot_id(name)


async def said(inv: Invocation, words: str, timeout: float = 10.0) -> Invocation:
    """Wait until the answer to an interaction has these words."""
    return await inv.until(lambda i: words in i.text, timeout)


@contextlib.asynccontextmanager
async def open_place(
    folder: Path, engine: docker.APIClient, *, start: bool = True, **env: str
) -> AsyncIterator[Place]:
    """A place with a running controller; the end removes everything the controller created."""
    templates = folder / "templates"
    templates.mkdir()
    (templates / "brisk.toml").write_text(BRISK)
    async with LoopbackDiscord() as world:
        controller = Controller(world, engine, folder)
        ann = world.person("ann")
        controller.env |= {
            "BOTMAKER_ADMIN_USER_IDS": str(ann.id),
            "BOTMAKER_TEMPLATES_DIR": str(templates),
        }
        controller.env |= env
        place = Place(world, ann, controller)
        try:
            if start:
                await controller.start()
                await place.welcomed()
            yield place
            leaks = controller.leaks()
            if controller.running:
                assert await controller.stop() == 0
            assert not leaks, leaks
            assert not controller.trouble(), controller.trouble()
            assert world.unknown_requests == []
        except AssertionError as error:
            error.add_note(f"log of the controller:\n{controller.log[-1500:]}")
            raise
        finally:
            if controller.running:
                await controller.kill()
            if controller.instance:
                remove_everything_of(engine, controller.instance)

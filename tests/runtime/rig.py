"""Two worlds with the same handles, so that one suite can hold both runtimes to the promise."""

from __future__ import annotations

import asyncio
import io
import os
import random
import tarfile
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import docker
from docker.errors import APIError, NotFound

from controller.domain.events import ContainerEvent, LogQuery
from controller.domain.image_version import ImageVersion
from controller.domain.names import new_bot_id
from controller.domain.observation import ContainerState, Health, Observation
from controller.domain.spec import ContainerSpec
from controller.runtime import Probe, ProbeResult, Runtime, kept_images
from controller.runtime.engine import EngineRuntime
from controller.runtime.memory import MemoryRuntime
from controller.runtime.options import EngineOptions, engine_options
from tests.runtime import image

# Of this process alone: whoever tests at the same time removes only their own.
IMAGE = f"botmaker-test:{uuid.uuid4().hex[:12]}"
BUILT = "botmaker-built:1"  # in memory
ABSENT_PROGRAM = "/bin/absent"
UID = 1000


async def eventually(check: Callable[[], Any], seconds: float = 15.0) -> Any:
    """Wait until the (perhaps asynchronous) check answers something true, and return that."""
    deadline = time.monotonic() + seconds
    while True:
        found = check()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError("it did not happen in time")
        await asyncio.sleep(0.02)


async def until(events: Any, action: str) -> ContainerEvent:
    """The next event of that kind; what comes before it is let go."""
    async with asyncio.timeout(20):
        while True:
            event: ContainerEvent = await anext(events)
            if event.action == action:
                return event


class Rig(ABC):
    """A runtime under test, and hands to make things happen behind its back."""

    runtime: Runtime
    image = IMAGE

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def spec(self, **changes: Any) -> ContainerSpec:
        """A spec that works: its folder exists, its program waits to be told what to do."""
        bot_id = changes.pop("bot_id", None) or new_bot_id()
        base = ContainerSpec(
            bot_id=bot_id,
            image=self.image,
            user=f"{UID}:{UID}",
            secrets_source=self.secrets(bot_id),
            command=("/bin/act",),
            memory=32 << 20,
            stop_timeout=2,
        )
        return replace(base, **changes)

    def secrets(self, bot_id: str) -> str:
        """A folder with one secret in it, the container user's own."""
        folder = self.folder / bot_id
        folder.mkdir(mode=0o700, exist_ok=True)
        (folder / "api_key").write_text("sk-test-not-a-secret")
        (folder / "api_key").chmod(0o600)
        if os.geteuid() == 0:
            os.chown(folder, UID, UID)
            os.chown(folder / "api_key", UID, UID)
        return str(folder)

    async def created(self, **changes: Any) -> ContainerSpec:
        """A container that was made and not started."""
        spec = self.spec(**changes)
        await self.runtime.create(spec)
        return spec

    async def running(self, **changes: Any) -> ContainerSpec:
        """A container that runs."""
        spec = await self.created(**changes)
        await self.runtime.start(spec.bot_id)
        return spec

    def absent_source(self) -> str:
        """A mount's source that does not exist."""
        return str(self.folder / "absent")

    @abstractmethod
    def unreachable(self) -> Runtime:
        """A runtime whose engine is not there."""

    @abstractmethod
    async def crash(self, bot_id: str, code: int) -> None:
        """Let the program end by itself."""

    @abstractmethod
    async def print(self, bot_id: str, text: str, stream: Literal["stdout", "stderr"]) -> None:
        """Let the program print a line, and come back when it is in the log."""

    @abstractmethod
    async def sicken(self, bot_id: str) -> None:
        """Let the program's healthcheck fail from now on."""

    @abstractmethod
    def pause(self, bot_id: str) -> None:
        """Freeze the program."""

    @abstractmethod
    def rename(self, bot_id: str, name: str) -> None:
        """Give the bot's container another name, past the runtime."""

    @abstractmethod
    def make_foreign(self, name: str) -> None:
        """Make a running container of that name that nobody labelled."""

    @abstractmethod
    def is_intact(self, name: str) -> bool:
        """Whether that foreign container still runs."""

    @abstractmethod
    def make_foreign_volume(self, name: str) -> None:
        """Make a volume of that name that nobody labelled."""

    @abstractmethod
    def has_foreign_volume(self, name: str) -> bool:
        """Whether that volume is still there."""

    @abstractmethod
    def use_volume(self, name: str) -> None:
        """Make a container that isn't ours and uses that volume."""

    @abstractmethod
    def make_foreign_network(self) -> None:
        """Make a network of our network's name that nobody labelled."""

    @abstractmethod
    def narrow(self) -> None:
        """From now on our network, which doesn't exist yet, has room for one bot."""

    @abstractmethod
    async def waiting_to_restart(self) -> ContainerSpec:
        """A container whose program ended, and which is to run again in a second or more."""

    @abstractmethod
    def expect_probe(self, exit_code: int, output: str) -> None:
        """Say how the next probe's program ends, where it does not really run."""

    @abstractmethod
    def expect_execute(self, exit_code: int, output: str, seconds: float = 0) -> None:
        """Say how the programs end that are run inside, where they do not really run."""

    @abstractmethod
    def expect_rehearsal(self, exit_code: int, output: str) -> None:
        """Say how the next rehearsal ends, where it does not really run."""

    @abstractmethod
    def build_image(self, version: str = "") -> str:
        """Build a new local image of that version; its name. The same name again is another
        image."""

    @abstractmethod
    def prune_images(self) -> None:
        """Remove the images of `build_image` that have neither a name nor a container."""

    @abstractmethod
    def remove_image(self, image: str) -> None:
        """Remove an image with all its names."""

    @abstractmethod
    def state_file(self, spec: ContainerSpec, path: str) -> str | None:
        """The text of a file in the volume of a bot that has a container; None without one."""

    @abstractmethod
    async def write_state(self, spec: ContainerSpec, path: str, text: str) -> None:
        """Let the program of a bot that runs write a file into its volume, folders and all."""


class MemoryRig(Rig):
    """The world without an engine."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.world = MemoryRuntime("memory", images=[IMAGE])
        self.world.absent = {ABSENT_PROGRAM, self.absent_source()}
        self.runtime = self.world

    def unreachable(self) -> Runtime:
        away = MemoryRuntime("memory", images=[IMAGE])
        away.go_away()
        return away

    async def crash(self, bot_id: str, code: int) -> None:
        self.world.crash(bot_id, code)

    async def print(self, bot_id: str, text: str, stream: Literal["stdout", "stderr"]) -> None:
        self.world.write_log(bot_id, text, stream)
        await asyncio.sleep(0.002)  # lines of one moment would be the same moment's

    async def sicken(self, bot_id: str) -> None:
        self.world.set_health(bot_id, Health.HEALTHY)
        self.world.set_health(bot_id, Health.UNHEALTHY, "I feel sick\n".strip())

    def pause(self, bot_id: str) -> None:
        self.world.pause(bot_id)

    def rename(self, bot_id: str, name: str) -> None:
        self.world.rename_container(bot_id, name)

    def make_foreign(self, name: str) -> None:
        self.world.make_foreign(name)

    def is_intact(self, name: str) -> bool:
        return name in self.world.foreign

    def make_foreign_volume(self, name: str) -> None:
        self.world.make_foreign_volume(name)

    def has_foreign_volume(self, name: str) -> bool:
        return name in self.world.foreign_volumes

    def use_volume(self, name: str) -> None:
        self.world.volume_users.add(name)

    def make_foreign_network(self) -> None:
        self.world.foreign_network = True

    def narrow(self) -> None:
        self.world.network_info = replace(self.world.network_info, fits=1)

    async def waiting_to_restart(self) -> ContainerSpec:
        self.world.restart_at_once = False
        spec = await self.running()
        await self.crash(spec.bot_id, 127)
        return spec

    def expect_probe(self, exit_code: int, output: str) -> None:
        self.world.answer_probe = lambda _: ProbeResult(exit_code=exit_code, output=output)

    def expect_execute(self, exit_code: int, output: str, seconds: float = 0) -> None:
        self.world.answer_execute = lambda *_: ProbeResult(exit_code=exit_code, output=output)
        self.world.execute_delay = seconds

    def expect_rehearsal(self, exit_code: int, output: str) -> None:
        self.world.answer_rehearse = lambda *_: ProbeResult(exit_code=exit_code, output=output)

    def build_image(self, version: str = "") -> str:
        if BUILT in self.world.images:
            self.world.rebuild(BUILT)
        self.world.images.add(BUILT)
        self.world.versions[self.world.image(BUILT) or ""] = ImageVersion(version=version)
        return BUILT

    def prune_images(self) -> None:
        self.world.prune_images()

    def remove_image(self, image: str) -> None:
        self.world.kept = {bot: kept for bot, kept in self.world.kept.items() if kept != image}
        if self.world.image(BUILT) == image:
            self.world.images.discard(BUILT)
        self.world.unnamed.discard(image)

    def state_file(self, spec: ContainerSpec, path: str) -> str | None:
        return self.world.seeded[spec.bot_id].get(path)

    async def write_state(self, spec: ContainerSpec, path: str, text: str) -> None:
        self.world.seeded[spec.bot_id][path] = text


class EngineRig(Rig):
    """A real engine, and an installation's id that nobody else has."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.instance = f"test-{uuid.uuid4().hex[:12]}"
        self.runtime = EngineRuntime(self.instance, real_engine())
        self.docker = docker.from_env(timeout=30).api
        self._foreign: list[str] = []
        self._foreign_volumes: list[str] = []
        self._built: set[str] = set()

    def clean(self) -> None:
        """Remove what this rig made, and nothing else."""
        ours = {"label": f"botmaker.instance={self.instance}"}
        containers = self.docker.containers(all=True, filters=ours)
        for name in [row["Id"] for row in containers] + self._foreign:
            self._remove(name)
        volumes = self.docker.volumes(filters=ours)["Volumes"] or []
        for name in [row["Name"] for row in volumes] + self._foreign_volumes:
            with suppress(APIError):
                self.docker.remove_volume(name)
        for row in self.docker.networks(names=[f"botmaker-{self.instance}"]):
            with suppress(APIError):
                self.docker.remove_network(row["Id"])
        self._remove_images()
        self.docker.close()

    def _remove_images(self) -> None:
        for bot_id in kept_images.bots(self.docker, self.instance):
            kept_images.let_go(self.docker, self.instance, bot_id)
        for name in self._built:
            with suppress(APIError):
                self.docker.remove_image(name)
        self.prune_images()

    def _remove(self, name: str) -> None:
        # Stopped first: a forced removal that meets a restart fails, and 20.10 leaves it behind.
        for _ in range(3):
            try:
                self.docker.stop(name, timeout=0)
                self.docker.remove_container(name, force=True, v=True)
            except NotFound:
                return
            except APIError:
                time.sleep(0.2)

    def leftovers(self) -> list[str]:
        """The names of all containers with our instance label, listed by the runtime or not."""
        ours = {"label": f"botmaker.instance={self.instance}"}
        return [row["Names"][0] for row in self.docker.containers(all=True, filters=ours)]

    async def execute(self, bot_id: str, *words: str) -> None:
        """Run a program inside the bot's container, which has to succeed."""
        made = self.docker.exec_create(f"botmaker-{bot_id}", list(words))["Id"]
        self.docker.exec_start(made, detach=True)
        await eventually(lambda: not self.docker.exec_inspect(made)["Running"])
        assert self.docker.exec_inspect(made)["ExitCode"] in {0, None}

    def make(self, body: dict[str, Any], name: str) -> str:
        """Create a container from the engine's own JSON, behind the runtime's back; its id."""
        return str(self.docker.create_container_from_config(body, name)["Id"])  # type: ignore[no-untyped-call]

    def inspect(self, bot_id: str) -> dict[str, Any]:
        """The engine's own words about the bot's container."""
        seen: dict[str, Any] = self.docker.inspect_container(f"botmaker-{bot_id}")
        return seen

    def run_inside(self, script: str, **changes: Any) -> Probe:
        """A probe that runs a shell script."""
        asked: dict[str, Any] = {
            "image": self.image,
            "user": f"{UID}:{UID}",
            "command": ("/bin/sh", "-c", script),
            "secrets_source": self.secrets("probe"),
        }
        return Probe(**{**asked, **changes})

    def unreachable(self) -> Runtime:
        nowhere = f"unix://{self.folder}/nowhere.sock"
        return EngineRuntime(self.instance, EngineOptions(base_url=nowhere))

    async def crash(self, bot_id: str, code: int) -> None:
        await self.execute(bot_id, "/bin/sh", "-c", f"printf {code} > /tmp/exit")

    async def print(self, bot_id: str, text: str, stream: Literal["stdout", "stderr"]) -> None:
        number = 1 if stream == "stdout" else 2
        before = self._log_size(bot_id)
        script = f'printf "%s\\n" "$1" > /proc/1/fd/{number}'
        await self.execute(bot_id, "/bin/sh", "-c", script, "print", text)
        await eventually(lambda: self._log_size(bot_id) > before)

    def _log_size(self, bot_id: str) -> int:
        return len(self.docker.logs(f"botmaker-{bot_id}", tail=20_000))

    async def sicken(self, bot_id: str) -> None:
        async def healthy() -> bool:
            return bool(self.inspect(bot_id)["State"]["Health"]["Status"] == "healthy")

        await eventually(healthy)
        await self.execute(bot_id, "/bin/touch", "/tmp/sick")

    def pause(self, bot_id: str) -> None:
        self.docker.pause(f"botmaker-{bot_id}")

    def rename(self, bot_id: str, name: str) -> None:
        self.docker.rename(f"botmaker-{bot_id}", name)

    def make_foreign(self, name: str) -> None:
        made = self.docker.create_container(IMAGE, ["/bin/sleep", "600"], name=name)
        self._foreign.append(made["Id"])
        self.docker.start(made["Id"])

    def is_intact(self, name: str) -> bool:
        seen = self.docker.inspect_container(name)
        return bool(seen["Id"] == self._foreign[-1] and seen["State"]["Running"])

    def make_foreign_volume(self, name: str) -> None:
        self._foreign_volumes.append(name)
        self.docker.create_volume(name)

    def use_volume(self, name: str) -> None:
        body = {"Image": IMAGE, "Cmd": ["/bin/act"]}
        mount = {"Type": "volume", "Source": name, "Target": "/backup"}
        other = f"somebodys-{uuid.uuid4().hex[:8]}"
        self._foreign.append(self.make({**body, "HostConfig": {"Mounts": [mount]}}, other))

    def make_foreign_network(self) -> None:
        self.docker.create_network(f"botmaker-{self.instance}")

    def narrow(self) -> None:
        # Of 4 addresses one is a bot's. Which of 256 such subnets is left to chance: others test.
        subnet = f"10.253.{random.randrange(256)}.0/30"
        self.runtime = EngineRuntime(self.instance, real_engine(), subnet=subnet)

    async def waiting_to_restart(self) -> ContainerSpec:
        spec = await self.running(entrypoint=(ABSENT_PROGRAM,))

        async def waits() -> bool:
            found = await seen(self, spec.bot_id)
            # The pauses double from 100 ms on.
            return found.state is ContainerState.RESTARTING and found.restart_count >= 5

        await eventually(waits)
        return spec

    def has_foreign_volume(self, name: str) -> bool:
        return bool(self.docker.inspect_volume(name)["Name"] == name)

    def expect_probe(self, exit_code: int, output: str) -> None:
        del exit_code, output  # here the program really runs

    def expect_execute(self, exit_code: int, output: str, seconds: float = 0) -> None:
        del exit_code, output, seconds

    def expect_rehearsal(self, exit_code: int, output: str) -> None:
        del exit_code, output

    def build_image(self, version: str = "") -> str:
        name, label = f"botmaker-built:{self.instance}", f"botmaker.built={self.instance}"
        said = f"org.opencontainers.image.version={version}"
        image.build(self.docker, name, label, f"botmaker.number={uuid.uuid4().hex}", said)
        self._built.add(name)
        return name

    def prune_images(self) -> None:
        # One by one: an engine refuses a prune while another one runs.
        label = f"botmaker.built={self.instance}"
        for found in self.docker.images(filters={"dangling": True, "label": label}):
            with suppress(APIError):  # a container is made of it
                self.docker.remove_image(found["Id"])

    def remove_image(self, image: str) -> None:
        self.docker.remove_image(image, force=True)

    def state_file(self, spec: ContainerSpec, path: str) -> str | None:
        try:
            pieces, _ = self.docker.get_archive(spec.name, f"{spec.state_path}/{path}")
        except NotFound:
            return None
        with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
            file = archive.extractfile(archive.getmembers()[0])
            return None if file is None else file.read().decode()

    async def write_state(self, spec: ContainerSpec, path: str, text: str) -> None:
        script = 'busybox mkdir -p "${1%/*}" && printf %s "$2" > "$1"'
        place = f"{spec.state_path}/{path}"
        await self.execute(spec.bot_id, "/bin/sh", "-c", script, "write", place, text)


def real_engine() -> EngineOptions:
    """The engine that Docker's own variables name."""
    return engine_options({k: v for k, v in os.environ.items() if k.startswith("DOCKER_")})


async def seen(rig: Rig, bot_id: str) -> Observation:
    """What is seen of a container that has to be there."""
    found = await rig.runtime.observe(bot_id)
    assert found is not None
    return found


def every_call(runtime: Runtime, bot_id: str) -> dict[str, Any]:
    """Every call that takes a bot's id, by name."""
    return {
        "observe": lambda: runtime.observe(bot_id),
        "has_volume": lambda: runtime.has_volume(bot_id),
        "start": lambda: runtime.start(bot_id),
        "rename": lambda: runtime.rename(bot_id),
        "stop": lambda: runtime.stop(bot_id, 1),
        "restart": lambda: runtime.restart(bot_id, 1),
        "remove": lambda: runtime.remove(bot_id, 1),
        "observe_previous": lambda: runtime.observe_previous(bot_id),
        "park": lambda: runtime.park(bot_id, 1),
        "unpark": lambda: runtime.unpark(bot_id, "no"),
        "remove_previous": lambda: runtime.remove_previous(bot_id),
        "remove_unstarted": lambda: runtime.remove_unstarted(bot_id),
        "remove_volume": lambda: runtime.remove_volume(bot_id),
        "let_go": lambda: runtime.let_go(bot_id),
        "logs": lambda: runtime.logs(bot_id, LogQuery()),
        "execute": lambda: runtime.execute(bot_id, ("/bin/true",), 5),
    }

"""The world behind the in-memory runtime: containers, volumes and images that exist only here.

Nothing here is asynchronous and nothing runs: a test does with the knobs what a program would do.
`memory` next door adds the contract that callers see.
"""

from __future__ import annotations

import hashlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Literal

from controller.domain.errors import BadSpec, ControllerError, NotFound
from controller.domain.events import ContainerEvent, LogLine
from controller.domain.observation import ContainerState, Health, Observation
from controller.domain.spec import ContainerSpec
from controller.runtime.execution import not_running
from controller.runtime.faults import foreign, network_full, refused_container, unreachable
from controller.runtime.log_mailbox import LogMailbox
from controller.runtime.memory_events import MemoryEvents
from controller.runtime.memory_images import MemoryImages
from controller.runtime.protocol import NetworkInfo, Probe, ProbeResult
from controller.runtime.seeding import Kind, parents, plan
from controller.runtime.validation import container_name, parse_restart_policy, previous_name

LOG_MAX = 50_000  # lines that a container keeps, as the engine's own log is bounded
DONE = ProbeResult(exit_code=0, output="")
BETWEEN = 0.05  # seconds from a program's end to the restart that its policy begins
_STOPPED = 143  # the exit code of a program that obeys SIGTERM


@dataclass(slots=True)
class Container:
    """A container in which nothing runs."""

    spec: ContainerSpec
    seen: Observation
    ended: float = 0.0  # when the program of a "restarting" container ended
    log: deque[LogLine] = field(default_factory=lambda: deque(maxlen=LOG_MAX))
    followers: list[LogMailbox] = field(default_factory=list)

    def hang_up(self, error: ControllerError | None = None) -> None:
        """End the streams of those who follow the log."""
        followers, self.followers = self.followers, []
        for follower in followers:
            follower.finish(error)


class ImpossibleWorldError(Exception):
    """A test asked for what no engine can do: nothing that it would show could ever happen."""


class MemoryWorld(MemoryImages):
    """Everything that exists, the knobs that script it, and what a test can make happen.

    What can't happen on an engine raises ImpossibleWorldError: a stopped program doesn't crash, a
    paused one prints nothing, and two containers never have one name.
    """

    def __init__(
        self, *, images: Iterable[str] = (), clock: Callable[[], float] = time.time
    ) -> None:
        super().__init__(images)
        self.absent: set[str] = set()
        self.host_has: Callable[[str], bool] = os.path.exists
        self.foreign: set[str] = set()
        self.foreign_volumes: set[str] = set()
        self.answer_probe: Callable[[Probe], ProbeResult] = lambda _: DONE
        self.answer_execute: Callable[[str, tuple[str, ...]], ProbeResult] = lambda *_: DONE
        self.answer_rehearse: Callable[[ContainerSpec, tuple[str, ...]], ProbeResult] = lambda *_: (
            DONE
        )
        self.restart_at_once = True
        self.away = False
        self.feeds: list[MemoryEvents] = []
        self.containers: dict[str, Container] = {}
        self.parked: dict[str, Container] = {}
        self.volumes: set[str] = set()
        self.seeded: dict[str, dict[str, str]] = {}
        self.executed: list[tuple[str, tuple[str, ...]]] = []
        self.rehearsed: list[tuple[ContainerSpec, tuple[str, ...]]] = []
        self.network_info = NetworkInfo(name="botmaker-memory", fits=1023)
        self.has_network = False
        self.foreign_network = False
        self.volume_users: set[str] = set()
        self._clock = clock
        self._runs = 0

    def crash(self, bot_id: str, exit_code: int, *, oom: bool = False) -> None:
        """End a running program. Its restart policy decides what comes next."""
        self._demand(bot_id, ContainerState.RUNNING)
        self._crash(bot_id, exit_code, oom=oom, at_once=self.restart_at_once)

    def revive(self, bot_id: str) -> None:
        """Let a "restarting" container run again."""
        held = self.containers[bot_id]
        if held.seen.state is not ContainerState.RESTARTING:
            return
        try:
            self.require_sources(held.spec)
        except BadSpec as error:
            self._give_up_restart(held, error.message)
        else:
            self._run(bot_id, held)

    def set_health(self, bot_id: str, health: Health, output: str = "") -> None:
        """Let a running container's health check reach a verdict."""
        held = self._demand(bot_id, ContainerState.RUNNING)
        if (held.spec.health is None) is not (health is Health.NONE):
            raise ImpossibleWorldError("a verdict comes from a check, and a check has a verdict")
        failed = output if health is Health.UNHEALTHY else held.seen.probe_output
        held.seen = replace(held.seen, health=health, probe_output=failed)
        self.emit(bot_id, f"health_status: {health.value}")

    def write_log(
        self, bot_id: str, text: str, stream: Literal["stdout", "stderr"] = "stdout"
    ) -> None:
        """Let the program print whole lines."""
        held = self._demand(bot_id, ContainerState.RUNNING)
        lines = [LogLine(self._clock(), stream, line) for line in text.splitlines()]
        held.log.extend(lines)
        for follower in held.followers:
            follower.put(lines)

    def make_foreign(self, name: str) -> None:
        """Make a container of that name that isn't ours."""
        if name in self._names():
            raise ImpossibleWorldError("no two containers have one name")
        self.foreign.add(name)

    def make_foreign_volume(self, name: str) -> None:
        """Make a volume of that name that isn't ours."""
        if name in {container_name(bot_id) for bot_id in self.volumes}:
            raise ImpossibleWorldError("no two volumes have one name")
        self.foreign_volumes.add(name)

    def go_away(self) -> None:
        """Let every call find no engine."""
        self.away = True
        for held in self.containers.values():
            held.hang_up(unreachable())

    def come_back(self) -> None:
        """Undo `go_away`. Every event stream gets a resync."""
        self.away = False
        self.tell(ContainerEvent(action="resync"))

    def _demand(self, bot_id: str, state: ContainerState) -> Container:
        """Return a container that is in that state. Nothing else could do what is asked of it."""
        held = self.containers.get(bot_id)
        if held is None or held.seen.state is not state:
            raise ImpossibleWorldError(f"only a container that is {state} can do that")
        return held

    def _names(self) -> set[str]:
        held = self.containers.items()
        ours = {one.seen.misnamed or container_name(bot_id) for bot_id, one in held}
        return ours | {previous_name(bot_id) for bot_id in self.parked} | self.foreign

    def used_images(self) -> set[str]:
        """The images that containers are made of."""
        held = (*self.containers.values(), *self.parked.values())
        return {one.seen.image for one in held}

    def find_container(self, bot_id: str) -> Container | None:
        """Return the bot's container, or None. Raises Conflict if its name is taken."""
        name = container_name(bot_id)
        if name in self.foreign:
            raise foreign("container", name, code="foreign-container")
        return self.containers.get(bot_id)

    def require_container(self, bot_id: str) -> Container:
        """Return the bot's container. Raises NotFound if it has none."""
        held = self.find_container(bot_id)
        if held is None:
            raise NotFound("The bot has no container.")
        return held

    def require_running(self, bot_id: str) -> None:
        """Raise NotReady if the bot's container isn't running."""
        if self.require_container(bot_id).seen.state is not ContainerState.RUNNING:
            raise not_running()

    def require_sources(self, spec: ContainerSpec) -> None:
        """Raise BadSpec if a folder that the spec mounts doesn't exist."""
        for source in (spec.secrets_source, *(source for source, _ in spec.config_mounts)):
            self.require_source(source)

    def require_source(self, source: str) -> None:
        """Raise BadSpec, as an engine does, if a mount's source doesn't exist on the host."""
        if source in self.absent or not self.host_has(source):
            raise refused_container("bind source path does not exist")

    def do_execute(self, bot_id: str, command: tuple[str, ...]) -> ProbeResult:
        """Run a program in a running container."""
        self.require_running(bot_id)
        self.executed.append((bot_id, command))
        if command[0] in self.absent:
            return ProbeResult(exit_code=126, output=f'exec: "{command[0]}": no such file')
        return self.answer_execute(bot_id, command)

    def do_rehearse(self, spec: ContainerSpec, command: tuple[str, ...]) -> ProbeResult:
        """Run a program in a throw-away container."""
        self.require_image(spec.image)
        self.require_sources(spec)
        self.rehearsed.append((spec, command))
        return self.answer_rehearse(spec, command)

    def do_create(self, spec: ContainerSpec) -> str:
        """Create or adopt a container."""
        held = self.find_container(spec.bot_id)
        if held is not None:
            return held.seen.container_id
        self.require_image(spec.image)
        if self.foreign_network:
            raise foreign("network", self.network_info.name, code="foreign-network")
        self.has_network = True
        self.require_sources(spec)
        if spec.state_path:
            if spec.name in self.foreign_volumes:
                raise foreign("volume", spec.name, code="foreign-volume")
            self.volumes.add(spec.bot_id)
            self.seed(spec)
        self._runs += 1
        unique = f"{spec.bot_id} {self._runs}"
        seen = Observation(
            container_id=hashlib.sha256(unique.encode()).hexdigest(),
            state=ContainerState.CREATED,
            spec=spec.digest(),
            release=spec.release,
            armed=spec.restart != "no",
            image=spec.image,
        )
        self.containers[spec.bot_id] = Container(spec, seen)
        self.emit(spec.bot_id, "create")
        return seen.container_id

    def seed(self, spec: ContainerSpec) -> None:
        """Add the spec's seeds to its volume."""
        files = self.seeded.setdefault(spec.bot_id, {})
        folders = {folder for path in files for folder in parents(path)}

        def look(path: str, _: str) -> Kind:
            if path in folders:
                return Kind.FOLDER
            return Kind.OTHER if path in files else Kind.NOTHING

        files.update(plan(spec.seeds, look).files)

    def do_rename(self, bot_id: str) -> bool:
        """Give a container its own name back. Returns whether it had another."""
        held = self.require_container(bot_id)
        if not held.seen.misnamed:
            return False
        self.rename_container(bot_id, container_name(bot_id))
        return True

    def do_start(self, bot_id: str) -> bool:
        """Start or unpause a container. Returns whether it was paused."""
        held = self.require_container(bot_id)
        if held.seen.state is ContainerState.PAUSED:
            held.seen = replace(held.seen, state=ContainerState.RUNNING)
            self.emit(bot_id, "unpause")
            return True
        if held.seen.state.active:
            return False  # restarting too: the engine counts that as running
        self.require_sources(held.spec)
        self._require_address(held)
        program = [*held.spec.entrypoint, *held.spec.command][:1]
        if self.absent.intersection(program) and not held.spec.init:
            error = f'exec: "{program[0]}": no such file or directory'
            held.seen = replace(held.seen, exit_code=127, error=error)
            raise refused_container(error)
        held.seen = replace(held.seen, restart_count=0, error="")
        self._run(bot_id, held)
        if self.absent.intersection(program):
            self._crash(bot_id, 127, oom=False, at_once=False)
        return False

    def _require_address(self, held: Container) -> None:
        """Raise RuntimeTrouble if the network is full. Only what runs has an address."""
        if sum(one.seen.state.active for one in self.containers.values()) < self.network_info.fits:
            return
        error = "no available IPv4 addresses on this network"
        held.seen = replace(held.seen, exit_code=128, error=error)
        raise network_full()

    def _crash(self, bot_id: str, exit_code: int, *, oom: bool, at_once: bool) -> None:
        held = self.containers[bot_id]
        self._end(bot_id, held, exit_code, oom=oom)
        policy, tries = parse_restart_policy(held.spec.restart)
        count = held.seen.restart_count
        if policy == "no" or (policy == "on-failure" and (exit_code == 0 or count >= tries)):
            return
        # Measured on 20.10: the end of a run is noted as the moment in which its restart begins. A
        # restart that is given up changes that to the program's own end, which was before.
        held.ended = held.seen.finished_at - BETWEEN
        held.seen = replace(held.seen, state=ContainerState.RESTARTING, restart_count=count + 1)
        if at_once:
            self.revive(bot_id)

    def _run(self, bot_id: str, held: Container) -> None:
        self._runs += 1
        # The run's number keeps the text unique even if the clock stands still.
        now = datetime.fromtimestamp(self._clock(), UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")
        held.seen = replace(
            held.seen,
            state=ContainerState.RUNNING,
            health=Health.STARTING if held.spec.health else Health.NONE,
            exit_code=None,
            oom_killed=False,
            started_at=f"{now}{self._runs % 1000:03}Z",
            started=self._clock(),
        )
        self.emit(bot_id, "start")

    def do_stop(self, bot_id: str) -> None:
        """Stop a running container."""
        held = self.find_container(bot_id)
        if held is not None and held.seen.state.active:
            if held.seen.state is ContainerState.RESTARTING:
                self._give_up_restart(held)
            else:
                if held.seen.state is ContainerState.PAUSED:
                    self.do_start(bot_id)  # or it couldn't react to the signal
                self.emit(bot_id, "kill", ending=True)
                self._end(bot_id, held, _STOPPED)
            self.emit(bot_id, "stop", ending=True)

    def _give_up_restart(self, held: Container, error: str = "") -> None:
        held.seen = replace(
            held.seen, state=ContainerState.EXITED, finished_at=held.ended, error=error
        )

    def do_remove(self, bot_id: str) -> None:
        """Stop a container and remove it."""
        if self.find_container(bot_id) is not None:
            self.do_stop(bot_id)
            del self.containers[bot_id]
            self.emit(bot_id, "destroy")

    def do_remove_unstarted(self, bot_id: str) -> bool:
        """Remove a container that never ran. Returns whether it's gone."""
        held = self.find_container(bot_id)
        if held is not None and held.seen.state is ContainerState.CREATED:
            self.do_remove(bot_id)
        return bot_id not in self.containers

    def do_let_go(self, bot_id: str) -> None:
        """Remove the bot's tag, and the network with the last container."""
        self.forget_images(bot_id)
        self.has_network = self.has_network and bool(self.containers or self.parked)

    def _end(self, bot_id: str, held: Container, exit_code: int, *, oom: bool = False) -> None:
        held.seen = replace(
            held.seen,
            state=ContainerState.EXITED,
            health=Health.NONE,
            exit_code=exit_code,
            oom_killed=oom,
            finished_at=self._clock(),
        )
        held.hang_up()
        if oom:
            self.emit(bot_id, "oom")
        self.emit(bot_id, "die", exit_code)

    def pause(self, bot_id: str) -> None:
        """Freeze a running program, as `docker pause` does."""
        held = self._demand(bot_id, ContainerState.RUNNING)
        held.seen = replace(held.seen, state=ContainerState.PAUSED)
        self.emit(bot_id, "pause")

    def rename_container(self, bot_id: str, name: str) -> None:
        """Give a container another name, as `docker rename` does."""
        held = self.containers[bot_id]
        if name in self._names():
            raise ImpossibleWorldError("no two containers have one name, nor one the same twice")
        held.seen = replace(held.seen, misnamed="" if name == container_name(bot_id) else name)
        self.emit(bot_id, "rename")

    def emit(
        self, bot_id: str, action: str, exit_code: int | None = None, *, ending: bool = False
    ) -> None:
        """Let something be heard."""
        event = ContainerEvent(
            action=action, bot_id=bot_id, at=self._clock(), exit_code=exit_code, ending=ending
        )
        if not self.away:  # what happens while nobody listens is lost, as with a real engine
            self.tell(event)

    def tell(self, event: ContainerEvent) -> None:
        """Hand an event to every stream."""
        for feed in self.feeds:
            feed.put(event)

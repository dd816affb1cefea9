"""Keeps the contract of `protocol.Runtime` without an engine, for tests and dry runs.

It's small and honest: a container is an observation in a dict. What it can't really do, which is to
run a program, its owner scripts with the knobs below.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from controller.domain.errors import Conflict, ImageMissing, NotFound
from controller.domain.events import LogPart, LogQuery
from controller.domain.image_version import ImageVersion
from controller.domain.observation import ListedContainer, Observation
from controller.domain.spec import ContainerSpec
from controller.domain.usage import Counters
from controller.runtime.execution import took_too_long
from controller.runtime.faults import foreign
from controller.runtime.frames import LOOK_BACK, LogTail
from controller.runtime.memory_events import MemoryEvents
from controller.runtime.memory_logs import MemoryLog
from controller.runtime.memory_parking import MemoryParking
from controller.runtime.memory_states import MemoryStates
from controller.runtime.memory_usage import MemoryUsage
from controller.runtime.protocol import (
    EngineInfo,
    NetworkInfo,
    Probe,
    ProbeResult,
    Runtime,
    VolumeInfo,
)
from controller.runtime.pulling import Told, untold
from controller.runtime.validation import (
    check_bot_id,
    check_command,
    check_container,
    check_instance,
    check_paths,
    check_pull_rule,
    check_ref,
    check_spec,
    check_user,
    container_name,
)


class MemoryRuntime(MemoryParking, MemoryStates, MemoryUsage):
    """Keeps every promise of the contract, and runs nothing.

    Knobs, all plain attributes:

    - `images`: the references on this machine (`rebuild` gives one another image);
    - `pullable`: those that a pull finds;
    - `absent`: paths that don't exist, on the host or in images;
    - `host_has`: a function that says whether a mount's source exists;
    - `foreign`, `foreign_volumes`: names of containers and volumes that aren't ours (`make_foreign`
      and `make_foreign_volume` add to them), and `foreign_network`: whether the network isn't;
    - `volume_users`: names of volumes that somebody else's container uses;
    - `answer_probe`, `answer_execute`, `answer_rehearse`: functions that give these calls' results;
    - `start_delay`, `execute_delay`: the seconds that these calls take;
    - `network_info`: what is said about the network, and how many bots can run in it;
    - `limit`: the seconds that a call waits for a hung engine;
    - `restart_at_once`: if False, a crashed container stays "restarting" until `revive`;
    - `seeded`: the files in volumes, as bot → path → text;
    - `used`: what running programs have used so far, by bot;
    - `parked`: the former containers that are kept while others are tried.

    Methods that make something happen: `crash`, `revive`, `set_health`, `write_log`, `pause`,
    `rename_container`, `go_away`, `come_back`, `hang`, `release`, `lose_answers`. What no engine
    could do raises ImpossibleWorldError.

    Records: `calls` counts the calls that reached the engine, by name; `executed` and `rehearsed`
    list what was run.
    """

    def __init__(
        self,
        instance: str = "memory",
        *,
        images: Iterable[str] = (),
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(images=images, clock=clock)
        self.instance = check_instance(instance)
        self.start_delay = 0.0
        self.execute_delay = 0.0
        self.used: dict[str, Counters] = {}

    def engine_time(self) -> float:
        """Return the time of this runtime's clock."""
        return self._clock()

    async def info(self) -> EngineInfo:
        """Return what this runtime says about itself."""
        ahead = self.engine_time() - time.time()
        ahead = ahead if abs(ahead) > 1 else 0.0
        info = EngineInfo(version="memory", api_version="1.41", ahead=ahead)
        return await self._read("info", lambda: info)

    async def list_containers(self) -> list[ListedContainer]:
        """List all containers."""

        def ask() -> list[ListedContainer]:
            found = self.containers.items()
            return [_row(bot_id, held.seen) for bot_id, held in found if not held.seen.misnamed]

        return await self._read("list_containers", ask)

    async def list_volumes(self) -> list[VolumeInfo]:
        """List all volumes."""

        def ask() -> list[VolumeInfo]:
            return [
                VolumeInfo(bot_id=bot_id, name=container_name(bot_id))
                for bot_id in sorted(self.volumes)
            ]

        return await self._read("list_volumes", ask)

    async def observe(self, bot_id: str) -> Observation | None:
        """Look at the bot's container."""
        check_bot_id(bot_id)

        def ask() -> Observation | None:
            held = self.find_container(bot_id)
            return None if held is None else held.seen

        return await self._read("observe", ask)

    async def has_volume(self, bot_id: str) -> bool:
        """Whether the bot's volume exists and is ours."""
        check_bot_id(bot_id)
        return await self._read("has_volume", lambda: bot_id in self.volumes)

    async def mounts_of(self, container: str) -> tuple[tuple[str, str, str], ...]:
        """Raise NotFound: no container here has mounts."""
        check_container(container)

        def ask() -> tuple[tuple[str, str, str], ...]:
            raise NotFound("That container doesn't exist.")

        return await self._read("mounts_of", ask)

    async def pin_image(
        self, ref: str, pull: str, *, keep_for: str = "", tell: Told = untold
    ) -> str:
        """Resolve an image reference to an id."""
        check_ref(ref)
        check_pull_rule(pull)

        def ask() -> str:
            if pull != "never" and ref in self.pullable:
                self.images.add(ref)
                for percent in self.percents:
                    tell(percent)
            found = self.image(ref)
            if found is None:
                raise ImageMissing(
                    f"The image {ref} isn't on this machine and couldn't be pulled: no such image."
                )
            if keep_for and not ref.startswith("sha256:"):
                self.kept[check_bot_id(keep_for)] = found
            return found

        return await self._read("pin_image", ask)

    async def newest_image(self, ref: str, pull: str) -> str:
        """Return the id that the reference means now."""
        check_ref(ref)
        check_pull_rule(pull)

        def ask() -> str:
            found = self.image(ref) if pull == "never" or ref in self.pullable else None
            if found is None:
                raise ImageMissing(f"What {ref} means now is unknown: no such image.")
            return found

        return await self._read("newest_image", ask)

    async def image_version(self, image: str) -> ImageVersion:
        """Return the labels that the image was given here."""
        check_ref(image)

        def ask() -> ImageVersion:
            self.require_image(image)
            return self.versions.get(self.image(image) or "", ImageVersion())

        return await self._read("image_version", ask)

    async def keep_images(self, bot_id: str, kept: Mapping[str, str]) -> None:
        """Keep exactly these images of the bot."""
        check_bot_id(bot_id)
        await self._write("keep_images", lambda: self.do_keep_images(bot_id, kept))

    async def create(self, spec: ContainerSpec) -> str:
        """Create the container and its volume, or adopt the existing container."""
        check_spec(spec)
        return await self._write("create", lambda: self.do_create(spec))

    async def start(self, bot_id: str) -> bool:
        """Start or unpause the container. Returns whether it was paused."""
        check_bot_id(bot_id)
        if self.start_delay:
            await asyncio.sleep(self.start_delay)
        return await self._write("start", lambda: self.do_start(bot_id))

    async def rename(self, bot_id: str) -> bool:
        """Give the container its own name back. Returns whether it had another."""
        check_bot_id(bot_id)
        return await self._write("rename", lambda: self.do_rename(bot_id))

    async def stop(self, bot_id: str, timeout: int) -> None:  # noqa: ASYNC109
        """Stop the container."""
        check_bot_id(bot_id)
        await self._write("stop", lambda: self.do_stop(bot_id))

    async def restart(self, bot_id: str, timeout: int) -> None:  # noqa: ASYNC109
        """Stop the container and start it again."""
        check_bot_id(bot_id)

        def do() -> None:
            self.require_container(bot_id)
            self.do_stop(bot_id)
            self.do_start(bot_id)

        await self._write("restart", do)

    async def remove(self, bot_id: str, timeout: int) -> None:  # noqa: ASYNC109
        """Stop the container and remove it."""
        check_bot_id(bot_id)

        await self._write("remove", lambda: self.do_remove(bot_id))

    async def remove_unstarted(self, bot_id: str) -> bool:
        """Remove a container that never ran."""
        check_bot_id(bot_id)
        return await self._write("remove_unstarted", lambda: self.do_remove_unstarted(bot_id))

    async def remove_volume(self, bot_id: str) -> None:
        """Remove the bot's volume."""
        name = container_name(bot_id)

        def do() -> None:
            if name in self.foreign_volumes:
                raise foreign("volume", name, code="foreign-volume")
            both = (self.containers.get(bot_id), self.parked.get(bot_id))
            uses = any(held.spec.state_path for held in both if held is not None)
            if bot_id in self.volumes and (uses or name in self.volume_users):
                raise Conflict("A container still uses the bot's volume.")
            self.volumes.discard(bot_id)
            self.seeded.pop(bot_id, None)

        await self._write("remove_volume", do)

    async def let_go(self, bot_id: str) -> None:
        """Forget the network with the last container."""
        check_bot_id(bot_id)
        await self._write("let_go", lambda: self.do_let_go(bot_id))

    async def list_kept(self) -> list[str]:
        """List the bots whose images are kept."""
        return await self._read("list_kept", self.keepers)

    async def network(self) -> NetworkInfo:
        """Return what this runtime says about its network."""
        return await self._read("network", lambda: self.network_info)

    async def logs(self, bot_id: str, query: LogQuery) -> LogPart:
        """Return the last lines of the container's log that match the query."""
        check_bot_id(bot_id)

        def ask() -> LogPart:
            log = self.require_container(bot_id).log
            tail, looked = LogTail(query), len(log) if query.until else LOOK_BACK
            for line in list(log)[-looked:]:
                tail.add(line)
            return tail.part(more=len(log) > looked)

        return await self._read("logs", ask)

    def follow(self, bot_id: str, since: float) -> MemoryLog:
        """Return the container's log as it is written."""
        return MemoryLog(self, check_bot_id(bot_id), since)

    def events(self) -> MemoryEvents:
        """Return an endless stream of events."""
        return MemoryEvents(self)

    async def probe(self, probe: Probe) -> ProbeResult:
        """Return what `answer_probe` returns."""
        check_ref(probe.image)
        check_user(probe.user)

        def do() -> ProbeResult:
            self.require_image(probe.image)
            self.require_source(probe.secrets_source)
            return self.answer_probe(probe)

        return await self._write("probe", do)

    async def execute(
        self,
        bot_id: str,
        command: tuple[str, ...],
        timeout: float,  # noqa: ASYNC109 - the command's own
        *,
        asked: bool = False,
    ) -> ProbeResult:
        """Return what `answer_execute` returns, after `execute_delay`."""
        check_bot_id(bot_id)
        check_command(command, timeout)
        del asked  # nothing has to share threads here
        if self.execute_delay and not self.away:
            self.require_running(bot_id)
            await asyncio.sleep(min(self.execute_delay, timeout))
            if self.execute_delay > timeout:
                raise took_too_long(timeout)
        return await self._write("execute", lambda: self.do_execute(bot_id, command))

    async def rehearse(
        self,
        spec: ContainerSpec,
        command: tuple[str, ...],
        timeout: float,  # noqa: ASYNC109 - the command's own
    ) -> ProbeResult:
        """Return what `answer_rehearse` returns."""
        check_spec(spec)
        check_command(command, timeout)
        return await self._write("rehearse", lambda: self.do_rehearse(spec, command))

    async def image_has(self, image: str, paths: tuple[str, ...]) -> frozenset[str]:
        """Return the paths that aren't `absent`."""
        check_ref(image)
        check_paths(paths)

        def ask() -> frozenset[str]:
            self.require_image(image)
            return frozenset(paths) - self.absent

        return await self._read("image_has", ask)

    async def save_state(
        self, bot_id: str, spec: ContainerSpec | None, take: Callable[[bytes], None], *, pause: bool
    ) -> None:
        """Give the volume's files to `take`; nothing runs here that had to be frozen."""
        await self._write("save_state", lambda: self.do_save_state(bot_id, spec, take))

    async def fill_state(self, spec: ContainerSpec, archive: Path) -> None:
        """Create the volume with those files."""
        await self._write("fill_state", lambda: self.do_fill_state(spec, archive))

    async def sweep(self) -> None:
        """Do nothing: no throw-away container is ever left behind here."""
        await self._read("sweep", lambda: None)

    async def close(self) -> None:
        """End the streams."""
        for feed in list(self.feeds):
            await feed.aclose()
        for held in self.containers.values():
            held.hang_up()


def _row(bot_id: str, seen: Observation) -> ListedContainer:
    return ListedContainer(
        bot_id=bot_id,
        container_id=seen.container_id,
        state=seen.state,
        health=seen.health,
        name=container_name(bot_id),
        status=seen.state.value.capitalize(),
    )


if TYPE_CHECKING:
    _keeps_the_contract: type[Runtime] = MemoryRuntime

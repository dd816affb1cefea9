"""The promise of `protocol.Runtime`, kept with one Docker engine."""

from __future__ import annotations

import asyncio
import math
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from docker import APIClient
from docker.errors import APIError
from docker.errors import NotFound as DockerNotFound

from controller.domain.errors import NotFound, OutcomeUnknown
from controller.domain.events import LogLine, LogQuery
from controller.domain.names import is_bot_id
from controller.domain.observation import ContainerState, ListedContainer, Observation
from controller.domain.spec import BOT_LABEL, INSTANCE_LABEL, MANAGED_LABEL, ContainerSpec
from controller.runtime import images, inspection, making, throwaway, volumes
from controller.runtime.calls import Calls
from controller.runtime.events import EventFeed
from controller.runtime.gate import (
    check_command,
    check_container,
    check_instance,
    check_paths,
    check_ref,
    check_spec,
    check_user,
    container_name,
)
from controller.runtime.inside import Execution
from controller.runtime.options import EngineOptions
from controller.runtime.protocol import EngineInfo, Probe, ProbeResult, Runtime, VolumeInfo
from controller.runtime.reading import read_log

READ_SECONDS = 5.0
LOG_SECONDS = 20.0
WRITE_SECONDS = 60.0
INSIDE_SECONDS = 20.0  # for the engine's part, besides the program's own time

_Json = dict[str, Any]


class EngineRuntime:
    """Runs the bots of one installation on a Docker engine."""

    def __init__(
        self, instance: str, options: EngineOptions, *, network_name: str | None = None
    ) -> None:
        self._instance = check_instance(instance)
        self._network = network_name or f"botmaker-{instance}"
        self._calls = Calls(options)
        self._feeds: weakref.WeakSet[EventFeed] = weakref.WeakSet()
        self._ours = {"label": [f"{MANAGED_LABEL}=true", f"{INSTANCE_LABEL}={instance}"]}

    async def info(self) -> EngineInfo:
        """Ask the engine who it is."""
        return await self._calls(_info, write=False, limit=READ_SECONDS)

    async def list_containers(self) -> list[ListedContainer]:
        """Every container of ours, in one request."""

        def ask(client: APIClient) -> list[_Json]:
            return list(client.containers(all=True, filters=self._ours))

        rows = await self._calls(ask, write=False, limit=READ_SECONDS)
        return [seen for seen in map(inspection.listed, rows) if seen is not None]

    async def list_volumes(self) -> list[VolumeInfo]:
        """Every volume of ours."""

        def ask(client: APIClient) -> list[_Json]:
            return list(client.volumes(filters=self._ours).get("Volumes") or ())

        rows = await self._calls(ask, write=False, limit=READ_SECONDS)
        pairs = [((row.get("Labels") or {}).get(BOT_LABEL, ""), row["Name"]) for row in rows]
        return [
            VolumeInfo(bot_id=bot_id, name=name)
            for bot_id, name in pairs
            if is_bot_id(bot_id) and name == container_name(bot_id)
        ]

    async def observe(self, bot_id: str) -> Observation | None:
        """Look at one bot's container."""
        container_name(bot_id)

        def ask(client: APIClient) -> Observation | None:
            seen = making.look(client, self._instance, bot_id)
            if seen is not None and inspection.state_of(seen) is ContainerState.EXITED:
                seen = self._look_anew(bot_id)
            return None if seen is None else inspection.observation(seen)

        return await self._calls(ask, write=False, limit=READ_SECONDS)

    async def has_volume(self, bot_id: str) -> bool:
        """Whether the bot's volume exists and is ours."""
        name = container_name(bot_id)

        def ask(client: APIClient) -> bool:
            seen = volumes.look_volume(client, name)
            labels = None if seen is None else seen.get("Labels")
            return inspection.is_ours(labels, self._instance, bot_id)

        return await self._calls(ask, write=False, limit=READ_SECONDS)

    async def mounts_of(self, container: str) -> tuple[tuple[str, str, str], ...]:
        """The mounts of any container, read only."""
        check_container(container)

        def ask(client: APIClient) -> tuple[tuple[str, str, str], ...]:
            mounts = client.inspect_container(container).get("Mounts") or []
            return tuple((m["Type"], m.get("Source") or "", m["Destination"]) for m in mounts)

        return await self._calls(ask, write=False, limit=READ_SECONDS)

    async def pin_image(self, ref: str, pull: str) -> str:
        """Resolve a reference to a digest or id, pulling for at most ten minutes."""
        check_ref(ref)

        def ask(client: APIClient) -> str:
            return images.pin(client, ref, pull, self._calls.closing)

        # A pull that is cut off is done again from where it was: as harmless as a read.
        if pull == "never":
            return await self._calls(ask, write=False, limit=READ_SECONDS)
        limit = images.PULL_SECONDS + READ_SECONDS
        return await self._calls(ask, write=False, limit=limit, lane="pull")

    async def create(self, spec: ContainerSpec) -> str:
        """Make the container, its network and its volume, or adopt the one that is there."""
        check_spec(spec)

        def do(client: APIClient) -> str:
            return making.create(client, spec, self._instance, self._network)

        return await self._calls(do, write=True, limit=WRITE_SECONDS)

    async def start(self, bot_id: str) -> None:
        """Start or unpause the container."""
        container_name(bot_id)

        def do(client: APIClient) -> None:
            seen = self._require(client, bot_id)
            state = inspection.state_of(seen)
            if state is ContainerState.PAUSED:
                client.unpause(seen["Id"])
            elif state is not ContainerState.RUNNING:
                self._on_the_network(client, seen["Id"], lambda: client.start(seen["Id"]))

        await self._calls(do, write=True, limit=WRITE_SECONDS)

    async def stop(self, bot_id: str, timeout: int) -> None:  # noqa: ASYNC109 - the engine's grace
        """Stop the container with that grace."""
        container_name(bot_id)

        def do(client: APIClient) -> None:
            seen = making.look(client, self._instance, bot_id)
            if seen is not None:
                _stop(client, seen, timeout)

        await self._calls(do, write=True, limit=WRITE_SECONDS + timeout)

    async def restart(self, bot_id: str, timeout: int) -> None:  # noqa: ASYNC109
        """Stop the container with that grace and start it again."""
        container_name(bot_id)

        def do(client: APIClient) -> None:
            seen = self._require(client, bot_id)
            if inspection.state_of(seen) is ContainerState.PAUSED:
                client.unpause(seen["Id"])
            self._on_the_network(
                client, seen["Id"], lambda: client.restart(seen["Id"], timeout=timeout)
            )

        await self._calls(do, write=True, limit=WRITE_SECONDS + timeout)

    async def remove(self, bot_id: str, timeout: int) -> None:  # noqa: ASYNC109
        """Stop the container with that grace and remove it."""
        container_name(bot_id)

        def do(client: APIClient) -> None:
            seen = making.look(client, self._instance, bot_id)
            if seen is None:
                return
            _stop(client, seen, timeout)
            try:
                client.remove_container(seen["Id"], v=True, force=True)
            except DockerNotFound:
                return
            except APIError as error:
                if error.status_code != 409:
                    raise
                raise OutcomeUnknown(
                    "The container is being removed already.",
                    hint="The controller looks again by itself.",
                ) from error

        await self._calls(do, write=True, limit=WRITE_SECONDS + timeout)

    async def remove_volume(self, bot_id: str) -> None:
        """Remove the bot's volume."""
        container_name(bot_id)

        def do(client: APIClient) -> None:
            volumes.remove_volume(client, bot_id, self._instance)

        await self._calls(do, write=True, limit=WRITE_SECONDS)

    async def logs(self, bot_id: str, query: LogQuery) -> list[LogLine]:
        """The last lines of the container's log that fit the query."""
        container_name(bot_id)

        def ask(client: APIClient) -> list[LogLine]:
            seen = self._require(client, bot_id)
            return read_log(client, seen["Id"], query, seconds=LOG_SECONDS)

        return await self._calls(ask, write=False, limit=LOG_SECONDS)

    def events(self) -> EventFeed:
        """Events of our containers, for ever; its thread begins with the first `anext`."""
        feed = EventFeed(self._calls, self._instance)
        self._feeds.add(feed)
        return feed

    async def probe(self, probe: Probe) -> ProbeResult:
        """Run a throw-away container and remove it, also when nobody waits for it any more."""
        check_ref(probe.image)
        check_user(probe.user)

        def do(client: APIClient) -> ProbeResult:
            return throwaway.run_probe(client, probe, self._instance)

        return await self._calls(do, write=True, limit=WRITE_SECONDS + probe.timeout)

    async def execute(
        self,
        bot_id: str,
        command: tuple[str, ...],
        timeout: float,  # noqa: ASYNC109 - the command's own
    ) -> ProbeResult:
        """Run a program inside the bot's container; hang up when nobody waits for it any more."""
        container_name(bot_id)
        check_command(command, timeout)
        run = Execution(command, timeout)

        def do(client: APIClient) -> ProbeResult:
            return run(client, self._require(client, bot_id))

        try:
            limit = INSIDE_SECONDS + timeout
            return await self._calls(do, write=True, limit=limit, lane="inside")
        finally:
            run.give_up()

    async def rehearse(
        self,
        spec: ContainerSpec,
        command: tuple[str, ...],
        timeout: float,  # noqa: ASYNC109 - the command's own
    ) -> ProbeResult:
        """Run a command in a throw-away container as the spec's, and remove it."""
        check_spec(spec)
        check_command(command, timeout)

        def do(client: APIClient) -> ProbeResult:
            return throwaway.rehearse(client, spec, command, timeout, self._instance)

        return await self._calls(do, write=True, limit=WRITE_SECONDS + timeout, lane="inside")

    async def image_has(self, image: str, paths: tuple[str, ...]) -> frozenset[str]:
        """Which of the paths exist in an image, looked up in a container that is never started."""
        check_ref(image)
        check_paths(paths)

        def ask(client: APIClient) -> frozenset[str]:
            return throwaway.image_has(client, image, paths, self._instance)

        # It makes something, so it waits with the writes; nothing of it stays, so it reads.
        return await self._calls(ask, write=False, limit=INSIDE_SECONDS, lane="write")

    async def sweep(self) -> None:
        """Remove what a controller that died in the middle of a probe or a rehearsal left."""

        def do(client: APIClient) -> None:
            throwaway.sweep(client, self._instance, older_than=-math.inf)

        await self._calls(do, write=False, limit=WRITE_SECONDS, lane="write")

    async def close(self) -> None:
        """Let go of threads and sockets."""
        for feed in list(self._feeds):
            feed.close()
        self._calls.close()
        await asyncio.sleep(0)

    def _look_anew(self, bot_id: str) -> _Json | None:
        """Look through a new connection.

        An engine that is told to stop ends its containers first. It answers on connections that
        stand all the while, but takes no new one: what is seen through those is not to be acted on.
        """
        client = self._calls.connect(READ_SECONDS)
        try:
            return making.look(client, self._instance, bot_id)
        finally:
            self._calls.release(client)

    def _require(self, client: APIClient, bot_id: str) -> _Json:
        seen = making.look(client, self._instance, bot_id)
        if seen is None:
            raise NotFound("The bot has no container.")
        return seen

    def _on_the_network(
        self, client: APIClient, container_id: str, act: Callable[[], None]
    ) -> None:
        """Act on a container; where somebody removed our network, mend that and act again."""
        try:
            act()
        except DockerNotFound:
            try:
                client.inspect_container(container_id)
            except DockerNotFound:
                raise NotFound("The bot has no container.") from None
            making.rejoin_network(client, container_id, self._network, self._instance)
            act()


def _info(client: APIClient) -> EngineInfo:
    version, info = client.version(), client.info()
    security = tuple(option for option in info.get("SecurityOptions") or ())
    return EngineInfo(
        version=str(version.get("Version", "")),
        api_version=str(client.api_version),
        os=str(info.get("OperatingSystem") or ""),
        rootless=any("rootless" in option for option in security),
        security=security,
        live_restore=bool(info.get("LiveRestoreEnabled")),
    )


def _stop(client: APIClient, seen: _Json, grace: int) -> None:
    state = inspection.state_of(seen)
    if not state.active:
        return
    try:
        if state is ContainerState.PAUSED:
            client.unpause(seen["Id"])  # a frozen process cannot use its grace
        client.stop(seen["Id"], timeout=grace)
    except DockerNotFound:
        return


if TYPE_CHECKING:
    _keeps_the_promise: type[Runtime] = EngineRuntime

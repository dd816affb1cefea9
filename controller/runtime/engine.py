"""Keeps the contract of `protocol.Runtime` with one Docker engine."""

from __future__ import annotations

import asyncio
import threading
import weakref
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from docker import APIClient
from docker.errors import NotFound as DockerNotFound

from controller.domain.errors import NotFound
from controller.domain.events import LogPart, LogQuery
from controller.domain.names import is_bot_id
from controller.domain.observation import ContainerState, ListedContainer, Observation
from controller.domain.spec import BOT_LABEL, ContainerSpec
from controller.runtime import (
    claims,
    creation,
    kept_images,
    networks,
    observations,
    volumes,
)
from controller.runtime.calls import Calls
from controller.runtime.engine_images import EngineImages
from controller.runtime.engine_parking import EngineParking
from controller.runtime.engine_programs import READ_SECONDS, WRITE_SECONDS
from controller.runtime.engine_states import EngineStates
from controller.runtime.engine_usage import EngineUsage
from controller.runtime.event_feed import EventFeed
from controller.runtime.log_budget import TOGETHER, TOGETHER_MOST, Allowance, LogBudget
from controller.runtime.log_feed import LogFeed
from controller.runtime.log_reading import read_log
from controller.runtime.options import EngineOptions
from controller.runtime.protocol import EngineInfo, NetworkInfo, Runtime, VolumeInfo
from controller.runtime.validation import (
    check_bot_id,
    check_container,
    check_instance,
    check_spec,
    container_name,
)

LOG_SECONDS = 20.0

_Json = dict[str, Any]


class EngineRuntime(EngineParking, EngineStates, EngineUsage, EngineImages):
    """Runs the bots of one installation on a Docker engine."""

    def __init__(self, instance: str, options: EngineOptions, *, subnet: str = "") -> None:
        self._network = networks.Network(f"{networks.NAME_START}{instance}", instance, subnet)
        super().__init__(check_instance(instance), Calls(options))
        self._feeds: weakref.WeakSet[EventFeed | LogFeed] = weakref.WeakSet()
        self._logs_together = Allowance(TOGETHER, TOGETHER_MOST)

    def engine_time(self) -> float:
        """The engine's time now, as its answers have told it."""
        return self._calls.clock.now()

    async def info(self) -> EngineInfo:
        """Ask the engine about itself."""
        info = await self._calls(_info, write=False, limit=READ_SECONDS, lane="watch")
        return replace(info, ahead=self._calls.clock.ahead)

    async def list_containers(self) -> list[ListedContainer]:
        """List all our containers in one request."""

        def ask(client: APIClient) -> list[_Json]:
            return list(client.containers(all=True, filters=self._ours))

        rows = await self._calls(ask, write=False, limit=READ_SECONDS, lane="watch")
        return [one for one in map(observations.listed, rows) if one is not None]

    async def list_volumes(self) -> list[VolumeInfo]:
        """List all our volumes."""

        def ask(client: APIClient) -> list[_Json]:
            return list(client.volumes(filters=self._ours).get("Volumes") or ())

        rows = await self._calls(ask, write=False, limit=READ_SECONDS)
        found = [
            VolumeInfo(
                bot_id=(row.get("Labels") or {}).get(BOT_LABEL, ""),
                name=row["Name"],
                created=observations.parse_time(row.get("CreatedAt")),
            )
            for row in rows
        ]
        return [
            one for one in found if is_bot_id(one.bot_id) and one.name == container_name(one.bot_id)
        ]

    async def observe(self, bot_id: str) -> Observation | None:
        """Inspect the bot's container."""
        check_bot_id(bot_id)

        def ask(client: APIClient) -> Observation | None:
            inspected = creation.find_container(client, self._instance, bot_id)
            if inspected is not None and observations.state_of(inspected) is ContainerState.EXITED:
                inspected = self._find_over_new_connection(bot_id)
            return None if inspected is None else observations.observation(inspected)

        return await self._calls(ask, write=False, limit=READ_SECONDS)

    async def has_volume(self, bot_id: str) -> bool:
        """Whether the bot's volume exists and is ours."""
        name = container_name(bot_id)

        def ask(client: APIClient) -> bool:
            inspected = volumes.inspect_volume(client, name)
            labels = None if inspected is None else inspected.get("Labels")
            return observations.is_ours(labels, self._instance, bot_id)

        return await self._calls(ask, write=False, limit=READ_SECONDS)

    async def mounts_of(self, container: str) -> tuple[tuple[str, str, str], ...]:
        """Return any container's mounts."""
        check_container(container)

        def ask(client: APIClient) -> tuple[tuple[str, str, str], ...]:
            mounts = client.inspect_container(container).get("Mounts") or []
            return tuple((m["Type"], m.get("Source") or "", m["Destination"]) for m in mounts)

        return await self._calls(ask, write=False, limit=READ_SECONDS)

    async def inspected(self, container: str) -> tuple[_Json, _Json]:
        """Any container and its image, as the engine describes them: for whoever takes one over.

        The image is empty where it is gone. What is in there may be secret.
        """
        check_container(container)

        def ask(client: APIClient) -> tuple[_Json, _Json]:
            found = dict(client.inspect_container(container))
            try:
                image: _Json = client.inspect_image(found["Image"])  # type: ignore[no-untyped-call]
            except DockerNotFound:
                return found, {}
            return found, image

        return await self._calls(ask, write=False, limit=READ_SECONDS)

    async def claims(self) -> list[claims.Claim]:
        """Every container that says it is a bot's, of whichever installation."""
        return await self._calls(claims.claims, write=False, limit=LOG_SECONDS)

    async def create(self, spec: ContainerSpec) -> str:
        """Create the container with its network and volume, or adopt the existing container."""
        check_spec(spec)

        given_up = threading.Event()

        def do(client: APIClient) -> str:
            return creation.create(client, spec, self._instance, self._network, given_up)

        try:
            return await self._calls(do, write=True, limit=WRITE_SECONDS)
        finally:
            given_up.set()

    async def start(self, bot_id: str) -> bool:
        """Start or unpause the container. Returns whether it was paused."""
        check_bot_id(bot_id)

        def do(client: APIClient) -> bool:
            inspected = creation.require_container(client, self._instance, bot_id)
            container_id, state = inspected["Id"], observations.state_of(inspected)
            if state is ContainerState.PAUSED:
                client.unpause(container_id)
            elif state is not ContainerState.RUNNING:
                self._retry_with_network(client, container_id, lambda: client.start(container_id))
            return state is ContainerState.PAUSED

        return await self._calls(do, write=True, limit=WRITE_SECONDS)

    async def rename(self, bot_id: str) -> bool:
        """Give the container its own name back. Returns whether it had another."""
        check_bot_id(bot_id)

        def do(client: APIClient) -> bool:
            return creation.rename(client, self._instance, bot_id)

        return await self._calls(do, write=True, limit=WRITE_SECONDS)

    async def stop(self, bot_id: str, timeout: int) -> None:  # noqa: ASYNC109 - the engine's grace
        """Stop the container with that grace."""
        check_bot_id(bot_id)

        def do(client: APIClient) -> None:
            inspected = creation.find_container(client, self._instance, bot_id)
            if inspected is not None:
                creation.stop(client, inspected, timeout)

        await self._calls(do, write=True, limit=WRITE_SECONDS + timeout, lane="stop")

    async def restart(self, bot_id: str, timeout: int) -> None:  # noqa: ASYNC109
        """Stop the container with that grace and start it again."""
        check_bot_id(bot_id)

        def do(client: APIClient) -> None:
            inspected = creation.require_container(client, self._instance, bot_id)
            container_id = inspected["Id"]
            if observations.state_of(inspected) is ContainerState.PAUSED:
                client.unpause(container_id)
            self._retry_with_network(
                client, container_id, lambda: client.restart(container_id, timeout=timeout)
            )

        await self._calls(do, write=True, limit=WRITE_SECONDS + timeout, lane="stop")

    async def remove(self, bot_id: str, timeout: int) -> None:  # noqa: ASYNC109
        """Stop the container with that grace and remove it."""
        check_bot_id(bot_id)

        def do(client: APIClient) -> None:
            inspected = creation.find_container(client, self._instance, bot_id)
            if inspected is None:
                return
            creation.stop(client, inspected, timeout)
            creation.remove(client, inspected["Id"])

        await self._calls(do, write=True, limit=WRITE_SECONDS + timeout, lane="stop")

    async def remove_unstarted(self, bot_id: str) -> bool:
        """Remove a container that never ran."""
        check_bot_id(bot_id)

        def do(client: APIClient) -> bool:
            return creation.remove_unstarted(client, self._instance, bot_id)

        return await self._calls(do, write=True, limit=WRITE_SECONDS)

    async def remove_volume(self, bot_id: str) -> None:
        """Remove the bot's volume."""
        check_bot_id(bot_id)

        def do(client: APIClient) -> None:
            volumes.remove_volume(client, bot_id, self._instance)

        await self._calls(do, write=True, limit=WRITE_SECONDS)

    async def let_go(self, bot_id: str) -> None:
        """Give back what a bot needs only as long as it exists."""
        check_bot_id(bot_id)

        def do(client: APIClient) -> None:
            kept_images.let_go(client, self._instance, bot_id)
            networks.remove_unused(client, self._network)

        await self._calls(do, write=True, limit=WRITE_SECONDS)

    async def network(self) -> NetworkInfo:
        """Describe our network, and find those of gone installations."""

        def ask(client: APIClient) -> NetworkInfo:
            return networks.describe(client, self._network)

        return await self._calls(ask, write=False, limit=READ_SECONDS)

    async def logs(self, bot_id: str, query: LogQuery) -> LogPart:
        """Return the last lines of the container's log that match the query."""
        check_bot_id(bot_id)

        def ask(client: APIClient) -> LogPart:
            inspected = creation.require_container(client, self._instance, bot_id)
            return read_log(client, inspected["Id"], query, seconds=LOG_SECONDS)

        return await self._calls(ask, write=False, limit=LOG_SECONDS, lane="log")

    def follow(self, bot_id: str, since: float) -> LogFeed:
        """Return the container's log as it is written. Its thread begins with the first `anext`."""
        budget = LogBudget(self._logs_together)
        feed = LogFeed(self._calls, budget, self._instance, check_bot_id(bot_id), since)
        self._feeds.add(feed)
        return feed

    def events(self) -> EventFeed:
        """Return an endless stream of events. Its thread begins with the first `anext`."""
        feed = EventFeed(self._calls, self._instance)
        self._feeds.add(feed)
        return feed

    async def close(self) -> None:
        """Release threads and sockets."""
        for feed in list(self._feeds):
            feed.close()
        self._calls.close()
        await asyncio.sleep(0)

    def _find_over_new_connection(self, bot_id: str) -> _Json | None:
        """Inspect the bot's container over a new connection.

        An engine that is shutting down stops its containers first. Meanwhile it still answers on
        existing connections, but accepts no new one. So what an existing connection shows then
        isn't a reason to act.
        """
        client = self._calls.connect(READ_SECONDS)
        try:
            return creation.find_container(client, self._instance, bot_id)
        finally:
            self._calls.release(client)

    def _retry_with_network(
        self, client: APIClient, container_id: str, act: Callable[[], None]
    ) -> None:
        """Act on a container. If somebody removed our network, restore it and act again."""
        try:
            act()
        except DockerNotFound:
            try:
                client.inspect_container(container_id)
            except DockerNotFound:
                raise NotFound("The bot has no container.") from None
            networks.rejoin_network(client, container_id, self._network)
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


if TYPE_CHECKING:
    _keeps_the_contract: type[Runtime] = EngineRuntime

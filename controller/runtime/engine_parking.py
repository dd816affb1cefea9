"""The part of `engine` that keeps a bot's former container while another is tried."""

from __future__ import annotations

import threading
from typing import Any

from docker import APIClient
from docker.errors import NotFound as DockerNotFound

from controller.domain.errors import Conflict
from controller.domain.observation import Observation
from controller.domain.spec import ContainerSpec
from controller.runtime import creation, hostconfig, observations, throwaway, volumes
from controller.runtime.engine_programs import READ_SECONDS, WRITE_SECONDS, EnginePrograms
from controller.runtime.faults import foreign
from controller.runtime.validation import (
    check_bot_id,
    check_spec,
    container_name,
    previous_name,
)

_Json = dict[str, Any]
_NO_RESTART = "no"


class EngineParking(EnginePrograms):
    """Parks containers of a Docker engine; `Parking` says what each call promises."""

    async def list_parked(self) -> list[str]:
        """List the bots that have a parked container."""

        def ask(client: APIClient) -> list[_Json]:
            return list(client.containers(all=True, filters=self._ours))

        rows = await self._calls(ask, write=False, limit=READ_SECONDS)
        return [bot_id for bot_id in map(observations.parked_for, rows) if bot_id]

    async def observe_previous(self, bot_id: str) -> Observation | None:
        """Inspect the bot's parked container."""
        check_bot_id(bot_id)

        def ask(client: APIClient) -> Observation | None:
            inspected = _find(client, self._instance, bot_id)
            return None if inspected is None else observations.observation(inspected)

        return await self._calls(ask, write=False, limit=READ_SECONDS)

    async def park(self, bot_id: str, timeout: int) -> None:  # noqa: ASYNC109 - the engine's grace
        """Rename the container, stop it, take its restart policy away."""
        check_bot_id(bot_id)

        def do(client: APIClient) -> None:
            inspected = _find(client, self._instance, bot_id)
            if inspected is None:
                inspected = creation.find_container(client, self._instance, bot_id)
                if inspected is None:
                    return
                client.rename(inspected["Id"], previous_name(bot_id))
            creation.stop(client, inspected, timeout)
            _set_policy(client, inspected["Id"], _NO_RESTART)

        await self._calls(do, write=True, limit=WRITE_SECONDS + timeout, lane="stop")

    async def unpark(self, bot_id: str, restart: str) -> None:
        """Give the parked container its restart policy and its own name back."""
        check_bot_id(bot_id)

        def do(client: APIClient) -> None:
            inspected = _find(client, self._instance, bot_id)
            if inspected is None:
                return
            if creation.find_container(client, self._instance, bot_id) is not None:
                raise Conflict("The bot has another container.")
            # The policy first: under its own name a container always has its own.
            _set_policy(client, inspected["Id"], restart)
            client.rename(inspected["Id"], container_name(bot_id))

        await self._calls(do, write=True, limit=WRITE_SECONDS)

    async def reseed(self, spec: ContainerSpec) -> None:
        """Put the spec's seeds into its volume, through a helper that is never started."""
        check_spec(spec)
        if not spec.seeds:
            return
        given_up = threading.Event()

        def do(client: APIClient) -> None:
            throwaway.require_image(client, spec.image)
            volumes.ensure_volume(client, spec, self._instance)
            volumes.prepare_volume(client, spec, self._instance, given_up)

        try:
            await self._calls(do, write=True, limit=WRITE_SECONDS)
        finally:
            given_up.set()

    async def remove_previous(self, bot_id: str) -> None:
        """Remove the parked container."""
        check_bot_id(bot_id)

        def do(client: APIClient) -> None:
            inspected = _find(client, self._instance, bot_id)
            if inspected is not None:
                creation.remove(client, inspected["Id"])

        await self._calls(do, write=True, limit=WRITE_SECONDS)


def _find(client: APIClient, instance: str, bot_id: str) -> _Json | None:
    """Inspect the bot's parked container. Raises Conflict if it isn't ours."""
    name = previous_name(bot_id)
    try:
        inspected: _Json = client.inspect_container(name)
    except DockerNotFound:
        return None
    ours = observations.is_ours(observations.labels_of(inspected), instance, bot_id)
    if inspected.get("Name") != f"/{name}" or not ours:
        raise foreign("container", name, code="foreign-container")
    return inspected


def _set_policy(client: APIClient, container_id: str, restart: str) -> None:
    policy: Any = hostconfig.restart_policy(restart)
    client.update_container(container_id, restart_policy=policy)

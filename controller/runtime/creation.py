"""Does what `create` needs at the engine, step by step. Blocking: only for the threads of `calls`.

Next door: `volumes` prepares what a container mounts, `throwaway` creates the containers that don't
stay. The order matters: whatever a container needs is complete before the container exists, so a
controller that dies in between leaves nothing that could be started half-made.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

from docker import APIClient
from docker.errors import APIError
from docker.errors import NotFound as DockerNotFound

from controller.domain.errors import OutcomeUnknown
from controller.domain.spec import INSTANCE_LABEL, ContainerSpec
from controller.runtime import hostconfig, volumes
from controller.runtime.faults import foreign
from controller.runtime.observations import is_ours, labels_of
from controller.runtime.throwaway import create_container, require_image
from controller.runtime.validation import container_name

# Seconds to wait before each try. A container that somebody else is just creating takes its name
# before it can be inspected, and on a busy engine the time between the two is long.
ADOPT_PAUSES = (0.0, 0.05, 0.2, 0.5, 1.0, 2.0)
# Only one thread at a time may look for the network and create it. Measured on 20.10: asked twice
# at once the engine creates two networks of one name, check_duplicate or not, and then refuses
# every start that uses that name as ambiguous.
_NETWORK_LOCK = threading.Lock()

_Json = dict[str, Any]


def find_container(client: APIClient, instance: str, bot_id: str) -> _Json | None:
    """Inspect the bot's container. Returns None if it doesn't exist; Conflict if it isn't ours."""
    name = container_name(bot_id)
    try:
        inspected: _Json = client.inspect_container(name)
    except DockerNotFound:
        return None
    ours = is_ours(labels_of(inspected), instance, bot_id)
    if inspected.get("Name") != f"/{name}" or not ours:
        raise foreign("container", name, code="foreign-container")
    return inspected


def create(client: APIClient, spec: ContainerSpec, instance: str, network: str) -> str:
    """Create or adopt the bot's container. Returns its full id."""
    for pause in ADOPT_PAUSES:
        time.sleep(pause)
        inspected = find_container(client, instance, spec.bot_id)
        if inspected is not None:
            return str(inspected["Id"])
        require_image(client, spec.image)
        reference = ensure_network(client, network, instance)
        if spec.state_path:
            volumes.ensure_volume(client, spec, instance)
        if spec.gives_volume or volumes.would_be_roots(client, spec, instance):
            volumes.prepare_volume(client, spec, instance)
        body = hostconfig.container_body(spec, instance=instance, network=reference)
        try:
            return create_container(client, body, spec.name)
        except APIError as error:
            if error.status_code != 409:
                raise
    raise OutcomeUnknown(
        "Docker is still creating or removing a container of that name.",
        hint="BotMaker checks again by itself.",
    )


def ensure_network(client: APIClient, name: str, instance: str) -> str:
    """Create the installation's network if it doesn't exist.

    Returns its name, or its id where the name would be ambiguous.
    """
    with _NETWORK_LOCK:
        return _ensure_network(client, name, instance)


def _ensure_network(client: APIClient, name: str, instance: str) -> str:
    for _ in range(2):
        # The engine's filter also matches parts of names.
        same = [row for row in client.networks(names=[name]) if row["Name"] == name]
        ours = [row for row in same if (row.get("Labels") or {}).get(INSTANCE_LABEL) == instance]
        if len(ours) != len(same):
            raise foreign("network", name, code="foreign-network")
        if len(ours) == 1:
            return name
        if ours:  # two were created at once: take the older one, by its id, which is unambiguous
            return str(min(ours, key=lambda row: (row["Created"], row["Id"]))["Id"])
        try:
            client.create_network(
                name,
                driver="bridge",
                check_duplicate=True,
                options={"com.docker.network.bridge.enable_icc": "false"},
                labels=hostconfig.network_labels(instance),
            )
        except APIError as error:
            if error.status_code != 409:
                raise
    return name


def rejoin_network(client: APIClient, container_id: str, name: str, instance: str) -> None:
    """Create our network again and connect the container, which knows the lost one by its id."""
    reference = ensure_network(client, name, instance)
    with contextlib.suppress(APIError):
        client.disconnect_container_from_network(container_id, name, force=True)
    client.connect_container_to_network(container_id, reference)

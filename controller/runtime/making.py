"""What `create` does at the engine, step by step. Blocking: only for the calls' threads.

Next door: `volumes` prepares what it mounts, `throwaway` makes the containers that do not stay.
Order matters: whatever a container needs is there and right before the container exists, so that
a controller which dies in between leaves nothing that could be started half-made.
"""

from __future__ import annotations

import contextlib
import threading
import time
from typing import Any

from docker import APIClient
from docker.errors import APIError
from docker.errors import NotFound as DockerNotFound

from controller.domain.errors import Conflict, OutcomeUnknown
from controller.domain.spec import INSTANCE_LABEL, ContainerSpec
from controller.runtime import hostconfig, volumes
from controller.runtime.gate import container_name
from controller.runtime.inspection import is_ours, labels_of
from controller.runtime.throwaway import create_container, require_image

# Seconds before each try. A container that somebody is just making has its name before it can be
# looked at; a busy engine takes its time for that.
ADOPT_PAUSES = (0.0, 0.05, 0.2, 0.5, 1.0, 2.0)
# One look-and-make at a time: 20.10 makes two networks of one name when asked twice at once,
# check_duplicate or not, and then refuses every start by that name as ambiguous.
_NETWORK = threading.Lock()

_Json = dict[str, Any]


def look(client: APIClient, instance: str, bot_id: str) -> _Json | None:
    """Inspect the bot's container; None if there is none, Conflict if it is not ours."""
    name = container_name(bot_id)
    try:
        seen: _Json = client.inspect_container(name)
    except DockerNotFound:
        return None
    if seen.get("Name") != f"/{name}" or not is_ours(labels_of(seen), instance, bot_id):
        raise Conflict(
            f"A container named {name} exists that this installation did not make.",
            hint="Remove or rename it by hand.",
            code="foreign-container",
        )
    return seen


def create(client: APIClient, spec: ContainerSpec, instance: str, network: str) -> str:
    """Make or adopt the bot's container; its full id."""
    for pause in ADOPT_PAUSES:
        time.sleep(pause)
        seen = look(client, instance, spec.bot_id)
        if seen is not None:
            return str(seen["Id"])
        require_image(client, spec.image)
        reference = ensure_network(client, network, instance)
        if spec.state_path:
            volumes.ensure_volume(client, spec, instance)
        if spec.gives_volume:
            volumes.prepare_volume(client, spec, instance)
        body = hostconfig.container_body(spec, instance=instance, network=reference)
        try:
            return create_container(client, body, spec.name)
        except APIError as error:
            if error.status_code != 409:
                raise
    raise OutcomeUnknown(
        "A container of that name is just being made or removed.",
        hint="The controller looks again by itself.",
    )


def ensure_network(client: APIClient, name: str, instance: str) -> str:
    """The installation's network, made when it is not there; its name, or id where needed."""
    with _NETWORK:
        return _ensure_network(client, name, instance)


def _ensure_network(client: APIClient, name: str, instance: str) -> str:
    for _ in range(2):
        # The engine's filter finds parts of names too.
        same = [row for row in client.networks(names=[name]) if row["Name"] == name]
        ours = [row for row in same if (row.get("Labels") or {}).get(INSTANCE_LABEL) == instance]
        if len(ours) != len(same):
            raise Conflict(
                f"A network named {name} exists that this installation did not make.",
                hint="Remove it by hand.",
                code="foreign-network",
            )
        if len(ours) == 1:
            return name
        if ours:  # two were made at once: the older one, by the only word that is not ambiguous
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
    """Make the network again and tie the container to it: it remembers the lost one by its id."""
    reference = ensure_network(client, name, instance)
    with contextlib.suppress(APIError):
        client.disconnect_container_from_network(container_id, name, force=True)
    client.connect_container_to_network(container_id, reference)

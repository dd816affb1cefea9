"""Does what `create` needs at the engine, step by step. Blocking: only for the threads of `calls`.

Next door: `volumes` prepares what a container mounts, `throwaway` creates the containers that don't
stay. The order matters: whatever a container needs is complete before the container exists, so a
controller that dies in between leaves nothing that could be started half-made.
"""

from __future__ import annotations

import contextlib
import threading
from typing import Any

from docker import APIClient
from docker.errors import APIError
from docker.errors import NotFound as DockerNotFound

from controller.domain.errors import Conflict, NotFound, OutcomeUnknown
from controller.domain.observation import ContainerState
from controller.domain.spec import BOT_LABEL, ContainerSpec
from controller.runtime import hostconfig, volumes
from controller.runtime.faults import foreign
from controller.runtime.networks import Network, ensure_network
from controller.runtime.observations import is_ours, labels_of, parse_time, state_of
from controller.runtime.throwaway import check_wanted, create_container, require_image
from controller.runtime.validation import container_name, previous_name

# Seconds to wait before each try. A container that somebody else is just creating takes its name
# before it can be inspected, and on a busy engine the time between the two is long.
ADOPT_PAUSES = (0.0, 0.05, 0.2, 0.5, 1.0, 2.0)

_Json = dict[str, Any]


def find_container(client: APIClient, instance: str, bot_id: str) -> _Json | None:
    """Inspect the bot's container. Returns None if it doesn't exist; Conflict if it isn't ours.

    If somebody renamed it, it's found by its labels.
    """
    name = container_name(bot_id)
    try:
        inspected: _Json = client.inspect_container(name)
    except DockerNotFound:
        return _find_renamed(client, instance, bot_id)
    ours = is_ours(labels_of(inspected), instance, bot_id)
    if inspected.get("Name") != f"/{name}" or not ours:
        raise foreign("container", name, code="foreign-container")
    return inspected


def _find_renamed(client: APIClient, instance: str, bot_id: str) -> _Json | None:
    labels = [f"{key}={value}" for key, value in hostconfig.bot_labels(bot_id, instance).items()]
    found = []
    for row in client.containers(all=True, filters={"label": labels}):
        if f"/{previous_name(bot_id)}" in (row.get("Names") or ()):
            continue
        with contextlib.suppress(DockerNotFound):
            inspected: _Json = client.inspect_container(row["Id"])
            if not _inherits_labels(client, inspected):
                found.append(inspected)
    if len(found) > 1:
        raise Conflict(
            "Several containers carry this bot's labels.",
            hint="Remove all but one by hand.",
            code="foreign-container",
        )
    return found[0] if found else None


def _inherits_labels(client: APIClient, inspected: _Json) -> bool:
    """Whether the labels come from the image, as after a `docker commit`: they prove nothing."""
    try:
        image: _Json = client.inspect_image(inspected["Image"])  # type: ignore[no-untyped-call]
    except DockerNotFound:
        return False
    return BOT_LABEL in ((image.get("Config") or {}).get("Labels") or {})


def rename(client: APIClient, instance: str, bot_id: str) -> bool:
    """Give the bot's container its own name back. Returns whether it had another."""
    inspected = require_container(client, instance, bot_id)
    name = container_name(bot_id)
    if inspected.get("Name") == f"/{name}":
        return False
    client.rename(inspected["Id"], name)
    return True


def require_container(client: APIClient, instance: str, bot_id: str) -> _Json:
    """Inspect the bot's container. Raises NotFound if it doesn't exist, Conflict if not ours."""
    inspected = find_container(client, instance, bot_id)
    if inspected is None:
        raise NotFound("The bot has no container.")
    return inspected


def create(
    client: APIClient,
    spec: ContainerSpec,
    instance: str,
    network: Network,
    given_up: threading.Event,
) -> str:
    """Create or adopt the bot's container. Returns its full id.

    Once `given_up` is set nothing more is created: by then the bot may be gone for good.
    """
    for pause in ADOPT_PAUSES:
        given_up.wait(pause)
        check_wanted(given_up)
        inspected = find_container(client, instance, spec.bot_id)
        if inspected is not None:
            return str(inspected["Id"])
        require_image(client, spec.image)
        check_wanted(given_up)
        reference = ensure_network(client, network, lambda: check_wanted(given_up))
        check_wanted(given_up)
        if spec.state_path:
            volumes.ensure_volume(client, spec, instance)
            check_wanted(given_up)
        if spec.gives_volume or volumes.would_be_roots(client, spec, instance):
            volumes.prepare_volume(client, spec, instance, given_up)
            check_wanted(given_up)
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


def remove_unstarted(client: APIClient, instance: str, bot_id: str) -> bool:
    """Remove the bot's container if it never ran. Returns whether it's gone now."""
    inspected = find_container(client, instance, bot_id)
    if inspected is None:
        return True
    started = parse_time((inspected.get("State") or {}).get("StartedAt"))
    if started or state_of(inspected) is not ContainerState.CREATED:
        return False
    try:
        client.remove_container(inspected["Id"], v=True)  # without force, running ones are refused
    except DockerNotFound:
        return True
    except APIError as error:
        if error.status_code != 409:
            raise
        return False
    return True


def stop(client: APIClient, inspected: _Json, grace: int) -> None:
    """End the program of an inspected container, if it runs; kill it after `grace` seconds."""
    state = state_of(inspected)
    if not state.active:
        return
    try:
        if state is ContainerState.PAUSED:
            client.unpause(inspected["Id"])  # a paused process can't react to the stop signal
        client.stop(inspected["Id"], timeout=grace)
    except DockerNotFound:
        return


def remove(client: APIClient, container_id: str) -> None:
    """Remove a container and its anonymous volumes. Succeeds if it's already gone."""
    try:
        client.remove_container(container_id, v=True, force=True)
    except DockerNotFound:
        return
    except APIError as error:
        if error.status_code != 409:
            raise
        raise OutcomeUnknown(
            "Docker is already removing the container.", hint="BotMaker checks again by itself."
        ) from error

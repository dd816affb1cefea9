"""What `create` and `probe` do at the engine, step by step. Blocking: only for the calls' threads.

Order matters: whatever a container needs is there and right before the container exists, so that
a controller which dies in between leaves nothing that could be started half-made.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from typing import Any

from docker import APIClient
from docker.errors import APIError, ImageNotFound
from docker.errors import NotFound as DockerNotFound

from controller.domain.errors import BadSpec, Conflict, ImageMissing, OutcomeUnknown
from controller.domain.events import LogQuery
from controller.domain.spec import INSTANCE_LABEL, ContainerSpec
from controller.runtime import hostconfig
from controller.runtime.faults import CAUGHT, clean_reason
from controller.runtime.gate import container_name
from controller.runtime.inspection import is_ours, labels_of
from controller.runtime.protocol import Probe, ProbeResult
from controller.runtime.reading import read_log

STRAY_SECONDS = 900.0  # a throw-away container older than this was left by a process that died
OUTPUT_MAX = 4096
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
            ensure_volume(client, spec, instance)
        if spec.state_path and spec.prepare_volume:
            prepare_volume(client, spec, instance)
        body = hostconfig.container_body(spec, instance=instance, network=reference)
        try:
            return _create(client, body, spec.name)
        except APIError as error:
            if error.status_code != 409:
                raise
    raise OutcomeUnknown(
        "A container of that name is just being made or removed.",
        hint="The controller looks again by itself.",
    )


def _create(client: APIClient, body: _Json, name: str) -> str:
    try:
        return str(client.create_container_from_config(body, name=name)["Id"])  # type: ignore[no-untyped-call]
    except ImageNotFound:
        raise
    except DockerNotFound as error:  # a part of it is missing; the container cannot be meant
        raise BadSpec(
            f"The Docker engine refused the container: {clean_reason(error.explanation)}."
        ) from error


def require_image(client: APIClient, ref: str) -> _Json:
    """Inspect an image that has to be here; ImageMissing otherwise."""
    try:
        image: _Json = client.inspect_image(ref)  # type: ignore[no-untyped-call]
    except DockerNotFound as error:
        raise ImageMissing(
            f"The image {ref} is not on this machine.", hint="Pull it, or name another one."
        ) from error
    return image


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


def ensure_volume(client: APIClient, spec: ContainerSpec, instance: str) -> None:
    """The bot's volume, made when it is not there; Conflict when that name is somebody else's."""
    made = client.create_volume(spec.name, labels=hostconfig.bot_labels(spec.bot_id, instance))
    # Creating what exists answers with what exists: its labels tell whose it is.
    if not is_ours(made.get("Labels"), instance, spec.bot_id):
        raise foreign_volume(spec.name)


def foreign_volume(name: str) -> Conflict:
    """The refusal to touch a volume that is not ours."""
    return Conflict(
        f"A volume named {name} exists that this installation did not make.",
        hint="Remove or rename it by hand.",
        code="foreign-volume",
    )


def prepare_volume(client: APIClient, spec: ContainerSpec, instance: str) -> None:
    """Give the volume's top folder to the spec's user, mode 0700, without running anything.

    Measured on 20.10: an archive put at the mount point with the entry "./" answers 200 and changes
    nothing (the engine skips "."), one put at the mount point's parent is refused by a read-only
    root, and a later create gives an empty volume the image's owner again. So a helper container
    with a writable root, which is never started, carries the volume one folder down, the archive
    names that folder, and the bot's own mount says NoCopy. 110 ms; any image will do.
    """
    name = f"botmaker-prepare-{spec.bot_id}"
    body = hostconfig.preparation_body(spec, instance=instance)
    archive = hostconfig.preparation_archive(spec.user)
    _remove_left_over(client, name, instance)
    helper = _create(client, body, name)
    try:
        client.put_archive(helper, hostconfig.PREPARE_PARENT, archive)
    finally:
        _discard(client, helper)


def _remove_left_over(client: APIClient, name: str, instance: str) -> None:
    """Remove the helper of a controller that died; leave anybody else's to the 409 that follows."""
    try:
        seen = client.inspect_container(name)
    except DockerNotFound:
        return
    labels = labels_of(seen)
    if labels.items() >= hostconfig.probe_labels(instance).items():
        _discard(client, seen["Id"])


def run_probe(client: APIClient, probe: Probe, instance: str) -> ProbeResult:
    """Make, run, read and always remove a throw-away container."""
    require_image(client, probe.image)
    sweep(client, instance)
    name = f"botmaker-probe-{secrets.token_hex(8)}"
    try:
        container = _create(client, hostconfig.probe_body(probe, instance=instance), name)
        client.start(container)
        exit_code = _wait(client, container, probe.timeout)
        # As many lines as 4 KiB can hold, and then only the end of them.
        lines = read_log(client, container, LogQuery(lines=OUTPUT_MAX))
        output = "\n".join(line.text for line in lines)[-OUTPUT_MAX:]
        return ProbeResult(exit_code=exit_code, output=output)
    finally:
        # By name, which is random and so ours: the answer to the create may be what was lost.
        _discard(client, name)


def _wait(client: APIClient, container: str, seconds: float) -> int:
    """The exit code; a container that outlives its time is killed, which makes it 137."""
    # Looking now and then, because a timeout of the wait call itself comes in many disguises.
    deadline = time.monotonic() + seconds
    pause = 0.01
    while True:
        state = client.inspect_container(container)["State"]
        if not state["Running"]:
            return int(state["ExitCode"])
        if time.monotonic() > deadline:
            with contextlib.suppress(APIError):  # it may have ended just now
                client.kill(container)
            deadline = time.monotonic() + 1
        time.sleep(pause)
        pause = min(pause * 1.5, 0.25)


def sweep(client: APIClient, instance: str, older_than: float = STRAY_SECONDS) -> None:
    """Remove the throw-away containers that processes which died left behind."""
    labels = [f"{key}={value}" for key, value in hostconfig.probe_labels(instance).items()]
    for row in client.containers(all=True, filters={"label": labels}):
        if time.time() - row["Created"] > older_than:
            _discard(client, row["Id"])


def _discard(client: APIClient, container: str) -> None:
    # What cannot be removed now is swept later; the answer that is on its way matters more.
    with contextlib.suppress(*CAUGHT):
        client.remove_container(container, force=True, v=True)

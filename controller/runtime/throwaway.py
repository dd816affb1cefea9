"""Containers that answer one question and are removed whatever happens: probes, rehearsals, looks.

Blocking: only for the calls' threads. `making` next door makes the containers that stay.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterator
from typing import Any

from docker import APIClient
from docker.errors import APIError, ImageNotFound
from docker.errors import NotFound as DockerNotFound

from controller.domain.errors import BadSpec, ImageMissing
from controller.domain.events import LogQuery
from controller.domain.spec import ContainerSpec
from controller.runtime import hostconfig
from controller.runtime.archives import stat
from controller.runtime.faults import CAUGHT, clean_reason
from controller.runtime.frames import end_of
from controller.runtime.inside import OUTPUT_MAX
from controller.runtime.protocol import Probe, ProbeResult
from controller.runtime.reading import read_log

STRAY_SECONDS = 900.0  # a throw-away container older than this was left by a process that died
PROBE_OUTPUT_MAX = 4096

_Json = dict[str, Any]


def run_probe(client: APIClient, probe: Probe, instance: str) -> ProbeResult:
    """Make, run, read and always remove a container that asks about the host."""
    require_image(client, probe.image)
    body = hostconfig.probe_body(probe, instance=instance)
    exit_code, lines = _run(client, body, instance, probe.timeout, PROBE_OUTPUT_MAX)
    return ProbeResult(exit_code=exit_code, output=lines[-PROBE_OUTPUT_MAX:])


def rehearse(
    client: APIClient, spec: ContainerSpec, command: tuple[str, ...], seconds: float, instance: str
) -> ProbeResult:
    """Make, run, read and always remove a container as the spec's would be."""
    require_image(client, spec.image)
    body = hostconfig.rehearsal_body(spec, command, instance=instance)
    exit_code, lines = _run(client, body, instance, seconds, OUTPUT_MAX)
    return ProbeResult(exit_code=exit_code, output=end_of(lines.encode(), OUTPUT_MAX))


def image_has(
    client: APIClient, image: str, paths: tuple[str, ...], instance: str
) -> frozenset[str]:
    """Which paths exist in an image, seen through a container that is never started."""
    require_image(client, image)
    body = hostconfig.look_body(image, instance=instance)
    with _made(client, body, instance) as container:
        return frozenset(path for path in paths if stat(client, container, path) is not None)


def create_container(client: APIClient, body: _Json, name: str) -> str:
    """Make a container from the engine's own JSON; its full id."""
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


def discard(client: APIClient, container: str) -> None:
    """Remove a throw-away container; what cannot be removed now is swept later."""
    # The answer that is on its way, or the error, matters more than a failure here.
    with contextlib.suppress(*CAUGHT):
        client.remove_container(container, force=True, v=True)


def sweep(client: APIClient, instance: str, older_than: float = STRAY_SECONDS) -> None:
    """Remove the throw-away containers that processes which died left behind."""
    labels = [f"{key}={value}" for key, value in hostconfig.probe_labels(instance).items()]
    for row in client.containers(all=True, filters={"label": labels}):
        if time.time() - row["Created"] > older_than:
            discard(client, row["Id"])


@contextlib.contextmanager
def _made(client: APIClient, body: _Json, instance: str) -> Iterator[str]:
    """A throw-away container of a name that nobody else has, removed at the end."""
    sweep(client, instance)
    name = f"botmaker-probe-{secrets.token_hex(8)}"
    try:
        yield create_container(client, body, name)
    finally:
        # By name, which is random and so ours: the answer to the create may be what was lost.
        discard(client, name)


def _run(
    client: APIClient, body: _Json, instance: str, seconds: float, most: int
) -> tuple[int, str]:
    """The exit code of a body's program, and its last lines: as many as `most` bytes can hold."""
    with _made(client, body, instance) as container:
        client.start(container)
        exit_code = _wait(client, container, seconds)
        lines = read_log(client, container, LogQuery(lines=most))
        return exit_code, "\n".join(line.text for line in lines)


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

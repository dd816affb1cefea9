"""Containers that answer one question and are then removed, whatever happens.

They serve probes, rehearsals and looks into an image. Everything here blocks, so it runs only in
the threads of `calls`. `creation` next door creates the containers that stay.
"""

from __future__ import annotations

import contextlib
import secrets
import threading
import time
from collections.abc import Iterator
from typing import Any

from docker import APIClient
from docker.errors import APIError, ImageNotFound
from docker.errors import NotFound as DockerNotFound

from controller.domain.errors import OutcomeUnknown
from controller.domain.events import LogQuery
from controller.domain.spec import ContainerSpec
from controller.runtime import hostconfig
from controller.runtime.container_files import stat
from controller.runtime.engine_clock import clock_of
from controller.runtime.execution import OUTPUT_MAX
from controller.runtime.faults import CAUGHT, clean_reason, image_not_here, refused_container
from controller.runtime.frames import last_lines
from controller.runtime.log_reading import read_log
from controller.runtime.protocol import Probe, ProbeResult

STRAY_SECONDS = 900.0  # an older throw-away container was left behind by a process that died
PROBE_OUTPUT_MAX = 4096  # characters

_Json = dict[str, Any]


def check_wanted(given_up: threading.Event) -> None:
    """Raise OutcomeUnknown if nobody waits any more. Call it before each request that creates."""
    if given_up.is_set():
        raise OutcomeUnknown("Nobody is waiting for this any more, so it was left half-done.")


def run_probe(
    client: APIClient, probe: Probe, instance: str, given_up: threading.Event
) -> ProbeResult:
    """Run a container that asks about the host, and always remove it."""
    require_image(client, probe.image)
    body = hostconfig.probe_body(probe, instance=instance)
    exit_code, output = _run(client, body, instance, probe.timeout, PROBE_OUTPUT_MAX, given_up)
    return ProbeResult(exit_code=exit_code, output=output[-PROBE_OUTPUT_MAX:])


def rehearse(
    client: APIClient,
    spec: ContainerSpec,
    command: tuple[str, ...],
    seconds: float,
    instance: str,
    given_up: threading.Event,
) -> ProbeResult:
    """Run a command in a container like the spec's, and always remove that container."""
    require_image(client, spec.image)
    body = hostconfig.rehearsal_body(spec, command, instance=instance)
    exit_code, output = _run(client, body, instance, seconds, OUTPUT_MAX, given_up)
    data = output.encode()
    cut = len(data) > OUTPUT_MAX
    return ProbeResult(exit_code=exit_code, output=last_lines(data, OUTPUT_MAX), cut=cut)


def image_has(
    client: APIClient, image: str, paths: tuple[str, ...], instance: str
) -> frozenset[str]:
    """Return the paths that exist in an image, seen through a container that is never started."""
    require_image(client, image)
    body = hostconfig.path_lookup_body(image, instance=instance)
    with _temporary_container(client, body, instance) as container:
        return frozenset(path for path in paths if stat(client, container, path) is not None)


def create_container(client: APIClient, body: _Json, name: str) -> str:
    """Create a container from the engine's own JSON. Returns its full id."""
    try:
        return str(client.create_container_from_config(body, name=name)["Id"])  # type: ignore[no-untyped-call]
    except ImageNotFound:
        raise
    except DockerNotFound as error:  # something that the body names is missing
        raise refused_container(clean_reason(error.explanation)) from error


def require_image(client: APIClient, ref: str) -> _Json:
    """Inspect an image. Raises ImageMissing if it isn't on this machine."""
    try:
        image: _Json = client.inspect_image(ref)  # type: ignore[no-untyped-call]
    except DockerNotFound as error:
        raise image_not_here(ref) from error
    return image


def discard(client: APIClient, container: str) -> None:
    """Remove a throw-away container. If that fails, a later sweep removes it."""
    # Whatever the caller is about to return or raise matters more than a failure here.
    with contextlib.suppress(*CAUGHT):
        client.remove_container(container, force=True, v=True)


def sweep(client: APIClient, instance: str, older_than: float = STRAY_SECONDS) -> None:
    """Remove throw-away containers older than that many seconds, left by processes that died."""
    now = clock_of(client).now()
    labels = [f"{key}={value}" for key, value in hostconfig.probe_labels(instance).items()]
    for row in client.containers(all=True, filters={"label": labels}):
        if now - row["Created"] > older_than:
            discard(client, row["Id"])


@contextlib.contextmanager
def _temporary_container(client: APIClient, body: _Json, instance: str) -> Iterator[str]:
    """Create a throw-away container with a name nobody else has, and remove it at the end."""
    sweep(client, instance)
    name = f"botmaker-probe-{secrets.token_hex(8)}"
    try:
        yield create_container(client, body, name)
    finally:
        # By name, since the create's answer with the id may be lost. The name is random, so ours.
        discard(client, name)


def _run(
    client: APIClient,
    body: _Json,
    instance: str,
    seconds: float,
    bytes_max: int,
    given_up: threading.Event,
) -> tuple[int, str]:
    """Run the body's program. Returns its exit code and its last lines, `bytes_max` or more."""
    check_wanted(given_up)
    with _temporary_container(client, body, instance) as container:
        check_wanted(given_up)
        client.start(container)
        exit_code = _wait_for_exit(client, container, seconds, given_up)
        # A line takes at least a byte, so that many bytes can't hold more lines than that.
        lines = read_log(client, container, LogQuery(lines=bytes_max))
        return exit_code, "\n".join(line.text for line in lines)


def _wait_for_exit(
    client: APIClient, container: str, seconds: float, given_up: threading.Event
) -> int:
    """Return the exit code. A container that runs longer is killed, which makes it 137."""
    # This polls, because a timeout of the engine's wait call comes in many disguises.
    deadline = time.monotonic() + seconds
    pause = 0.01
    while True:
        state = client.inspect_container(container)["State"]
        if not state["Running"]:
            return int(state["ExitCode"])
        if time.monotonic() > deadline:
            with contextlib.suppress(APIError):  # it may just have ended
                client.kill(container)
            deadline = time.monotonic() + 1
        given_up.wait(pause)
        check_wanted(given_up)
        pause = min(pause * 1.5, 0.25)

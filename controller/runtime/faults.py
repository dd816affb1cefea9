"""Translates what went wrong, once: the client's many exceptions become the domain's few errors."""

from __future__ import annotations

import re
from collections.abc import Iterator

from docker.errors import (
    APIError,
    DockerException,
    ImageNotFound,
    StreamParseError,
    create_api_error_from_http_exception,
)
from docker.errors import NotFound as DockerNotFound
from requests import Response
from requests.exceptions import ConnectTimeout, ReadTimeout, RequestException, SSLError
from requests.exceptions import HTTPError as RefusedRequest
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    NewConnectionError,
    ReadTimeoutError,
)

from controller.domain.errors import (
    BadSpec,
    Conflict,
    ControllerError,
    EngineUnavailable,
    ImageMissing,
    NotFound,
    OutcomeUnknown,
    RuntimeTrouble,
)

CAUGHT = (DockerException, StreamParseError, RequestException, HTTPError, OSError)
REASON_MAX = 240  # characters

# These happen only before a connection exists. Nothing was sent, so not even a write happened.
_NEVER_SENT = (
    ConnectionRefusedError,
    FileNotFoundError,
    PermissionError,
    BlockingIOError,  # a Unix socket whose backlog is full
    NewConnectionError,
    ConnectTimeoutError,
    ConnectTimeout,
    SSLError,
)
_SILENT = (ReadTimeout, ReadTimeoutError, TimeoutError)
# The engine says this with status 400, as if it refused the container. But the fault is the host's,
# and the next try may work.
_HOST_FAULT = "failed to start shim"
# No address is left in the subnet, or no port on the bridge.
_NETWORK_FULL = ("no available IPv4 addresses", "failed: exchange full")
_EXEC = re.compile(r'exec: ("[^"]*"):')
_MOUNT = re.compile(r'error mounting "[^"]*" to rootfs at ("[^"]*"): (.*)')
# A path doesn't follow a letter, digit, dot, colon or slash: URLs and image names keep theirs.
_PATH = re.compile(r"(?<![\w.:/])/[^\s\"':,;()]+")


def raise_for_status(response: Response) -> None:
    """Raise docker-py's own error, with the engine's reason, if the engine refused a request."""
    try:
        response.raise_for_status()
    except RefusedRequest as error:
        create_api_error_from_http_exception(error)


def clean_reason(text: str | None) -> str:
    """Shorten the engine's words to one line without paths of its host.

    The quoted program after `exec:` stays, and so does the place of a mount: those paths are in the
    container, and they're the point.
    """
    line = " ".join((text or "").split()).removesuffix(": unknown")
    program, mount = _EXEC.search(line), _MOUNT.search(line)
    if mount is not None:
        why = mount[2].partition(": unknown")[0]
        line = f"nothing can be mounted at {mount[1]}: {_PATH.sub('(path)', why)}"
    elif program is not None:
        line = f"{program[0]} {_PATH.sub('(path)', line[program.end() :]).strip()}"
    else:
        line = _PATH.sub("(path)", line)
    return line if len(line) <= REASON_MAX else line[: REASON_MAX - 1] + "…"


def translate(error: BaseException, *, write: bool) -> ControllerError:
    """Return the domain's error for one of CAUGHT.

    `write` says that the request may have changed something, so a lost answer leaves it unknown.
    """
    if isinstance(error, APIError) and error.response is not None:
        return _translate_refusal(error)
    causes = list(_causes_of(error))
    if any(isinstance(cause, PermissionError) for cause in causes):
        return EngineUnavailable(
            "This user isn't allowed to use Docker's socket.",
            hint="Add it to the group docker (sudo usermod -aG docker USER) and log in again.",
        )
    if any(isinstance(cause, _NEVER_SENT) for cause in causes):
        return unreachable()
    # Any other DockerException without an answer (for a bad address, say) precedes the request.
    if isinstance(error, DockerException) and not isinstance(error, APIError):
        return EngineUnavailable(
            f"Can't use Docker: {clean_reason(str(error))}.",
            hint="Check DOCKER_HOST and Docker's other environment variables.",
        )
    return lost_answer(write=write)


def timed_out(error: BaseException) -> bool:
    """Whether a request was sent and its answer, or the next piece of it, never came."""
    causes = list(_causes_of(error))
    sent = not any(isinstance(cause, _NEVER_SENT) for cause in causes)
    return sent and any(isinstance(cause, _SILENT) for cause in causes)


def unreachable() -> EngineUnavailable:
    """The error when no connection to the engine can be made."""
    return EngineUnavailable(
        "Can't reach Docker.", hint="Start it, or set DOCKER_HOST to the engine you want to use."
    )


def lost_answer(*, write: bool) -> ControllerError:
    """The error when a request's answer never came."""
    if write:
        return OutcomeUnknown(
            "Docker's answer was lost; what you asked for may still happen.",
            hint="BotMaker checks again by itself.",
        )
    return EngineUnavailable("Docker doesn't answer.", hint="It may be overloaded; try again soon.")


def _translate_refusal(error: APIError) -> ControllerError:
    reason = clean_reason(error.explanation)
    if isinstance(error, ImageNotFound):
        return ImageMissing(f"The image isn't on this machine: {reason}.")
    if isinstance(error, DockerNotFound):
        return NotFound(f"Docker can't find it: {reason}.")
    status = error.response.status_code if error.response is not None else 500
    if status == 409:
        return Conflict(f"Docker refused: {reason}.")
    if status == 400 and reason.startswith("client version"):
        # Another engine took over a living connection; the next call negotiates the version again.
        return EngineUnavailable("Docker was replaced by another version.", hint="Try again.")
    if any(words in reason for words in _NETWORK_FULL):
        return network_full()
    host_fault = _HOST_FAULT in reason
    if status == 400 and not host_fault:
        return refused_container(reason)
    words = reason or f"status {status}"
    if status >= 500 or host_fault:
        trouble = RuntimeTrouble(f"Docker failed: {words}.")
        trouble.retryable = True
        return trouble
    return RuntimeTrouble(
        f"Docker refused: {words}.",
        hint="Check that DOCKER_HOST leads to a Docker engine, and that it lets BotMaker in.",
    )


def network_full() -> RuntimeTrouble:
    """The error when our network has no address left, or its bridge no port."""
    return RuntimeTrouble(
        "BotMaker's network is full: no further bot can start.",
        hint="Delete or stop bots, or move to a larger subnet; /fleet doctor says how.",
        code="network-full",
    )


def image_not_here(ref: str) -> ImageMissing:
    """The error when an image would have to be on this machine, and isn't."""
    return ImageMissing(
        f"The image {ref} isn't on this machine.",
        hint="Pull or build it on the host, or choose another image.",
    )


def refused_container(reason: str) -> BadSpec:
    """The error when the engine won't create or start a container as it is described."""
    return BadSpec(f"Docker refused the container: {reason}.")


def foreign(kind: str, name: str, *, code: str) -> Conflict:
    """The error when a container, volume or network that isn't ours has a name we need."""
    rename = " or rename" if kind == "container" else ""  # nothing else can be renamed
    return Conflict(
        f"A {kind} named {name} exists that this installation didn't create.",
        hint=f"Remove{rename} it by hand.",
        code=code,
    )


def _causes_of(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was built from, but not __context__, which may be unrelated."""
    waiting, seen = [error], 0
    while waiting and seen < 20:
        current = waiting.pop()
        seen += 1
        yield current
        parts = (*current.args, getattr(current, "reason", None), current.__cause__)
        waiting.extend(part for part in parts if isinstance(part, BaseException))

"""What went wrong, translated once: the client's many exceptions become the domain's few."""

from __future__ import annotations

import re
from collections.abc import Iterator

from docker.errors import APIError, DockerException, ImageNotFound, StreamParseError
from docker.errors import NotFound as DockerNotFound
from requests.exceptions import ConnectTimeout, RequestException, SSLError
from urllib3.exceptions import ConnectTimeoutError, HTTPError, NewConnectionError

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
REASON_MAX = 240

# What only happens before a connection stands: nothing was sent, so even a write did not happen.
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
# Said with status 400 like a refusal, and nothing about the container: the next try may do.
_HOSTS_FAULT = "failed to start shim"
_EXEC = re.compile(r'exec: ("[^"]*"):')
# Not after a letter, digit, dot, colon or slash: URLs and image names keep their slashes.
_PATH = re.compile(r"(?<![\w.:/])/[^\s\"':,;()]+")


def clean_reason(text: str | None) -> str:
    """The engine's words in one short line, without paths of its host.

    The quoted program after `exec:` stays: it is a path in the container, and the point.
    """
    line = " ".join((text or "").split()).removesuffix(": unknown")
    program = _EXEC.search(line)
    if program is not None:
        line = f"{program[0]} {_PATH.sub('(path)', line[program.end() :]).strip()}"
    else:
        line = _PATH.sub("(path)", line)
    return line if len(line) <= REASON_MAX else line[: REASON_MAX - 1] + "…"


def translate(error: BaseException, *, write: bool) -> ControllerError:
    """The domain's error for one of CAUGHT; `write` says that losing the answer matters."""
    if isinstance(error, APIError) and error.response is not None:
        return _refused(error)
    if any(isinstance(cause, _NEVER_SENT) for cause in _causes(error)):
        return _unreachable(error)
    # A DockerException that is no answer (a bad address, say) was raised before anything was sent.
    if isinstance(error, DockerException) and not isinstance(error, APIError):
        return EngineUnavailable(
            f"The Docker engine cannot be used: {clean_reason(str(error))}.",
            hint="Check DOCKER_HOST and Docker's other variables.",
        )
    return lost(write=write)


def lost(*, write: bool) -> ControllerError:
    """The error for an answer that never came."""
    if write:
        return OutcomeUnknown(
            "The Docker engine's answer was lost; what was asked for may still happen.",
            hint="The controller looks again by itself.",
        )
    return EngineUnavailable(
        "The Docker engine does not answer.", hint="It may be overloaded; try again soon."
    )


def _refused(error: APIError) -> ControllerError:
    reason = clean_reason(error.explanation)
    if isinstance(error, ImageNotFound):
        return ImageMissing(f"The image is not on this machine: {reason}.")
    if isinstance(error, DockerNotFound):
        return NotFound(f"The Docker engine does not have it: {reason}.")
    status = error.response.status_code if error.response is not None else 500
    if status == 409:
        return Conflict(f"The Docker engine refused: {reason}.")
    if status == 400 and reason.startswith("client version"):
        # An engine was replaced under a living connection; the next call negotiates again.
        return EngineUnavailable("The Docker engine was replaced by another version.")
    hosts = _HOSTS_FAULT in reason
    if status == 400 and not hosts:
        return BadSpec(f"The Docker engine refused the container: {reason}.")
    trouble = RuntimeTrouble(f"The Docker engine failed: {reason or f'status {status}'}.")
    trouble.retryable = status >= 500 or hosts
    return trouble


def _unreachable(error: BaseException) -> EngineUnavailable:
    if any(isinstance(cause, PermissionError) for cause in _causes(error)):
        return EngineUnavailable(
            "This user may not use the Docker engine's socket.",
            hint="Add the user to the group docker (sudo usermod -aG docker USER), log in again.",
        )
    return EngineUnavailable(
        "The Docker engine is not reachable.",
        hint="Start it, or set DOCKER_HOST to the one that shall be used.",
    )


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it was made of. Not __context__: that may be an unrelated, earlier one."""
    waiting, seen = [error], 0
    while waiting and seen < 20:
        current = waiting.pop()
        seen += 1
        yield current
        parts = (*current.args, getattr(current, "reason", None), current.__cause__)
        waiting.extend(part for part in parts if isinstance(part, BaseException))

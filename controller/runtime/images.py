"""Resolves an image to a digest or id that can't change, and pulls it if wanted. Blocking."""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Iterator
from typing import Any

from docker import APIClient, auth
from docker.errors import APIError
from docker.errors import NotFound as DockerNotFound
from docker.utils import parse_repository_tag
from docker.utils.json_stream import json_stream
from requests import Response

from controller.domain.errors import (
    ControllerError,
    EngineUnavailable,
    ImageMissing,
    RegistryUnavailable,
)
from controller.domain.image_version import ImageVersion, version_of
from controller.runtime.faults import (
    CAUGHT,
    clean_reason,
    image_not_here,
    raise_for_status,
    timed_out,
    translate,
)
from controller.runtime.pulling import PullProgress, Told, untold

PULL_SECONDS = 600.0
SILENCE_SECONDS = 120.0  # generous: a pull reports its progress many times a second

# How Go, the engine's language, words a connection that failed: the cause comes last.
_NO_CONNECTION = re.compile(r"dial tcp\b.*: ([^:]+)$")

_Json = dict[str, Any]


def pin_local(client: APIClient, ref: str) -> str | None:
    """Return what `pin` returns if the image is on this machine, else None."""
    image = _find(client, ref)
    return None if image is None else _pinned_reference(client, ref, image)


def pin(
    client: APIClient,
    ref: str,
    pull: str,
    closing: threading.Event,
    silence: float = SILENCE_SECONDS,
    tell: Told = untold,
) -> str:
    """Return the digest of a pulled image or the id of a local one; `Runtime.pin_image` has more.

    Setting `closing` ends a running pull with EngineUnavailable. A pull that reports nothing for
    `silence` seconds is given up.
    """
    image = _find(client, ref)
    if pull == "always" or (pull == "missing" and image is None):
        trouble: RegistryUnavailable | None = None
        try:
            reason = _pull(client, ref, closing, silence, tell)
        except RegistryUnavailable as error:
            reason, trouble = "", error
        image = _find(client, ref)
        if image is None and trouble is not None:
            raise trouble
        if image is None:
            raise ImageMissing(
                f"The image {ref} isn't on this machine and couldn't be pulled: "
                f"{reason or 'the registry gave no reason'}.",
                hint=_hint(ref),
            )
    if image is None:
        raise ImageMissing(
            f"The image {ref} isn't on this machine, and its template says never to pull it.",
            hint="Build it or load it on the host.",
        )
    return _pinned_reference(client, ref, image)


def newest(client: APIClient, ref: str, pull: str) -> str:
    """What the reference means now; `KeepsImages.newest_image` has more."""
    if pull == "never" or ref.startswith("sha256:"):
        image = _find(client, ref)
        if image is None:
            raise ImageMissing(f"The image {ref} isn't on this machine.", hint=_hint(ref))
        return _pinned_reference(client, ref, image)
    try:
        found = client.inspect_distribution(ref)  # type: ignore[no-untyped-call]
    except APIError as error:
        reason = _explain(clean_reason(error.explanation))
        raise ImageMissing(
            f"What {ref} means now is unknown: {reason or 'the registry gave no reason'}.",
            hint=_hint(ref),
        ) from error
    return f"{_repository(ref)}@{found['Descriptor']['digest']}"


def version(client: APIClient, image: str) -> ImageVersion:
    """What the labels of an image on this machine say of its version."""
    found = _find(client, image)
    if found is None:
        raise image_not_here(image)
    return version_of((found.get("Config") or {}).get("Labels"))


def _find(client: APIClient, ref: str) -> _Json | None:
    try:
        image: _Json = client.inspect_image(ref)  # type: ignore[no-untyped-call]
    except DockerNotFound:
        return None
    return image


def _pinned_reference(client: APIClient, ref: str, image: _Json) -> str:
    """The image's digest in the repository of `ref`, or its id if it has none there.

    The containerd image store (seen on 26.1) calls every image by its digest, local ones too, and a
    later build takes `name@digest` away. There the id is just as exact, and it stays.
    """
    repository = _repository(ref)
    for digest in image.get("RepoDigests") or ():
        if _repository(digest) != repository or digest.endswith(f"@{image['Id']}"):
            continue
        found = _find(client, digest)
        if found is not None and found["Id"] == image["Id"]:
            return str(digest)
    return str(image["Id"])


def _repository(ref: str) -> str:
    return str(parse_repository_tag(ref)[0])


def _pull(client: APIClient, ref: str, closing: threading.Event, silence: float, tell: Told) -> str:
    """Pull the image. Returns why that failed, or an empty text if it worked."""
    if ref.startswith("sha256:"):
        return "an id doesn't say which registry has it"
    try:
        return _follow_pull(client, ref, closing, silence, tell)
    except ControllerError:
        raise
    except CAUGHT as error:
        if timed_out(error):
            raise _silent(ref) from error
        trouble = translate(error, write=False)
        if isinstance(trouble, EngineUnavailable):
            raise trouble from error
        # The engine's own words read better here than with what `translate` puts before them.
        reason = clean_reason(error.explanation) if isinstance(error, APIError) else ""
        return _explain(reason) or trouble.message.rstrip(".")


def _follow_pull(
    client: APIClient, ref: str, closing: threading.Event, silence: float, tell: Told
) -> str:
    # docker-py's pull() has no timeout: a registry that went silent would hold the thread forever.
    repository, tag = parse_repository_tag(ref)
    registry, _ = auth.resolve_repository_name(repository)
    login = auth.get_config_header(client, registry)
    headers = {} if not login else {"X-Registry-Auth": _as_text(login)}
    params = {"fromImage": repository, "tag": tag or "latest"}
    url = f"{client.base_url}/v{client.api_version}/images/create"
    deadline = time.monotonic() + PULL_SECONDS
    layers = PullProgress(tell)
    with contextlib.closing(
        client.post(url, params=params, headers=headers, stream=True, timeout=silence)
    ) as response:
        raise_for_status(response)
        for progress in _progress(response):
            if progress.get("error"):
                return _explain(clean_reason(str(progress["error"])))
            layers.take(progress)
            if closing.is_set():
                raise EngineUnavailable("BotMaker is shutting down.")
            if time.monotonic() > deadline:
                return f"it took longer than {PULL_SECONDS / 60:.0f} minutes"
    return ""


def _silent(ref: str) -> RegistryUnavailable:
    return RegistryUnavailable(
        f"The registry that has the image {ref} doesn't answer.",
        hint="BotMaker tries again by itself; check the host's network if it stays like this.",
    )


def _hint(ref: str) -> str:
    if ref.startswith("sha256:"):
        return "Load it on the host, or name the image by its tag or digest."
    return f"Check its name and the host's network, or run docker pull {ref} on the host."


def _explain(reason: str) -> str:
    """Replace the engine's words for a registry that it can't connect to by plain ones."""
    found = _NO_CONNECTION.search(reason)
    return f"its registry can't be reached ({found[1]})" if found else reason.rstrip(".")


def _progress(response: Response) -> Iterator[_Json]:
    for item in json_stream(response.iter_content(chunk_size=None)):
        if isinstance(item, dict):
            yield item


def _as_text(header: str | bytes) -> str:
    return header.decode() if isinstance(header, bytes) else header

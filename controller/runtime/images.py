"""Resolving an image to something that cannot move, pulling it where wished. Blocking."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from typing import Any

from docker import APIClient, auth
from docker.errors import NotFound as DockerNotFound
from docker.utils import parse_repository_tag
from docker.utils.json_stream import json_stream
from requests import Response

from controller.domain.errors import BadInput, ControllerError, EngineUnavailable, ImageMissing
from controller.runtime.faults import CAUGHT, clean_reason, translate
from controller.runtime.reading import raise_for_status

PULL_SECONDS = 600.0
SILENCE_SECONDS = 120.0  # a pull reports its progress many times a second

_Json = dict[str, Any]


def pin(client: APIClient, ref: str, pull: str, closing: threading.Event) -> str:
    """The digest reference of a pulled image, the id of a local one; ImageMissing with a reason."""
    if pull not in {"missing", "always", "never"}:
        raise BadInput("An image's pull rule is one of missing, always, never.")
    image = _find(client, ref)
    if pull == "always" or (pull == "missing" and image is None):
        reason = _pull(client, ref, closing)
        image = _find(client, ref)
        if image is None:
            raise ImageMissing(
                f"The image {ref} could not be pulled: {reason or 'no reason was given'}.",
                hint="Check its name, the registry and this machine's network.",
            )
    if image is None:
        raise ImageMissing(
            f"The image {ref} is not on this machine, and its template says never to pull it.",
            hint="Build or load it on this machine.",
        )
    return _fixed(client, ref, image)


def _find(client: APIClient, ref: str) -> _Json | None:
    try:
        image: _Json = client.inspect_image(ref)  # type: ignore[no-untyped-call]
    except DockerNotFound:
        return None
    return image


def _fixed(client: APIClient, ref: str, image: _Json) -> str:
    repository = _repository(ref)
    for digest in image.get("RepoDigests") or ():
        if _repository(digest) != repository:
            continue
        found = _find(client, digest)
        if found is not None and found["Id"] == image["Id"]:
            return str(digest)
    return str(image["Id"])


def _repository(ref: str) -> str:
    return str(parse_repository_tag(ref)[0])


def _pull(client: APIClient, ref: str, closing: threading.Event) -> str:
    """Pull; the reason when it failed, an empty text when it did not."""
    if ref.startswith("sha256:"):
        return "an id names no registry"
    try:
        return _follow_pull(client, ref, closing)
    except ControllerError:
        raise
    except CAUGHT as error:
        trouble = translate(error, write=False)
        if isinstance(trouble, EngineUnavailable):
            raise trouble from error
        return trouble.message.rstrip(".")


def _follow_pull(client: APIClient, ref: str, closing: threading.Event) -> str:
    # docker-py's pull() waits without any timeout; a registry that went silent would hold the
    # thread for ever.
    repository, tag = parse_repository_tag(ref)
    registry, _ = auth.resolve_repository_name(repository)
    login = auth.get_config_header(client, registry)
    headers = {} if not login else {"X-Registry-Auth": _text(login)}
    params = {"fromImage": repository, "tag": tag or "latest"}
    url = f"{client.base_url}/v{client.api_version}/images/create"
    deadline = time.monotonic() + PULL_SECONDS
    with contextlib.closing(
        client.post(url, params=params, headers=headers, stream=True, timeout=SILENCE_SECONDS)
    ) as response:
        raise_for_status(response)
        for progress in _progress(response):
            if progress.get("error"):
                return clean_reason(str(progress["error"])).rstrip(".")
            if closing.is_set():
                raise EngineUnavailable("The controller is shutting down.")
            if time.monotonic() > deadline:
                return f"it took longer than {PULL_SECONDS / 60:.0f} minutes"
    return ""


def _progress(response: Response) -> Iterator[_Json]:
    for item in json_stream(response.iter_content(chunk_size=None)):
        if isinstance(item, dict):
            yield item


def _text(header: str | bytes) -> str:
    return header.decode() if isinstance(header, bytes) else header

"""The Docker engine calls that building images needs."""

from typing import IO, Any

import docker
import requests
from stop import Stop

# A digest of what an image was built from, which tells whether it must be rebuilt.
CONTENT_LABEL = "botmaker.image.content"

FAILURES = (docker.errors.DockerException, requests.exceptions.RequestException)


def connect() -> docker.DockerClient:
    """Return a client; Stop if no engine answers."""
    try:
        return docker.from_env(timeout=120)
    except FAILURES:
        raise Stop(
            "No Docker engine answers: run scripts/engine, which starts one or says what to do."
        ) from None


def has(client: docker.DockerClient, tag: str, wanted: dict[str, Any]) -> bool:
    """Whether the engine has this image with exactly these settings."""
    try:
        config = client.images.get(tag).attrs["Config"]
    except docker.errors.ImageNotFound:
        return False
    return all(config.get(key) == value for key, value in wanted.items())


def load(
    client: docker.DockerClient, tag: str, root: bytes | IO[bytes], changes: list[str]
) -> None:
    """Create an image from a tar of a root file system, without a builder or a registry."""
    name, _, version = tag.partition(":")
    answer = client.api.import_image_from_data(root, name, version, changes)
    # The engine answers 200 before it has read the tar; only the text says what went wrong.
    if '"error"' in answer:
        raise Stop(f"The engine refused the image {tag}: {answer.strip()}", 1)

"""What building images asks of the Docker engine."""

from typing import IO, Any

import docker
import requests
from stop import Stop

# What an image was made from; compared to see whether it must be made again.
CONTENT_LABEL = "botmaker.image.content"

FAILURES = (docker.errors.DockerException, requests.exceptions.RequestException)


def connect() -> docker.DockerClient:
    """Return a client of an engine that answers."""
    try:
        return docker.from_env(timeout=120)
    except FAILURES:
        raise Stop("No Docker engine answers: run scripts/engine, which says what to do.") from None


def has(client: docker.DockerClient, tag: str, wanted: dict[str, Any]) -> bool:
    """Say whether the engine has this image with these settings."""
    try:
        config = client.images.get(tag).attrs["Config"]
    except docker.errors.ImageNotFound:
        return False
    return all(config.get(key) == value for key, value in wanted.items())


def load(
    client: docker.DockerClient, tag: str, root: bytes | IO[bytes], changes: list[str]
) -> None:
    """Make an image from a tar of a root file system: needs no builder and no registry."""
    name, _, version = tag.partition(":")
    answer = client.api.import_image_from_data(root, name, version, changes)
    # The engine answers 200 before it has read the tar; what went wrong is only said in the text.
    if '"error"' in answer:
        raise Stop(f"The engine refused the image {tag}: {answer.strip()}", 1)

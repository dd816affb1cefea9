"""Raw docker-py for comparison, and the benchmark's own installation, created and removed."""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator

import docker
from docker.errors import APIError

from controller.domain.spec import INSTANCE_LABEL

IMAGE = "botmaker-demo:2"


def connect() -> docker.APIClient:
    """A plain docker-py client."""
    return docker.from_env(timeout=60).api


@contextlib.contextmanager
def installation(client: docker.APIClient) -> Iterator[str]:
    """A new installation's id; everything with its label is removed at the end."""
    instance = uuid.uuid4().hex[:12]
    try:
        yield instance
    finally:
        remove(client, instance)


def remove(client: docker.APIClient, instance: str) -> None:
    """Remove every container, volume and network of an installation."""
    mine = {"label": f"{INSTANCE_LABEL}={instance}"}
    for row in client.containers(all=True, filters=mine):
        with contextlib.suppress(APIError):  # the controller may be removing it
            client.remove_container(row["Id"], force=True, v=True)
    for row in client.volumes(filters=mine)["Volumes"] or []:
        client.remove_volume(row["Name"], force=True)
    for row in client.networks(filters=mine):
        client.remove_network(row["Id"])

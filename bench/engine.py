"""Raw docker-py for comparison, and the benchmark's own installation, created and removed."""

from __future__ import annotations

import contextlib
import os
import sys
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import docker
from docker.errors import APIError
from docker.utils import parse_host

from controller.domain.spec import INSTANCE_LABEL
from controller.runtime import kept_images

IMAGE = "botmaker-demo:2"
UNIX = "http+unix://"
REMOVED_AT_ONCE = 4  # containers
LEFT_WITHIN = 30.0  # seconds for containers to leave their network


def connect() -> docker.APIClient:
    """A plain docker-py client."""
    return docker.from_env(timeout=60).api


def engine_socket() -> Path:
    """The Unix socket of the engine."""
    address = str(parse_host(os.environ.get("DOCKER_HOST")))
    assert address.startswith(UNIX), "these figures need an engine with a Unix socket"
    return Path(address.removeprefix(UNIX))


@contextlib.contextmanager
def installation(client: docker.APIClient) -> Iterator[str]:
    """A new installation's id; everything with its label is removed at the end."""
    instance = uuid.uuid4().hex[:12]
    try:
        yield instance
    finally:
        remove(client, instance)


@contextlib.contextmanager
def cleaned_up(instance: str) -> Iterator[None]:
    """Remove everything of that installation at the end."""
    try:
        yield
    finally:
        client = connect()
        remove(client, instance)
        client.close()


def running_of(client: docker.APIClient, instance: str) -> dict[str, str]:
    """When each running container of an installation started, by its id."""
    mine = {"label": f"{INSTANCE_LABEL}={instance}", "status": "running"}
    rows = [row["Id"] for row in client.containers(filters=mine)]
    return {row: str(client.inspect_container(row)["State"]["StartedAt"]) for row in rows}


def remove(client: docker.APIClient, instance: str) -> None:
    """Remove what carries an installation's label, and the tags that keep its bots' images."""
    mine = {"label": f"{INSTANCE_LABEL}={instance}"}
    rows = [row["Id"] for row in client.containers(all=True, filters=mine)]
    with ThreadPoolExecutor(REMOVED_AT_ONCE) as pool:
        list(pool.map(lambda ident: _remove_container(client, ident), rows))
    for row in client.volumes(filters=mine)["Volumes"] or []:
        client.remove_volume(row["Name"], force=True)
    for bot_id in kept_images.bots(client, instance):
        kept_images.let_go(client, instance, bot_id)
    for row in client.networks(filters=mine):
        _remove_network(client, row["Id"])


def _remove_network(client: docker.APIClient, ident: str) -> None:
    """Remove a network, which its last containers may still be leaving."""
    end = time.monotonic() + LEFT_WITHIN
    while time.monotonic() < end:
        try:
            client.remove_network(ident)
        except APIError as error:
            if "active endpoints" not in str(error):
                raise
            time.sleep(0.5)
        else:
            return
    # The engine may keep an endpoint without a container until its next start.
    assert not client.inspect_network(ident)["Containers"]
    print(f"bench: the engine keeps an empty network: {ident[:12]}", file=sys.stderr)


def _remove_container(client: docker.APIClient, ident: str) -> None:
    with contextlib.suppress(APIError):  # the controller may be removing it
        client.remove_container(ident, force=True, v=True)

"""What an installation has on the engine, and so what a demo may have left there."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

import docker

from controller.domain.spec import INSTANCE_LABEL


def instance_of(folder: Path) -> str:
    """The id of the installation whose data is in this demo's folder."""
    database = sqlite3.connect(folder / "data" / "botmaker.db")
    try:
        rows = database.execute("SELECT value FROM installation WHERE key = 'instance'")
        return str(rows.fetchone()[0])
    finally:
        database.close()


def containers_of(client: docker.APIClient, instance: str) -> list[dict[str, Any]]:
    """Its containers, as the engine inspects them."""
    rows = client.containers(all=True, filters=_label(instance))
    return [client.inspect_container(row["Id"]) for row in rows]


def left_by(client: docker.APIClient, instance: str) -> list[str]:
    """The names of its containers, volumes and networks."""
    mine = _label(instance)
    return [
        *(name for row in client.containers(all=True, filters=mine) for name in row["Names"]),
        *(row["Name"] for row in client.volumes(filters=mine)["Volumes"] or []),
        *(row["Name"] for row in client.networks(filters=mine)),
    ]


def _label(instance: str) -> dict[str, str]:
    return {"label": f"{INSTANCE_LABEL}={instance}"}

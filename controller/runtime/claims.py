"""Containers that carry BotMaker's labels, of whichever installation: what can be proved of them.

For whoever has lost the database that says which installation is theirs. Only reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from docker import APIClient
from docker.errors import NotFound as DockerNotFound

from controller.domain.names import is_bot_id
from controller.domain.spec import (
    BOT_LABEL,
    INSTANCE_LABEL,
    MANAGED_LABEL,
    SECRETS_TARGET,
    SPEC_LABEL,
)
from controller.runtime.observations import labels_of, state_of
from controller.runtime.validation import container_name

_Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a container says that it is."""

    bot_id: str
    instance: str
    image: str  # as it was asked for when the container was created
    spec: str  # the hash of all that it was created with
    secrets_source: str  # the folder on the engine's host that it has at /run/secrets
    active: bool


def claims(client: APIClient) -> list[Claim]:
    """Every container that says it is a bot's, under the name that such a container has."""
    found = []
    for row in client.containers(all=True, filters={"label": [f"{MANAGED_LABEL}=true"]}):
        try:
            inspected: _Json = client.inspect_container(row["Id"])
        except DockerNotFound:
            continue
        claim = _claim(inspected)
        if claim is not None:
            found.append(claim)
    return sorted(found, key=lambda claim: claim.bot_id)


def _claim(inspected: _Json) -> Claim | None:
    labels = labels_of(inspected) or {}
    bot_id, instance = str(labels.get(BOT_LABEL, "")), str(labels.get(INSTANCE_LABEL, ""))
    if not is_bot_id(bot_id) or inspected.get("Name") != f"/{container_name(bot_id)}":
        return None
    sources = [
        str(mount.get("Source") or "")
        for mount in inspected.get("Mounts") or ()
        if mount.get("Destination") == SECRETS_TARGET
    ]
    return Claim(
        bot_id=bot_id,
        instance=instance,
        image=str((inspected.get("Config") or {}).get("Image") or ""),
        spec=str(labels.get(SPEC_LABEL, "")),
        secrets_source=sources[0] if sources else "",
        active=state_of(inspected).active,
    )

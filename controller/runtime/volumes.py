"""A bot's named volume: made, given to its user with the seed files in it, removed. Blocking."""

from __future__ import annotations

from typing import Any

from docker import APIClient
from docker.errors import APIError
from docker.errors import NotFound as DockerNotFound

from controller.domain.errors import Conflict
from controller.domain.spec import ContainerSpec
from controller.runtime import archives, hostconfig, seeding
from controller.runtime.gate import container_name
from controller.runtime.inspection import is_ours, labels_of
from controller.runtime.seeding import Kind
from controller.runtime.throwaway import create_container, discard

_Json = dict[str, Any]


def look_volume(client: APIClient, name: str) -> _Json | None:
    """Inspect a volume; None if there is none."""
    try:
        seen: _Json = client.inspect_volume(name)
    except DockerNotFound:
        return None
    return seen


def ensure_volume(client: APIClient, spec: ContainerSpec, instance: str) -> None:
    """The bot's volume, made when it is not there; Conflict when that name is somebody else's."""
    made = client.create_volume(spec.name, labels=hostconfig.bot_labels(spec.bot_id, instance))
    # Creating what exists answers with what exists: its labels tell whose it is.
    if not is_ours(made.get("Labels"), instance, spec.bot_id):
        raise _foreign(spec.name)


def remove_volume(client: APIClient, bot_id: str, instance: str) -> None:
    """Remove the bot's volume, with the helper of a controller that died while it prepared it."""
    name = container_name(bot_id)
    seen = look_volume(client, name)
    if seen is None:
        return
    if not is_ours(seen.get("Labels"), instance, bot_id):
        raise _foreign(name)
    _remove_left_over(client, _helper_name(bot_id), instance)
    try:
        client.remove_volume(name)
    except DockerNotFound:
        return
    except APIError as error:
        if error.status_code != 409:
            raise
        raise Conflict(
            "The bot's volume is in use by a container.", hint="Remove that container first."
        ) from error


def prepare_volume(client: APIClient, spec: ContainerSpec, instance: str) -> None:
    """Give the volume's top folder to the spec's user and lay its seeds into it; nothing is run.

    Measured on 20.10: an archive put at the mount point with the entry "./" answers 200 and changes
    nothing (the engine skips "."), one put at the mount point's parent is refused by a read-only
    root, and a later create gives an empty volume the image's owner again. So a helper container
    with a writable root, which is never started, carries the volume one folder down, the archive
    names that folder, and the bot's own mount says NoCopy. 110 ms; any image will do.
    """
    name = _helper_name(spec.bot_id)
    _remove_left_over(client, name, instance)
    body = hostconfig.preparation_body(spec, instance=instance)
    helper = create_container(client, body, name)
    try:
        wanted = seeding.plan(spec.seeds, _looker(client, helper))
        client.put_archive(helper, hostconfig.PREPARE_PARENT, seeding.archive(spec.user, wanted))
    finally:
        discard(client, helper)


def _looker(client: APIClient, helper: str) -> seeding.Look:
    """What looks into the volume through its helper."""

    def look(path: str, text: str) -> Kind:
        place = f"{hostconfig.PREPARE_PARENT}/{seeding.TOP}/{path}"
        found = archives.stat(client, helper, place)
        if found is None:
            return Kind.NOTHING
        if archives.is_folder(client, helper, place, found):
            return Kind.FOLDER
        unfinished = text and not found.link and _is_unfinished(client, helper, place, found, text)
        return Kind.UNFINISHED if unfinished else Kind.OTHER

    return look


def _is_unfinished(
    client: APIClient, helper: str, place: str, found: archives.Stat, text: str
) -> bool:
    """Whether an upload that was cut off left this file.

    The engine gives a file its owner when all of it is there [measured: cut off, it is root's]. A
    bot is never root, so that a beginning of the seed's text that is root's is nobody's work.
    """
    whole = text.encode()
    if found.size > len(whole):
        return False
    uid, there = archives.owner_and_text(client, helper, place)
    return uid == 0 and whole.startswith(there)


def _helper_name(bot_id: str) -> str:
    return f"botmaker-prepare-{bot_id}"


def _remove_left_over(client: APIClient, name: str, instance: str) -> None:
    """Remove the helper of a controller that died; leave anybody else's to the 409 that follows."""
    try:
        seen = client.inspect_container(name)
    except DockerNotFound:
        return
    if labels_of(seen).items() >= hostconfig.probe_labels(instance).items():
        discard(client, seen["Id"])


def _foreign(name: str) -> Conflict:
    return Conflict(
        f"A volume named {name} exists that this installation did not make.",
        hint="Remove or rename it by hand.",
        code="foreign-volume",
    )

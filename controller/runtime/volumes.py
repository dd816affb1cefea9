"""Creates a bot's named volume, prepares it for its user, and removes it. Blocking.

To prepare a volume is to give its top folder to the bot's user and to put the seed files into it.
"""

from __future__ import annotations

import threading
from typing import Any

from docker import APIClient
from docker.errors import APIError
from docker.errors import NotFound as DockerNotFound

from controller.domain.errors import Conflict
from controller.domain.spec import ContainerSpec
from controller.runtime import container_files, hostconfig, seeding
from controller.runtime.faults import foreign
from controller.runtime.observations import is_ours, labels_of
from controller.runtime.seeding import Kind
from controller.runtime.throwaway import check_wanted, create_container, discard, image_has
from controller.runtime.validation import container_name

_Json = dict[str, Any]
_LACKS_MAX = 1000
_LACKS: dict[tuple[str, str], bool] = {}  # by image id and path: whether the image has no such path


def inspect_volume(client: APIClient, name: str) -> _Json | None:
    """Inspect a volume. Returns None if it doesn't exist."""
    try:
        inspected: _Json = client.inspect_volume(name)
    except DockerNotFound:
        return None
    return inspected


def ensure_volume(client: APIClient, spec: ContainerSpec, instance: str) -> None:
    """Create the bot's volume if it doesn't exist. Raises Conflict if the name is taken."""
    volume = client.create_volume(spec.name, labels=hostconfig.bot_labels(spec.bot_id, instance))
    # If the volume existed, the engine answers with that one: its labels say whose it is.
    if not is_ours(volume.get("Labels"), instance, spec.bot_id):
        raise _foreign_volume(spec.name)


def remove_volume(client: APIClient, bot_id: str, instance: str) -> None:
    """Remove the bot's volume, and the helper container of a preparation that was cut short."""
    name = container_name(bot_id)
    inspected = inspect_volume(client, name)
    if inspected is None:
        return
    if not is_ours(inspected.get("Labels"), instance, bot_id):
        raise _foreign_volume(name)
    remove_old_helper(client, _helper_name(bot_id), instance)
    try:
        client.remove_volume(name)
    except DockerNotFound:
        return
    except APIError as error:
        if error.status_code != 409:
            raise
        raise Conflict(
            "A container still uses the bot's volume.", hint="Remove that container first."
        ) from error


def would_be_roots(client: APIClient, spec: ContainerSpec, instance: str) -> bool:
    """Whether the volume would stay root's: the engine copies an owner only from the image's own
    folder, and this image has none there. What an image has never changes, so it's looked up once.
    """
    if not spec.state_path:
        return False
    key = (spec.image, spec.state_path)
    if key not in _LACKS:
        has = image_has(client, spec.image, (spec.state_path,), instance)
        while len(_LACKS) >= _LACKS_MAX:
            _LACKS.pop(next(iter(_LACKS)), None)
        _LACKS[key] = not has
    return _LACKS[key]


def prepare_volume(
    client: APIClient, spec: ContainerSpec, instance: str, given_up: threading.Event
) -> None:
    """Give the volume's top folder to the spec's user and add the seeds, without running anything.

    Three obstacles, measured on 20.10:

    - An archive put at the mount point with the entry "./" gets the answer 200 but changes nothing:
      the engine skips ".".
    - A read-only root refuses an archive put at the mount point's parent.
    - A later create gives an empty volume the image's owner again.

    So a helper container with a writable root, which is never started, mounts the volume one folder
    further down; the archive names that folder; and the bot's own mount says NoCopy. This takes
    110 ms and works with any image.
    """
    name = _helper_name(spec.bot_id)
    remove_old_helper(client, name, instance)
    check_wanted(given_up)
    body = hostconfig.preparation_body(spec, instance=instance)
    helper = create_container(client, body, name)
    try:
        wanted = seeding.plan(spec.seeds, _look_through(client, helper))
        archive = seeding.build_archive(spec.user, wanted)
        check_wanted(given_up)
        client.put_archive(helper, hostconfig.PREPARE_PARENT, archive)
    finally:
        discard(client, helper)


def _look_through(client: APIClient, helper: str) -> seeding.Look:
    """Return the function that looks into the volume, through its helper container."""

    def look(path: str, text: str) -> Kind:
        place = f"{hostconfig.PREPARE_PARENT}/{seeding.TOP}/{path}"
        found = container_files.stat(client, helper, place)
        if found is None:
            return Kind.NOTHING
        if container_files.is_folder(client, helper, place, found):
            return Kind.FOLDER
        unfinished = text and not found.link and _is_unfinished(client, helper, place, found, text)
        return Kind.UNFINISHED if unfinished else Kind.OTHER

    return look


def _is_unfinished(
    client: APIClient, helper: str, place: str, found: container_files.Stat, text: str
) -> bool:
    """Whether an upload that was cut off left this file.

    The engine sets a file's owner only once the file is complete (measured on 20.10: if the upload
    is cut off, the file is root's). A bot is never root. So a file of root's that begins like the
    seed is nobody's work.
    """
    whole = text.encode()
    if found.size > len(whole):
        return False
    uid, content = container_files.read_owner_and_content(client, helper, place)
    return uid == 0 and whole.startswith(content)


def _helper_name(bot_id: str) -> str:
    return f"botmaker-prepare-{bot_id}"


def remove_old_helper(client: APIClient, name: str, instance: str) -> None:
    """Remove the helper container that a dead controller left behind.

    A container of that name that isn't ours stays; creating our helper then ends with a 409.
    """
    try:
        inspected = client.inspect_container(name)
    except DockerNotFound:
        return
    if labels_of(inspected).items() >= hostconfig.probe_labels(instance).items():
        discard(client, inspected["Id"])


def _foreign_volume(name: str) -> Conflict:
    return foreign("volume", name, code="foreign-volume")

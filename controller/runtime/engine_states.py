"""Saves and fills volumes with a Docker engine, through containers that are never started."""

from __future__ import annotations

import contextlib
import io
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from docker import APIClient

from controller.domain.errors import BadSpec, NotFound
from controller.domain.observation import ContainerState
from controller.domain.spec import ContainerSpec
from controller.runtime import creation, hostconfig, observations, volumes
from controller.runtime.engine_programs import EnginePrograms
from controller.runtime.seeding import TOP
from controller.runtime.throwaway import check_wanted, create_container, discard, require_image
from controller.runtime.validation import check_bot_id, check_spec, container_name

STATE_SECONDS = 3600.0  # for one volume
_PIECE = 1 << 20  # bytes

_Json = dict[str, Any]


class EngineStates(EnginePrograms):
    """Keeps the part of the contract that is about volumes' contents."""

    async def save_state(
        self,
        bot_id: str,
        spec: ContainerSpec | None,
        take: Callable[[bytes], None],
        *,
        pause: bool,
    ) -> None:
        """Read the volume through the bot's container, or through a helper if it has none."""
        name, given_up = container_name(check_bot_id(bot_id)), threading.Event()
        if spec is not None:
            check_spec(spec)

        def do(client: APIClient) -> None:
            inspected = volumes.inspect_volume(client, name)
            labels = None if inspected is None else inspected.get("Labels")
            if not observations.is_ours(labels, self._instance, bot_id):
                raise NotFound("The bot has no volume.")
            with self._seen_by(client, bot_id, spec, pause, given_up) as (container, path):
                pieces, _ = client.get_archive(container, f"{path}/.", chunk_size=_PIECE)
                for piece in pieces:
                    check_wanted(given_up)
                    take(piece)

        try:
            await self._calls(do, write=True, limit=STATE_SECONDS, lane="volume")
        finally:
            given_up.set()

    async def fill_state(self, spec: ContainerSpec, archive: Path) -> None:
        """Fill the volume through a helper; its top folder's owner and mode come last."""
        check_spec(spec)
        given_up = threading.Event()

        def do(client: APIClient) -> None:
            require_image(client, spec.image)
            volumes.ensure_volume(client, spec, self._instance)
            with (
                _helper(client, spec, self._instance, given_up) as helper,
                archive.open("rb") as file,
            ):
                top = _top_of(archive)
                client.put_archive(helper, f"{hostconfig.PREPARE_PARENT}/{TOP}", file)
                check_wanted(given_up)
                client.put_archive(helper, hostconfig.PREPARE_PARENT, top)

        try:
            await self._calls(do, write=True, limit=STATE_SECONDS, lane="volume")
        finally:
            given_up.set()

    @contextlib.contextmanager
    def _seen_by(
        self,
        client: APIClient,
        bot_id: str,
        spec: ContainerSpec | None,
        pause: bool,
        given_up: threading.Event,
    ) -> Iterator[tuple[str, str]]:
        """A container that has the volume, and where: the bot's own, frozen if it's running."""
        inspected = creation.find_container(client, self._instance, bot_id)
        path = _mounted_at(inspected or {}, container_name(bot_id))
        if inspected is None or not path:
            if spec is None:
                raise NotFound("Nothing is known of the bot that could open its volume.")
            require_image(client, spec.image)
            with _helper(client, spec, self._instance, given_up) as helper:
                yield helper, f"{hostconfig.PREPARE_PARENT}/{TOP}"
            return
        container = str(inspected["Id"])
        freeze = pause and observations.state_of(inspected) is ContainerState.RUNNING
        if freeze:
            client.pause(container)
        try:
            yield container, path
        finally:
            if freeze:
                client.unpause(container)


@contextlib.contextmanager
def _helper(
    client: APIClient, spec: ContainerSpec, instance: str, given_up: threading.Event
) -> Iterator[str]:
    """A container that is never started and has the volume below PREPARE_PARENT, for the block."""
    check_wanted(given_up)
    name = f"botmaker-state-{spec.bot_id}"
    volumes.remove_old_helper(client, name, instance)
    body = hostconfig.state_body(spec, instance=instance)
    try:
        yield create_container(client, body, name)
    finally:
        discard(client, name)


def _mounted_at(inspected: _Json, volume: str) -> str:
    for mount in inspected.get("Mounts") or ():
        if mount.get("Type") == "volume" and mount.get("Name") == volume:
            return str(mount["Destination"])
    return ""


def _top_of(archive: Path) -> bytes:
    """An archive that gives the volume's top folder the owner and mode that it had."""
    try:
        with tarfile.open(archive) as saved:
            first = saved.next()
    except (tarfile.TarError, OSError, ValueError) as error:
        raise BadSpec(f"What was saved of the bot's volume can't be read: {error}.") from error
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        if first is not None and first.isdir() and first.name in {".", "./"}:
            first.name, first.pax_headers = f"{TOP}/", {}
            made.addfile(first)
    return buffer.getvalue()

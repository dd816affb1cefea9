"""The contents of volumes that exist only here, as the tars that an engine would give."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Callable
from pathlib import Path

from controller.domain.errors import NotFound
from controller.domain.spec import ContainerSpec
from controller.runtime.faults import foreign
from controller.runtime.memory_world import MemoryWorld


class MemoryStates(MemoryWorld):
    """Saves and fills what is in `seeded`."""

    def do_save_state(
        self, bot_id: str, spec: ContainerSpec | None, take: Callable[[bytes], None]
    ) -> None:
        """Give a volume's files to `take`."""
        if bot_id not in self.volumes:
            raise NotFound("The bot has no volume.")
        if self.find_container(bot_id) is None:
            if spec is None:
                raise NotFound("Nothing is known of the bot that could open its volume.")
            self.require_image(spec.image)
        take(_packed(self.seeded.get(bot_id, {})))

    def do_fill_state(self, spec: ContainerSpec, archive: Path) -> None:
        """Create a volume with the files of an archive."""
        self.require_image(spec.image)
        if spec.name in self.foreign_volumes:
            raise foreign("volume", spec.name, code="foreign-volume")
        self.volumes.add(spec.bot_id)
        self.seeded.setdefault(spec.bot_id, {}).update(_unpacked(archive))


def _packed(files: dict[str, str]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        top = tarfile.TarInfo("./")
        top.type = tarfile.DIRTYPE
        archive.addfile(top)
        for path, text in files.items():
            entry, data = tarfile.TarInfo(f"./{path}"), text.encode()
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _unpacked(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    with tarfile.open(path) as archive:
        for entry in archive:
            file = archive.extractfile(entry) if entry.isfile() else None
            if file is not None:
                found[entry.name.removeprefix("./")] = file.read().decode()
    return found

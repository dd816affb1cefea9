"""Paths as the engine's host knows them, also when the controller itself runs in a container."""

from __future__ import annotations

import re
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from controller.domain.errors import BadSetting

# A line of mountinfo: what is mounted, then where. Another container's file can be mounted on the
# host as well; only ours is at /etc.
_MOUNTED_ID = re.compile(r"/containers/([0-9a-f]{64})/hostname /etc/hostname ")


@dataclass(frozen=True, slots=True)
class HostPaths:
    """Translates our paths by the mounts of our own container: (source, destination) pairs.

    `mounts` is None where the controller runs on the host itself: nothing is translated.
    """

    mounts: tuple[tuple[str, str], ...] | None = None

    def translate(self, path: Path) -> str:
        """The same place as the engine's host names it; the longest mount wins.

        Raises BadSetting when the place is inside our container alone.
        """
        place = path.absolute()
        if self.mounts is None:
            return str(place)
        fitting = [
            (source, Path(destination))
            for source, destination in self.mounts
            if place.is_relative_to(destination)
        ]
        if not fitting:
            raise BadSetting(
                f"{place} is inside the controller's own container; bots could not see it.",
                hint="Mount a folder of the host there, best under the same path (compose.yaml).",
                code="not-a-host-path",
            )
        source, destination = max(fitting, key=lambda pair: len(pair[1].parts))
        return str(Path(source) / place.relative_to(destination))


def own_container(
    mountinfo: Path = Path("/proc/self/mountinfo"), marker: Path = Path("/.dockerenv")
) -> str | None:
    """The id of the container that this process runs in, or its host name as a guess; else None."""
    try:
        found = _MOUNTED_ID.search(mountinfo.read_text())
    except OSError:
        return None
    if found:
        return found.group(1)
    return socket.gethostname() if marker.exists() else None


def binds_only(mounts: Sequence[tuple[str, str, str]]) -> tuple[tuple[str, str], ...]:
    """(source, destination) of the bind mounts among (type, source, destination) rows.

    A named volume is no place for secrets: its source is the engine's private matter.
    """
    return tuple((source, target) for kind, source, target in mounts if kind == "bind")

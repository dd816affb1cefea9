"""Whether the engine shifts user ids, so that no bot could read the secrets stored for it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from controller.runtime import EngineInfo

_KINDS = {"name=userns": "userns-remap", "name=rootless": "rootless mode"}
_REMEDIES = {
    "userns-remap": 'Remove "userns-remap" from Docker\'s daemon.json and restart Docker, or set '
    "DOCKER_HOST to an engine without it.",
    "rootless mode": "Set DOCKER_HOST to an engine that runs as root, for example "
    "unix:///var/run/docker.sock.",
}


@dataclass(frozen=True, slots=True)
class UidShift:
    """Why ids are shifted (`kind`), and what to do."""

    kind: str

    @property
    def message(self) -> str:
        """What is wrong, for a person."""
        return f"Docker shifts user ids ({self.kind}), so no bot can read its secrets"

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return _REMEDIES[self.kind]


def uid_shift(info: EngineInfo, uid_map: Path = Path("/proc/self/uid_map")) -> UidShift | None:
    """The shift between us and the engine's containers; None where there is none.

    Inside a container of such an engine our ids are shifted like the bots', and fit.
    """
    kind = next((_KINDS[option] for option in info.security if option in _KINDS), None)
    if kind is None or not _is_unshifted(uid_map):
        return None
    return UidShift(kind)


def _is_unshifted(uid_map: Path) -> bool:
    try:
        rows = [line.split() for line in uid_map.read_text().splitlines()]
    except OSError:
        return True
    return [row[:2] for row in rows] == [["0", "0"]]

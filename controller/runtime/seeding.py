"""Which seed files go into a volume, and the archive that carries them. Pure.

What is there is asked of whoever calls; `volumes` next door asks the engine, `memoryworld` itself.
"""

from __future__ import annotations

import io
import tarfile
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum

from controller.domain.errors import BadSpec
from controller.domain.spec import SeedFile
from controller.runtime.gate import check_user

TOP = "top"  # the volume, as a folder in the archive


class Kind(Enum):
    """What is at a path of the volume."""

    NOTHING = "nothing"
    FOLDER = "folder"
    UNFINISHED = "unfinished"  # a beginning of the seed, from an upload that was cut off
    OTHER = "other"


Look = Callable[[str, str], Kind]


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be made: folders, each after the one that it is in, and the text of files."""

    folders: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()


def parents(path: str) -> tuple[str, ...]:
    """The folders that a relative path goes through, the outermost first."""
    parts = path.split("/")
    return tuple("/".join(parts[:count]) for count in range(1, len(parts)))


def plan(seeds: Iterable[SeedFile], look: Look) -> Plan:
    """What has to be made so that the seeds are there; nothing is asked of what cannot exist.

    `look(path, text)` tells what is at a path of the volume; the text is the seed's that goes there
    and empty for a folder. Raises BadSpec where a seed that is not to be kept cannot be written.
    """
    found: dict[str, Kind] = {}
    folders: dict[str, None] = {}
    files: list[tuple[str, str]] = []
    for seed in seeds:
        ways = parents(seed.path)
        above = _walk(ways, found, look)
        there = look(seed.path, seed.text) if above is Kind.FOLDER else above
        if seed.keep and there in {Kind.FOLDER, Kind.OTHER}:
            continue
        if there is Kind.FOLDER or above is Kind.OTHER:
            raise _in_the_way(seed.path)
        folders.update(dict.fromkeys(way for way in ways if found[way] is Kind.NOTHING))
        files.append((seed.path, seed.text))
    return Plan(tuple(folders), tuple(files))


def archive(user: str, wanted: Plan) -> bytes:
    """A tar of the volume: its top, given to the user alone, and what the plan wants below it."""
    owner = check_user(user)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as made:
        made.addfile(_entry(f"{TOP}/", tarfile.DIRTYPE, 0o700, owner))
        for folder in wanted.folders:
            made.addfile(_entry(f"{TOP}/{folder}/", tarfile.DIRTYPE, 0o700, owner))
        for path, text in wanted.files:
            data = text.encode()
            entry = _entry(f"{TOP}/{path}", tarfile.REGTYPE, 0o600, owner)
            entry.size = len(data)
            made.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _walk(ways: tuple[str, ...], found: dict[str, Kind], look: Look) -> Kind:
    """What the innermost of these folders is: below nothing is nothing, below a file no folder."""
    above = Kind.FOLDER
    for way in ways:
        if way not in found:
            found[way] = look(way, "") if above is Kind.FOLDER else above
        above = found[way]
    return above


def _in_the_way(path: str) -> BadSpec:
    return BadSpec(
        f"The file {path} cannot be written into the bot's state: something else is in its place.",
        hint="Move that away, or delete the bot together with its state.",
    )


def _entry(name: str, kind: bytes, mode: int, owner: tuple[int, int]) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.mtime = kind, mode, int(time.time())
    entry.uid, entry.gid = owner
    return entry

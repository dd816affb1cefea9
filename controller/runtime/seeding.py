"""Decides which seed files go into a volume, and builds the archive that carries them. Pure.

The caller says what is in the volume: `volumes` next door asks the engine, `memory_world` knows.
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
from controller.runtime.validation import check_user

TOP = "top"  # the folder in the archive that stands for the volume


class Kind(Enum):
    """What is at a path in the volume."""

    NOTHING = "nothing"
    FOLDER = "folder"
    UNFINISHED = "unfinished"  # the beginning of a seed, from an upload that was cut off
    OTHER = "other"


Look = Callable[[str, str], Kind]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to add: folders, each after the one that contains it, and files as (path, text)."""

    folders: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()


def parents(path: str) -> tuple[str, ...]:
    """The folders above a relative path, outermost first."""
    parts = path.split("/")
    return tuple("/".join(parts[:count]) for count in range(1, len(parts)))


def plan(seeds: Iterable[SeedFile], look: Look) -> Plan:
    """Work out what to add to a volume so that it has the seeds.

    `look(path, text)` returns what is at a path in the volume. `text` is the text of the seed that
    goes there, or empty for a folder. It is never called for a path that can't exist. Raises
    BadSpec if a seed without `keep` can't be written.
    """
    found: dict[str, Kind] = {}
    folders: dict[str, None] = {}
    files: list[tuple[str, str]] = []
    for seed in seeds:
        above_it = parents(seed.path)
        above = _look_along(above_it, found, look)
        there = look(seed.path, seed.text) if above is Kind.FOLDER else above
        if seed.keep and there in {Kind.FOLDER, Kind.OTHER}:
            continue
        if there is Kind.FOLDER or above is Kind.OTHER:
            raise _in_the_way(seed.path)
        folders.update(dict.fromkeys(path for path in above_it if found[path] is Kind.NOTHING))
        files.append((seed.path, seed.text))
    return Plan(tuple(folders), tuple(files))


def build_archive(user: str, wanted: Plan) -> bytes:
    """Return a tar with the plan's folders and files below the volume's top, all the user's own."""
    owner = check_user(user)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        archive.addfile(_entry(f"{TOP}/", tarfile.DIRTYPE, 0o700, owner))
        for folder in wanted.folders:
            archive.addfile(_entry(f"{TOP}/{folder}/", tarfile.DIRTYPE, 0o700, owner))
        for path, text in wanted.files:
            data = text.encode()
            entry = _entry(f"{TOP}/{path}", tarfile.REGTYPE, 0o600, owner)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def _look_along(folders: tuple[str, ...], found: dict[str, Kind], look: Look) -> Kind:
    """Return what the innermost of these nested folders is, adding what it sees to `found`.

    What is below a path that is missing or a file counts as missing or a file too.
    """
    above = Kind.FOLDER
    for path in folders:
        if path not in found:
            found[path] = look(path, "") if above is Kind.FOLDER else above
        above = found[path]
    return above


def _in_the_way(path: str) -> BadSpec:
    return BadSpec(
        f"The file {path} can't be written into the bot's volume: something else is in its place.",
        hint="Move that away, or delete the bot together with its volume.",
    )


def _entry(name: str, kind: bytes, mode: int, owner: tuple[int, int]) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type, entry.mode, entry.mtime = kind, mode, int(time.time())
    entry.uid, entry.gid = owner
    return entry

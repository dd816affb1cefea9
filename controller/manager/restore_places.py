"""Where a restore writes, and how what it wrote gets into place. Blocking: for a thread.

It writes into a folder of its own in each place. The moves come last, the database last of all:
before that there is no installation, and a start refuses; after it nothing is left to do. What is
being moved is written down first, so the next try can take it away again, and only that.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from controller.domain.disk_words import storage
from controller.domain.errors import BadSetting, Conflict

MARK = ".restoring"  # the folder in each place
DATABASE = "botmaker.db"
_MOVING = "moving.json"
_MAY_BE_THERE = {MARK, "lock", ".gitkeep"}

Moving = Mapping[str, set[str]]  # by the kind of place, the names that are being moved there


@dataclass(frozen=True, slots=True)
class Places:
    """Where an installation lives."""

    data: Path
    secrets: Path
    templates: Path | None
    master: Path | None = None  # the file of a master key that BotMaker is given

    @property
    def all(self) -> dict[str, Path]:
        """Those that the settings name, in the order of the moves."""
        found = {"secrets": self.secrets, "templates": self.templates, "data": self.data}
        return {kind: place for kind, place in found.items() if place is not None}


def was_cut_short(data: Path) -> bool:
    """Whether a restore ended in the middle here, before there was an installation."""
    return (data / MARK).exists() and not (data / DATABASE).exists()


def require_finished(places: Places) -> None:
    """For a start: refuse what a restore left unfinished, and tidy up behind one that was not.

    Raises BadSetting (`restore-cut-short`).
    """
    if was_cut_short(places.data):
        raise BadSetting(
            f"A restore into {places.data} was cut short.",
            hint="Run `botmaker restore` again: it begins afresh.",
            code="restore-cut-short",
        )
    if (places.data / MARK).exists():
        for place in places.all.values():
            shutil.rmtree(place / MARK, ignore_errors=True)


def require_empty(places: Places, templates: Mapping[str, bytes]) -> None:
    """Raise Conflict (`not-empty`) if there is anything that a restore could harm.

    Templates of the same text do no harm. What a restore that was cut short has moved doesn't
    count: it isn't anybody's yet.
    """
    moving = _moving(places)
    for kind in ("data", "secrets"):
        place = places.all[kind]
        for one in sorted(_names(place) - _MAY_BE_THERE - moving.get(kind, set())):
            raise _not_empty(place, one)
    if places.templates is not None:
        for name, text in templates.items():
            there = places.templates / name
            ours = name in moving.get("templates", set())
            if there.exists() and not ours and there.read_bytes() != text:
                raise _not_empty(places.templates, name)


def _not_empty(place: Path, name: str) -> Conflict:
    return Conflict(
        f"{place} isn't empty: it has {name} in it.",
        hint="A restore needs empty folders: move what is there away, or choose others with "
        "BOTMAKER_DATA_DIR, BOTMAKER_SECRETS_DIR and BOTMAKER_TEMPLATES_DIR.",
        code="not-empty",
    )


@contextmanager
def written_beside(places: Places) -> Iterator[dict[str, Path]]:
    """An empty folder in each place, by its kind, for the block; gone again if the block fails.

    A full disk and the like become StorageTrouble.
    """
    with storage("The backup can't be restored"):
        try:
            clean(places)
            for place in places.all.values():
                place.mkdir(parents=True, exist_ok=True, mode=0o700)
                (place / MARK).mkdir(mode=0o700)
            yield {kind: place / MARK for kind, place in places.all.items()}
        except BaseException:
            if not (places.data / DATABASE).exists():
                clean(places)
            raise


def move(places: Places) -> None:
    """Move everything from the folders beside into place, the database last."""
    moving = {kind: sorted(_to_move(place)) for kind, place in places.all.items()}
    for place in places.all.values():
        _sync_all(place / MARK)
    note = places.data / MARK / _MOVING
    with note.open("x") as file:
        json.dump(moving, file)
        file.flush()
        os.fsync(file.fileno())
    _sync(note.parent)
    for kind, place in places.all.items():
        for name in moving[kind]:
            if name != DATABASE:
                (place / MARK / name).rename(place / name)
        _sync(place)
    (places.data / MARK / DATABASE).rename(places.data / DATABASE)
    _sync(places.data)
    require_finished(places)


def _to_move(place: Path) -> set[str]:
    """What was written beside and isn't there already, with the same text."""
    return {name for name in _names(place / MARK) if not (place / name).exists()}


def clean(places: Places) -> None:
    """Remove what an unfinished restore wrote, and nothing else."""
    moving = _moving(places)
    for kind, place in places.all.items():
        for name in moving.get(kind, set()) - {DATABASE}:
            _remove(place / name)
    for place in places.all.values():  # the data folder's, which says what was moved, comes last
        shutil.rmtree(place / MARK, ignore_errors=True)


def _moving(places: Places) -> Moving:
    """What a restore that was cut short had begun to move into place."""
    if not was_cut_short(places.data):
        return {}
    try:
        found = json.loads((places.data / MARK / _MOVING).read_bytes())
    except (OSError, ValueError):
        return {}  # it was cut short before anything was moved
    return {kind: set(names) for kind, names in found.items()}


def _names(place: Path) -> set[str]:
    with storage(f"{place} can't be looked at"):
        return {one.name for one in place.iterdir()} if place.exists() else set()


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _sync_all(folder: Path) -> None:
    for path, _, _ in os.walk(folder, topdown=False):
        _sync(Path(path))


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

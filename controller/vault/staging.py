"""Values of forms that aren't complete yet: one private file a form, until the last page commits.

A form with several pages changes nothing before its last one: neither an abandoned form nor a kill
leaves half of a new set of secrets in a bot's folder. The files lie beside the bots' folders and
belong to the controller alone; no container sees them. They are sealed, so a copy of the disk alone
shows nothing of them. Blocking: for a thread.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from controller.domain.errors import BadInput
from controller.domain.names import is_bot_id
from controller.vault import disk
from controller.vault.at_rest import AtRest

FOLDER = ".forms"
FILE_MAX = 4 << 20  # bytes
_FORM_ID = re.compile(r"[0-9a-f]{8,64}")
_NAME = re.compile(r"(?P<bot>[0-9a-f-]{36})\.(?P<form>[0-9a-f]{8,64})\.json")


@dataclass(frozen=True, slots=True)
class Staged:
    """What the pages of one form have given so far."""

    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    fields: Mapping[str, str] = field(default_factory=dict)


class Staging:
    """Keeps what was typed into unfinished forms. All that it knows is on the disk."""

    def __init__(self, root: Path, box: AtRest) -> None:
        self._root = root
        self._box = box
        self._writing = threading.Lock()  # the folder goes with its last file

    @property
    def folder(self) -> Path:
        """Where they are."""
        return self._root / FOLDER

    def keep(self, bot_id: str, form_id: str, staged: Staged) -> None:
        """Keep all of this for the form, in place of what was kept before."""
        name = _name(bot_id, form_id)
        text = json.dumps({"secrets": dict(staged.secrets), "fields": dict(staged.fields)})
        failed = "What was entered could not be kept"
        with self._writing, disk.storage(failed), self._made() as home:
            temp = disk.temp_name(name)
            disk.write_new(temp, self._box.seal(text.encode(), name), home)
            try:
                disk.require_wanted()
                os.rename(temp, name, src_dir_fd=home, dst_dir_fd=home)
            except OSError:
                disk.discard(temp, home)
                raise
            os.fsync(home)

    def read(self, bot_id: str, form_id: str) -> Staged:
        """What is kept for the form; empty when nothing is."""
        name = _name(bot_id, form_id)
        with disk.storage("What was entered could not be read"), self._home() as home:
            data = disk.read_small(name, home, FILE_MAX) if home is not None else None
        if data is None:
            return Staged()
        # Versions before the master key kept it as it was typed.
        plain = data if data.startswith(b"{") else self._box.open(data, name)
        try:
            found = json.loads(plain or b"")
            return Staged(_texts(found["secrets"]), _texts(found["fields"]))
        except (ValueError, LookupError, TypeError, RecursionError):
            return Staged()  # not ours, or damaged: it is asked for again

    def everything(self) -> tuple[tuple[str, str, Staged], ...]:
        """All that is kept: the id of the bot, of the form, and what it has."""
        return tuple((bot, form, self.read(bot, form)) for bot, form in self.forms())

    def has(self, bot_id: str) -> bool:
        """Whether anything is kept for a bot."""
        return any(bot == bot_id for bot, _ in self.forms())

    def drop(self, bot_id: str, form_id: str = "") -> None:
        """Forget what is kept for one form of the bot, or for all of them."""

        def goes(name: str) -> bool:
            # Other names stay: another thread may be about to give one to a form's file.
            match = _NAME.fullmatch(name)
            return match is not None and match["bot"] == bot_id and form_id in ("", match["form"])

        self._remove(goes)

    def sweep(self, wanted: Callable[[str, str], bool]) -> int:
        """Remove what isn't wanted any more, and what a crash left behind; how many files.

        At the start only: nobody may be keeping anything meanwhile.
        """
        return self._remove(lambda name: not _is_wanted(name, wanted))

    def _remove(self, goes: Callable[[str], bool]) -> int:
        """Remove the files whose names go, also when one of them can't be removed."""
        with self._writing, disk.storage("Unfinished forms could not be removed"):
            return self._remove_files(goes)

    def _remove_files(self, goes: Callable[[str], bool]) -> int:
        trouble: OSError | None = None
        with self._home() as home:
            if home is None:
                return 0
            gone = [name for name in disk.names_in(home) if goes(name)]
            for name in gone:
                try:
                    os.unlink(name, dir_fd=home)
                except FileNotFoundError:
                    continue
                except OSError as error:
                    trouble = error
            if gone:
                os.fsync(home)
            if trouble is not None:
                raise trouble
        with disk.folder(self._root) as root, suppress(OSError):
            os.rmdir(FOLDER, dir_fd=root)
        return len(gone)

    def forms(self) -> list[tuple[str, str]]:
        """The id of the bot and of the form, for each form of which something is kept."""
        with disk.storage("Unfinished forms could not be listed"), self._home() as home:
            names = disk.names_in(home) if home is not None else []
        found = (_NAME.fullmatch(name) for name in names)
        return [(match["bot"], match["form"]) for match in found if match]

    @contextmanager
    def _home(self) -> Iterator[int | None]:
        with disk.folder(self._root) as root:
            try:
                os.stat(FOLDER, dir_fd=root, follow_symlinks=False)
            except FileNotFoundError:
                yield None
                return
            with disk.folder(FOLDER, root) as home:
                yield home

    @contextmanager
    def _made(self) -> Iterator[int]:
        with disk.folder(self._root) as root:
            with suppress(FileExistsError):
                os.mkdir(FOLDER, 0o700, dir_fd=root)
                os.fsync(root)
            with disk.folder(FOLDER, root) as home:
                disk.hand_over(home, 0o700, None)
                yield home


def _name(bot_id: str, form_id: str) -> str:
    if not is_bot_id(bot_id) or not _FORM_ID.fullmatch(form_id):
        raise BadInput("That is not the id of a form.", code="bad-id")
    return f"{bot_id}.{form_id}.json"


def _texts(found: object) -> dict[str, str]:
    if not isinstance(found, dict) or not all(isinstance(text, str) for text in found.values()):
        raise TypeError("not texts by name")
    return found


def _is_wanted(name: str, wanted: Callable[[str, str], bool]) -> bool:
    match = _NAME.fullmatch(name)
    return match is not None and wanted(match["bot"], match["form"])

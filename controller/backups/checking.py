"""Reads a backup as something that anybody may have made: all of it is checked, or it's refused.

Blocking: for a thread. Nothing is written here.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import BinaryIO, Protocol

from pydantic import ValidationError

from controller.backups.contents import (
    DATABASE,
    FORMAT,
    HEADER,
    KEY,
    KEY_SIZE,
    MANIFEST,
    MASTER,
    Header,
    ListedFile,
    Manifest,
    bot_of_form,
    journal_file,
    limit_of,
    secret_of,
    state_of,
    template_file,
    webhook_of,
)
from controller.backups.encryption import Keys, damaged, unseal
from controller.backups.tape import Unpacking
from controller.domain.errors import BadInput

FILES_MAX = 1_000_000


class Take(Protocol):
    """What is done with each file's bytes, in their order; the last piece is marked."""

    def __call__(self, name: str, piece: bytes, *, last: bool) -> None:
        """The next piece."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What is in a backup that is whole: its first file and its last, and what needs checks of
    its own."""

    header: Header
    manifest: Manifest
    database: bytes = field(repr=False)
    key: bytes = field(repr=False)
    journal: dict[str, bytes] = field(repr=False)  # by the file's name, oldest first
    templates: dict[str, bytes] = field(repr=False)  # by the file's name


def examine(file: BinaryIO, keys: Keys) -> Checked:
    """Read all of it. Raises BadInput or StorageTrouble that says why it can't be used."""
    kept: dict[str, bytearray] = {}

    def keep(name: str, piece: bytes, *, last: bool) -> None:
        if state_of(name) is not None:
            return
        held = kept.setdefault(name, bytearray())
        held += piece
        if last and (secret_of(name) or bot_of_form(name) or webhook_of(name)):
            _check_values(name, bytes(kept.pop(name)))

    header, manifest = walk(file, keys, keep)
    missing = [name for name in (DATABASE, KEY) if name not in kept]
    if missing or len(kept[KEY]) != KEY_SIZE:
        raise damaged(f"{missing[0] if missing else KEY} is missing")
    if len(kept.get(MASTER, bytes(KEY_SIZE))) != KEY_SIZE:
        raise damaged(f"{MASTER} is no key")
    months = {journal_file(name): bytes(data) for name, data in kept.items() if journal_file(name)}
    return Checked(
        header=header,
        manifest=manifest,
        database=bytes(kept[DATABASE]),
        key=bytes(kept[KEY]),
        journal=dict(sorted(months.items())),
        templates={
            template_file(name): bytes(data) for name, data in kept.items() if template_file(name)
        },
    )


def form_values(data: bytes) -> tuple[dict[str, str], dict[str, str]]:
    """The secrets and the fields of an unfinished form; ValueError for anything else."""
    try:
        found = json.loads(data)
        parts = found["secrets"], found["fields"]
    except (LookupError, TypeError, RecursionError) as error:
        raise ValueError("not a form") from error
    for part in parts:
        if not isinstance(part, dict) or not all(isinstance(one, str) for one in part.values()):
            raise ValueError("not a form")
    return parts


def _check_values(name: str, data: bytes) -> None:
    try:
        if bot_of_form(name):
            form_values(data)
        elif not data.decode():
            raise ValueError("empty")
    except ValueError:
        # Without its cause: that would quote what was typed.
        raise damaged("it has a secret that nobody can have entered") from None


def walk(file: BinaryIO, keys: Keys, take: Take) -> tuple[Header, Manifest]:
    """Read all of it, and hand over each file between the first and the last.

    What was handed over is only known to be whole when this returns.
    """
    reader = _Reader(take)
    unpacking = Unpacking(reader)
    unseal(file, unpacking.take, keys)
    unpacking.finish()
    return reader.finish()


class _Reader:
    """Checks the order, the names, the sizes and the hashes of an archive's files."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._header: Header | None = None
        self._manifest: Manifest | None = None
        self._seen: list[ListedFile] = []
        self._names: set[str] = set()
        self._parts: dict[str, int] = {}  # the next part of each bot's state
        self._name, self._size, self._got = "", 0, 0
        self._own = bytearray()  # the first file, or the last
        self._hash = hashlib.sha256()

    def begin(self, name: str, size: int) -> None:
        """A file begins."""
        limit = limit_of(name)
        if limit is None:
            raise damaged("it has a file in it with a name that no backup has")
        if size > limit:
            raise damaged(f"{name} is larger than it can be")
        if name in self._names:
            raise damaged(f"{name} is in it twice")
        if (name == HEADER) == (self._header is not None) or self._manifest is not None:
            raise damaged("its files are in another order")
        self._check_part(name)
        if len(self._names) >= FILES_MAX:
            raise damaged("it has too many files")
        self._names.add(name)
        self._name, self._size, self._got = name, size, 0
        self._own.clear()
        self._hash = hashlib.sha256()

    def _check_part(self, name: str) -> None:
        part = state_of(name)
        if part is not None:
            if part.number != self._parts.get(part.bot_id, 0):
                raise damaged("a part of a bot's state is missing")
            self._parts[part.bot_id] = part.number + 1

    def take(self, piece: bytes) -> None:
        """The next bytes."""
        self._got += len(piece)
        self._hash.update(piece)
        if self._name in {HEADER, MANIFEST}:
            self._own += piece
        elif self._got < self._size:
            self._take(self._name, piece, last=False)
        else:
            self._take(self._name, piece, last=True)

    def end(self) -> None:
        """The file was taken."""
        if self._name == HEADER:
            self._header = _header(bytes(self._own))
        elif self._name == MANIFEST:
            self._manifest = _manifest(bytes(self._own))
        else:
            if not self._size:
                self._take(self._name, b"", last=True)
            digest = self._hash.hexdigest()
            self._seen.append(ListedFile(name=self._name, size=self._size, sha256=digest))

    def finish(self) -> tuple[Header, Manifest]:
        """All files were taken: the first and the last, if everything fits together."""
        if self._header is None or self._manifest is None:
            raise damaged("its list of files is missing")
        if tuple(self._seen) != self._manifest.files:
            raise damaged("its files aren't those that its list names")
        known = {bot.id: bot for bot in self._manifest.bots}
        if len(known) != len(self._manifest.bots):
            raise damaged("it lists a bot twice")
        for name in self._names:
            secret = secret_of(name)
            owner = secret.bot_id if secret else bot_of_form(name)
            if owner and owner not in known:
                raise damaged("it has secrets of a bot that isn't in it")
        saved = {bot.id for bot in self._manifest.bots if bot.state == "saved"}
        if saved != set(self._parts):
            raise damaged("the states in it aren't those of its bots")
        return self._header, self._manifest


def _header(data: bytes) -> Header:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise damaged("its first file makes no sense") from error
    given = found.get("format") if isinstance(found, dict) else None
    if type(given) is int and given > FORMAT:
        raise BadInput(
            f"This backup is from a newer BotMaker: its format is {given}, and this program knows "
            f"{FORMAT}.",
            hint="Restore it with the newer program.",
            code="backup-newer",
        )
    try:
        return Header.model_validate_json(data)
    except ValidationError as error:
        raise BadInput(
            "This isn't a backup of BotMaker.",
            hint="Give the file that `botmaker backup` wrote.",
            code="backup-foreign",
        ) from error


def _manifest(data: bytes) -> Manifest:
    try:
        return Manifest.model_validate_json(data)
    except (ValidationError, RecursionError) as error:
        raise damaged("its list of files makes no sense") from error

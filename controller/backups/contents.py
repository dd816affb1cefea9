"""What may be in a backup: the names of its files, its first file and its last. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from controller.domain.names import is_bot_id, is_secret_name

FORMAT = 1
HEADER, MANIFEST = "botmaker.json", "manifest.json"
DATABASE, KEY = "data/botmaker.db", "data/install.key"
MASTER = "data/master.key"  # where it is BotMaker's own
KEY_SIZE = 32
PART_SIZE = 4 << 20  # bytes of a part of a bot's state
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_JOURNAL = re.compile(r"data/journal/([0-9]{4}-[0-9]{2}\.jsonl\.gz)", re.ASCII)
_TEMPLATE = re.compile(r"templates/([a-z0-9][a-z0-9-]{0,62}\.toml)", re.ASCII)
_FORM = re.compile(rf"forms/({_UUID})\.([0-9a-f]{{8,64}})\.json", re.ASCII)
_SECRET = re.compile(rf"secrets/({_UUID})/([a-z0-9_]{{1,63}})", re.ASCII)
_WEBHOOK = re.compile(rf"webhooks/({_UUID})/(url|signing_key)", re.ASCII)
_STATE = re.compile(rf"state/({_UUID})/([0-9]{{6}})", re.ASCII)
# The most bytes of each kind of file.
_LIMITS = {
    HEADER: 4096,
    MANIFEST: 64 << 20,
    DATABASE: 1 << 30,
    KEY: KEY_SIZE,
    MASTER: KEY_SIZE,
    "data": 256 << 20,
    "templates": 1 << 20,
    "forms": 4 << 20,
    "secrets": 65_536,
    "webhooks": 8192,
    "state": PART_SIZE,
}
Text = Annotated[str, Field(max_length=300)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Header(_Part):
    """The first file. Of a newer format, only `format` is looked at."""

    format: Literal[1]
    product: Literal["botmaker"]
    version: Annotated[str, Field(max_length=40)]
    schema_number: int
    instance: Annotated[str, Field(pattern=r"^[0-9a-f]{12}$")]
    created_at: float


class ListedFile(_Part):
    """A file of the archive, as it was written."""

    name: Text
    size: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class ListedBot(_Part):
    """A bot, for whoever wants to know what is in the backup."""

    id: Annotated[str, Field(pattern=f"^{_UUID}$")]
    name: Annotated[str, Field(max_length=64)]
    template: Annotated[str, Field(max_length=64)]
    wish: Literal["run", "stop", "remove"]
    image: Text
    image_ref: Text
    state: Literal["none", "left out", "saved"]


class Manifest(_Part):
    """The last file: all others, and what is in them."""

    files: tuple[ListedFile, ...] = Field(strict=False)
    bots: tuple[ListedBot, ...] = Field(strict=False)
    journal_entries: int
    journal_head: Annotated[str, Field(max_length=64)]


class SecretName(_Part):
    """Whose secret a file is, and its name."""

    bot_id: str
    name: str


class StatePart(_Part):
    """Whose state a file is a part of, and which part."""

    bot_id: str
    number: int


def limit_of(name: str) -> int | None:
    """The most bytes that a file of that name may have; None where no file may be called that."""
    if name in {HEADER, MANIFEST, DATABASE, KEY, MASTER}:
        return _LIMITS[name]
    if _JOURNAL.fullmatch(name) or _TEMPLATE.fullmatch(name) or form_of(name):
        return _LIMITS[name.partition("/")[0]]
    if secret_of(name) or state_of(name) or webhook_of(name):
        return _LIMITS[name.partition("/")[0]]
    return None


def journal_file(name: str) -> str:
    """The journal's file of that name in the archive; empty for any other."""
    match = _JOURNAL.fullmatch(name)
    return match[1] if match else ""


def template_file(name: str) -> str:
    """The template's file of that name in the archive; empty for any other."""
    match = _TEMPLATE.fullmatch(name)
    return match[1] if match else ""


def form_of(name: str) -> tuple[str, str] | None:
    """The bot and the form that a file of unfinished values belongs to."""
    match = _FORM.fullmatch(name)
    return (match[1], match[2]) if match and is_bot_id(match[1]) else None


def bot_of_form(name: str) -> str:
    """The bot whose unfinished form it is; empty for any other file."""
    found = form_of(name)
    return found[0] if found else ""


def secret_of(name: str) -> SecretName | None:
    """Whose secret the file is."""
    match = _SECRET.fullmatch(name)
    if match is None or not is_bot_id(match[1]) or not is_secret_name(match[2]):
        return None
    return SecretName(bot_id=match[1], name=match[2])


def webhook_of(name: str) -> tuple[str, str] | None:
    """The webhook whose file it is, and which: its URL, or the key that signs."""
    match = _WEBHOOK.fullmatch(name)
    return (match[1], match[2]) if match and is_bot_id(match[1]) else None


def state_of(name: str) -> StatePart | None:
    """Whose state the file is a part of."""
    match = _STATE.fullmatch(name)
    if match is None or not is_bot_id(match[1]):
        return None
    return StatePart(bot_id=match[1], number=int(match[2]))


def state_parts(bot_id: str, pieces: Iterator[bytes]) -> Iterator[tuple[str, bytes]]:
    """A bot's state as files of the archive: of a length that need not be known before."""
    held, number = bytearray(), 0
    for piece in pieces:
        held += piece
        while len(held) >= PART_SIZE:
            yield f"state/{bot_id}/{number:06}", bytes(held[:PART_SIZE])
            del held[:PART_SIZE]
            number += 1
    if held or not number:
        yield f"state/{bot_id}/{number:06}", bytes(held)

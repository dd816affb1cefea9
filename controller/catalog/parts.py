"""What all parts of a template are built on: strict tables, refusals, and types of values."""

from __future__ import annotations

import posixpath
import re
from typing import Annotated, NoReturn

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from controller.domain.letters import unseen
from controller.domain.names import is_secret_name

KeyPath = tuple[str | int, ...]  # leads to a key: names of tables, positions in arrays from 0

_OPTION_ID = re.compile(r"[a-z0-9][a-z0-9_-]{0,31}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_SIZE = re.compile(r"([1-9]\d{0,9})([kmg])", re.ASCII)
_UNITS = {"k": 1024, "m": 1024**2, "g": 1024**3}


class Part(BaseModel):
    """A table of a template: no unknown keys, no converted values, no changes later."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def refuse(reason: str, *where: str | int) -> NoReturn:
    """Refuse the template; `where` leads from the part being checked to the wrong key."""
    raise PydanticCustomError("refused", "{reason}", {"reason": reason, "where": where})


def size_in_bytes(text: str) -> int:
    """The bytes that "256m" or "2g" stands for."""
    match = _SIZE.fullmatch(text)
    if match is None:
        refuse('must be a size like "256m" or "2g"')
    return int(match[1]) * _UNITS[match[2]]


def contains(outer: str, inner: str) -> bool:
    """Whether the outer folder is the inner one or lies above it."""
    return inner == outer or inner.startswith(outer.rstrip("/") + "/")


def is_option_id(text: str) -> bool:
    """Whether this is a valid id for a template, a provider or a channel."""
    return _OPTION_ID.fullmatch(text) is not None


def is_variable(name: str) -> bool:
    """Whether this is a valid name for an environment variable."""
    return _VARIABLE.fullmatch(name) is not None


def _one_line(text: str) -> str:
    if unseen(text):
        refuse("can't contain line breaks, tabs or invisible characters")
    return text


def _argument(text: str) -> str:
    if "\0" in text:
        refuse("can't contain a NUL character")
    return text


def _path(text: str) -> str:
    if not text.startswith("/") or text.startswith("//") or posixpath.normpath(text) != text:
        refuse('must be a full path like "/data", without "." or ".." and without "/" at the end')
    if not text.isprintable() or ":" in text or "," in text:
        refuse("can't contain `:`, `,` or invisible characters: a mount can't have them")
    return text


def _mount_point(text: str) -> str:
    _path(text)
    if text == "/" or text.split("/")[1] in {"proc", "sys", "dev", "boot"}:
        refuse("belongs to the system: nothing can be mounted there")
    return text


def _name(text: str) -> str:
    if not is_secret_name(text):
        refuse("must begin with a lower-case letter, followed by lower-case letters, digits and _")
    return text


def _pattern(text: str) -> str:
    try:
        re.compile(text, re.ASCII)
    except re.error as error:
        refuse(f"isn't a valid regular expression: {error}")
    return text


def _size(text: str) -> str:
    size_in_bytes(text)
    return text


OneLine = Annotated[str, AfterValidator(_one_line)]
Argument = Annotated[str, Field(max_length=8192), AfterValidator(_argument)]
Arguments = Annotated[tuple[Argument, ...], Field(strict=False)]
Path = Annotated[str, Field(max_length=255), AfterValidator(_path)]
MountPoint = Annotated[str, Field(max_length=255), AfterValidator(_mount_point)]
Name = Annotated[str, AfterValidator(_name)]
Pattern = Annotated[str, Field(max_length=500), AfterValidator(_pattern)]
Size = Annotated[str, AfterValidator(_size)]

"""Read template files. One with an error is refused with file, line and reason; the others load."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from controller.catalog.locate import line_of
from controller.catalog.reasons import reason_of, way_of
from controller.catalog.template import Template
from controller.domain.errors import BadSetting, NotFound

BUILTIN = Path(__file__).parent / "builtin"
FILE_MAX = 262_144  # bytes

_AT = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A template file that was not loaded: where it is wrong (line 0: the file as such) and how."""

    file: Path
    line: int
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.file}:{self.line}: {self.reason}"
            if self.line
            else f"{self.file}: {self.reason}"
        )


@dataclass(frozen=True, slots=True)
class Catalog:
    """The templates that can be used, by id, and the files that can not."""

    templates: Mapping[str, Template]
    refused: tuple[Refusal, ...] = ()

    def get(self, template_id: str) -> Template:
        """The template of that id; raises NotFound that lists what there is."""
        if template_id in self.templates:
            return self.templates[template_id]
        known = ", ".join(sorted(self.templates)) or "none; see `botmaker templates`"
        raise NotFound(
            f"There is no template `{template_id[:40]}`.",
            hint=f"There is: {known}.",
            code="unknown-template",
        )


class _Refused(Exception):
    """Ends the reading of one file."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(reason)
        self.line = line
        self.reason = reason


def load(extra: Path | None = None, *, builtin: Path = BUILTIN) -> Catalog:
    """The built-in templates and those of another folder, in the order of their files' names."""
    templates: dict[str, Template] = {}
    refused: list[Refusal] = []
    for file in (*_files(builtin), *(_files(extra) if extra is not None else ())):
        try:
            template = _read(file)
            if template.id in templates:
                raise _Refused(1, f"There is a built-in template `{template.id}`: take another id.")
            templates[template.id] = template
        except _Refused as error:
            refused.append(Refusal(file, error.line, error.reason))
    return Catalog(MappingProxyType(templates), tuple(refused))


def _files(folder: Path) -> Iterator[Path]:
    try:
        files = sorted(folder.glob("*.toml")) if folder.stat() and folder.is_dir() else None
    except OSError:
        files = None
    if files is None:
        raise BadSetting(
            f"The templates folder {folder} does not exist or cannot be read.",
            hint="Make it, or leave BOTMAKER_TEMPLATES_DIR unset.",
            code="no-templates-folder",
        )
    yield from (file for file in files if not file.name.startswith("."))


def _read(file: Path) -> Template:
    try:
        with file.open("rb") as stream:
            data = stream.read(FILE_MAX + 1)
    except OSError as error:
        raise _Refused(0, f"The file cannot be read: {error.strerror}.") from None
    if len(data) > FILE_MAX:
        raise _Refused(0, "The file is larger than 256 KiB.")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _Refused(line, "The file is not UTF-8 text.") from None
    template = _parse(text)
    if template.id != file.stem:
        line = line_of(text, ("id",))
        raise _Refused(line, f"`id` must be the file's name: `{file.stem}`, or rename the file.")
    return template


def _parse(text: str) -> Template:
    text = text.replace("\r\n", "\n")
    try:
        return Template.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        match = _AT.search(str(error))
        line = int(match[1]) if match and match[1] else text.rstrip("\n").count("\n") + 1
        raise _Refused(line, f"Not TOML: {_AT.sub('', str(error))}.") from None
    except ValidationError as error:
        raise _first(text, error) from None
    except RecursionError:
        raise _Refused(0, "The file is nested too deeply.") from None
    except ValueError:
        raise _Refused(0, "A number in it is too long to be read.") from None


def _first(text: str, error: ValidationError) -> _Refused:
    """The first error by line, and a missing key last: it often follows from a misspelt one."""
    found = sorted(
        (one["type"] == "missing", line_of(text, way_of(one)), reason_of(one))
        for one in error.errors(include_url=False)
    )
    _, line, reason = found[0]
    more = len(found) - 1
    return _Refused(line, reason if not more else f"{reason} (And {more} more.)")

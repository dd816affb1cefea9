"""Read template files. A file with a mistake is refused with line and reason; the others load."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from pydantic import ValidationError

from controller.catalog.positions import line_of
from controller.catalog.reasons import path_of, reason_of
from controller.catalog.tables import Image
from controller.catalog.template import Template
from controller.domain.disk_words import read_begin
from controller.domain.errors import BadSetting, NotFound
from controller.domain.names import meant

BUILTIN = Path(__file__).parent / "builtin"
FILE_MAX = 262_144  # bytes

_AT = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)")


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why a template file wasn't loaded. Line 0 means the file as a whole."""

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
    """The loaded templates by id, and the files that were refused."""

    templates: Mapping[str, Template]
    refused: tuple[Refusal, ...] = ()

    def get(self, template_id: str) -> Template:
        """The template with this id; raises NotFound, which lists the available ones."""
        if template_id in self.templates:
            return self.templates[template_id]
        known = f"Available: {', '.join(sorted(self.templates))}."
        raise NotFound(
            f"There is no template `{template_id[:40]}`.",
            hint=known if self.templates else "None is loaded; `botmaker templates` shows why.",
            code="unknown-template",
        )

    def find(self, typed: str) -> Template:
        """The template that somebody means by its id or title, in any case; else as `get`."""
        titles = {template_id: template.title for template_id, template in self.templates.items()}
        return self.get(meant(typed, titles) or typed.strip())

    def with_images(self, images: Mapping[str, str]) -> Catalog:
        """The same templates, some with another image.

        Raises BadSetting for an unknown template or an invalid image.
        """
        templates = dict(self.templates)
        for template_id, ref in images.items():
            if template_id not in templates:
                raise BadSetting(
                    f"BOTMAKER_IMAGES names a template `{template_id[:40]}`, which doesn't exist.",
                    hint=f"Available: {', '.join(sorted(templates))}.",
                    code="unknown-template",
                )
            before = templates[template_id]
            try:
                image = Image(ref=ref, pull=before.image.pull)
            except ValidationError:
                raise BadSetting(
                    f"BOTMAKER_IMAGES gives `{template_id}` an image with an invalid name.",
                    hint='Use a name like "example/echo:1".',
                    code="bad-image",
                ) from None
            templates[template_id] = before.model_copy(update={"image": image})
        return Catalog(MappingProxyType(templates), self.refused)


class _Refused(Exception):
    """Ends the reading of one file, with its mistakes in the order to fix them."""

    def __init__(self, *found: tuple[int, str]) -> None:
        super().__init__(found[0][1])
        self.found = found

    @property
    def first(self) -> tuple[int, str]:
        """Line and reason of the first mistake; the reason counts the others."""
        line, reason = self.found[0]
        more = len(self.found) - 1
        return line, reason if not more else f"{reason} (And {more} more.)"


def load(extra: Path | None = None, *, builtin: Path = BUILTIN) -> Catalog:
    """The built-in templates, then those of the extra folder, each sorted by file name.

    Raises BadSetting for a folder that can't be read.
    """
    templates: dict[str, Template] = {}
    refused: list[Refusal] = []
    for file in (*_files(builtin), *(_files(extra) if extra is not None else ())):
        try:
            template = _read(file)
            if template.id in templates:
                raise _Refused((1, _taken(template.id)))
            templates[template.id] = template
        except _Refused as error:
            refused.append(Refusal(file, *error.first))
    return Catalog(MappingProxyType(templates), tuple(refused))


def mistakes(file: Path, *, builtin: Path = BUILTIN) -> tuple[Refusal, ...]:
    """All mistakes of one template file, in any folder."""
    try:
        template = _read(file)
    except _Refused as error:
        return tuple(Refusal(file, *found) for found in error.found)
    ours = builtin / f"{template.id}.toml"
    if ours.exists() and not ours.samefile(file):
        return (Refusal(file, 1, _taken(template.id)),)
    return ()


def _taken(template_id: str) -> str:
    return f"The id `{template_id}` belongs to a built-in template: choose another one."


def _files(folder: Path) -> Iterator[Path]:
    try:
        files = sorted(folder.glob("*.toml")) if folder.stat() and folder.is_dir() else None
    except OSError:
        files = None
    if files is None:
        raise BadSetting(
            f"The templates folder {folder} doesn't exist or can't be read.",
            hint="Create it, or leave BOTMAKER_TEMPLATES_DIR unset.",
            code="no-templates-folder",
        )
    yield from (file for file in files if not file.name.startswith("."))


def _read(file: Path) -> Template:
    try:
        data = read_begin(file, FILE_MAX + 1)
    except OSError as error:
        raise _Refused((0, f"The file can't be read: {error.strerror}.")) from None
    if len(data) > FILE_MAX:
        raise _Refused((0, "The file is larger than 256 KiB."))
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _Refused((line, "The file is not UTF-8 text.")) from None
    template = _parse(text)
    if template.id != file.stem:
        line = line_of(text, ("id",))
        raise _Refused(
            (line, f"`id` must be the file's name: use `{file.stem}`, or rename the file.")
        )
    return template


def _parse(text: str) -> Template:
    text = text.replace("\r\n", "\n")
    try:
        return Template.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        match = _AT.search(str(error))
        line = int(match[1]) if match and match[1] else text.rstrip("\n").count("\n") + 1
        raise _Refused((line, f"This isn't valid TOML: {_AT.sub('', str(error))}.")) from None
    except ValidationError as error:
        raise _all(text, error) from None
    except RecursionError:
        raise _Refused((0, "The file is nested too deeply.")) from None
    except ValueError:
        raise _Refused((0, "A number in the file is too long.")) from None


def _all(text: str, error: ValidationError) -> _Refused:
    """The mistakes by line; missing keys come last, since most are only misspelt."""
    found = sorted(
        (one["type"] == "missing", line_of(text, path_of(one)), reason_of(one))
        for one in error.errors(include_url=False)
    )
    return _Refused(*((line, reason) for _, line, reason in found))

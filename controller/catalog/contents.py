"""Rules for what is written: config files, what options and choices add to them, seeds."""

from __future__ import annotations

from collections.abc import Mapping

from controller.catalog import makeup
from controller.catalog.formats import check_values
from controller.catalog.parts import contains, refuse
from controller.catalog.placeholders import Where, check_placeholder, texts
from controller.catalog.tables import ConfigFile, Option, Tables


def check(template: Tables) -> None:
    """Refuse content that cannot be rendered, or that would put a secret into a plain file."""
    _check_paths(template)
    for index, file in enumerate(template.files):
        known = makeup.placeholders(template)
        if file.secret:
            known |= makeup.secret_placeholders(template)
        _check_content(file.content, file, known, ("files", index, "content"))
    for way, part in makeup.parts(template):
        _check_added(template, part, way)
    _check_seeds(template)
    if template.validation is not None and not template.files:
        refuse("has no [[files]] to check", "validation")


def _check_paths(template: Tables) -> None:
    declared = {spec.name for _, spec in makeup.secrets(template)}
    paths = [file.path for file in template.files]
    for index, file in enumerate(template.files):
        if file.path in paths[:index]:
            refuse("is declared twice", "files", index, "path")
        if file.secret and file.name in declared:
            refuse(f"is the place of the secret `{file.name}`", "files", index, "path")


def _check_added(template: Tables, part: Option | Tables, way: Where) -> None:
    """What an option adds to the first file, and what the choices of fields add."""
    added: list[tuple[Mapping[str, object], Where]] = []
    option = part if isinstance(part, Option) else None
    if option is not None and option.config:
        added.append((option.config, (*way, "config")))
    for index, field in enumerate(part.fields):
        where = (*way, "fields", index, "when")
        added += [(content, (*where, choice)) for choice, content in field.when.items()]
    for content, where in added:
        if not template.files:
            refuse("has no [[files]] to go into", *where)
        known = makeup.placeholders(template) | makeup.field_placeholders(part)
        if template.files[0].secret:
            known |= makeup.secret_placeholders(template, option)
        _check_content(content, template.files[0], known, where)


def _check_content(
    content: Mapping[str, object], file: ConfigFile, known: frozenset[str], where: Where
) -> None:
    for text, way in texts(content, where):
        check_placeholder(text, known, *way)
    check_values(content, file.format, where)


def _check_seeds(template: Tables) -> None:
    known = makeup.placeholders(template)
    for index, seed in enumerate(template.seeds):
        if template.state is None:
            refuse("has no [state] to be put into", "seeds", index)
        for other in template.seeds[:index]:
            if other.path == seed.path:
                refuse("is declared twice", "seeds", index, "path")
            if contains(other.path, seed.path) or contains(seed.path, other.path):
                refuse(
                    f"cannot be beside `{other.path}`: one is the other's folder",
                    "seeds",
                    index,
                    "path",
                )
        check_placeholder(seed.text, known, "seeds", index, "text")

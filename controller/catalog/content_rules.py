"""Rules for the files that a template writes: config files, what options add to them, seeds."""

from __future__ import annotations

from collections.abc import Mapping

from controller.catalog import declarations
from controller.catalog.formats import check_values
from controller.catalog.parts import KeyPath, contains, refuse
from controller.catalog.placeholders import check_placeholder, texts
from controller.catalog.tables import ConfigFile, Option, Tables


def check(template: Tables) -> None:
    """Refuse content that can't be rendered, or that would put a secret into a plain file."""
    _check_paths(template)
    for index, file in enumerate(template.files):
        known = declarations.placeholders(template)
        if file.secret:
            known |= declarations.secret_placeholders(template)
        _check_content(file.content, file, known, ("files", index, "content"))
    for where, part in declarations.parts(template):
        _check_added(template, part, where)
    _check_seeds(template)
    if template.validation is not None and not template.files:
        refuse("has no [[files]] to check", "validation")


def _check_paths(template: Tables) -> None:
    declared = {spec.name for _, spec in declarations.secrets(template)}
    paths = [file.path for file in template.files]
    for index, file in enumerate(template.files):
        if file.path in paths[:index]:
            refuse("is declared twice", "files", index, "path")
        if file.secret and file.name in declared:
            refuse(f"is already the path of the secret `{file.name}`", "files", index, "path")


def _check_added(template: Tables, part: Option | Tables, where: KeyPath) -> None:
    """Check what an option, and the choices of its fields, add to the first file."""
    added: list[tuple[Mapping[str, object], KeyPath]] = []
    option = part if isinstance(part, Option) else None
    if option is not None and option.config:
        added.append((option.config, (*where, "config")))
    for index, field in enumerate(part.fields):
        when = (*where, "fields", index, "when")
        added += [(content, (*when, choice)) for choice, content in field.when.items()]
    for content, place in added:
        if not template.files:
            refuse("has no [[files]] to go into", *place)
        known = declarations.placeholders(template) | declarations.field_placeholders(part)
        if template.files[0].secret:
            known |= declarations.secret_placeholders(template, option)
        _check_content(content, template.files[0], known, place)


def _check_content(
    content: Mapping[str, object], file: ConfigFile, known: frozenset[str], where: KeyPath
) -> None:
    for text, place in texts(content, where):
        check_placeholder(text, known, *place)
    check_values(content, file.format, where)


def _check_seeds(template: Tables) -> None:
    known = declarations.placeholders(template)
    for index, seed in enumerate(template.seeds):
        if template.state is None:
            refuse("has no [state] to be written to", "seeds", index)
        for other in template.seeds[:index]:
            if other.path == seed.path:
                refuse("is declared twice", "seeds", index, "path")
            if contains(other.path, seed.path) or contains(seed.path, other.path):
                refuse(
                    f"conflicts with `{other.path}`: one would be the other's folder",
                    "seeds",
                    index,
                    "path",
                )
        check_placeholder(seed.text, known, "seeds", index, "text")

"""What a template declares, and where: for all of its bots, and for each provider and channel.

The rules ask here which secrets, fields and placeholders a bot of the template has. One bot gets
what the template declares at its top level, with one provider and one channel.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

from controller.catalog.inputs import FieldSpec, SecretSpec
from controller.catalog.parts import KeyPath
from controller.catalog.tables import Option, Tables

Parts = tuple[tuple[KeyPath, Option | Tables], ...]


def options(template: Tables) -> Iterator[tuple[KeyPath, Option]]:
    """Every provider and every channel, with its path."""
    for name, provider in template.providers.items():
        yield ("providers", name), provider
    for name, channel in template.channels.items():
        yield ("channels", name), channel


def parts(template: Tables) -> Iterator[tuple[KeyPath, Option | Tables]]:
    """The template itself and all of its options, each with its path."""
    yield (), template
    yield from options(template)


def combinations(template: Tables) -> Iterator[Parts]:
    """The parts that declare one bot, for each choice of provider and channel."""
    found = list(options(template))
    kinds = [[pair for pair in found if pair[0][0] == kind] for kind in ("providers", "channels")]
    for chosen in itertools.product(*(kind for kind in kinds if kind)):
        yield ((), template), *chosen


def secrets(template: Tables) -> Iterator[tuple[KeyPath, SecretSpec]]:
    """Every secret of the template and its options, with its path."""
    for where, part in parts(template):
        for index, spec in enumerate(part.secrets):
            yield (*where, "secrets", index), spec


def fields(template: Tables) -> Iterator[tuple[KeyPath, FieldSpec]]:
    """Every field of the template and its options, with its path."""
    for where, part in parts(template):
        for index, spec in enumerate(part.fields):
            yield (*where, "fields", index), spec


def secret_names(template: Tables) -> frozenset[str]:
    """The file names that a bot's secrets folder may have: secrets and secret config files."""
    declared = {spec.name for _, spec in secrets(template)}
    return frozenset(declared | {file.name for file in template.files if file.secret})


def field_placeholders(part: Option | Tables) -> frozenset[str]:
    """The placeholders for the fields that this part declares itself."""
    return frozenset(f"field.{field.name}" for field in part.fields)


def placeholders(template: Tables) -> frozenset[str]:
    """The placeholders that every part may use; an option may also use its own fields."""
    known = {"name"} | field_placeholders(template)
    if template.providers:
        known |= {"provider", "model", "provider/model"}
    if template.channels:
        known |= {"channel"}
    return frozenset(known)


def secret_placeholders(template: Tables, option: Option | None = None) -> frozenset[str]:
    """The placeholders for the secrets that every bot has; with an option, every bot with it."""
    known = {spec.name for spec in template.secrets}
    for kind in (template.providers, template.channels):
        known |= _shared(kind, option)
    return frozenset(f"secret.{name}" for name in known)


def _shared(kind: Mapping[str, Option], option: Option | None) -> set[str]:
    """The secrets that all providers, or all channels, share; or those of the given one."""
    if option is not None and any(one is option for one in kind.values()):
        return {spec.name for spec in option.secrets}
    names = [{spec.name for spec in one.secrets} for one in kind.values()]
    return set.intersection(*names) if names else set()

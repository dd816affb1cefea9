"""What one bot of a template is made of: the template itself, one provider, one channel.

The rules ask here what is declared where, and which placeholders may stand there.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping

from controller.catalog.asked import FieldSpec, SecretSpec
from controller.catalog.placeholders import Where
from controller.catalog.tables import Option, Tables

Parts = tuple[tuple[Where, Option | Tables], ...]


def options(template: Tables) -> Iterator[tuple[Where, Option]]:
    """Every provider and every channel, with the way to it."""
    for name, provider in template.providers.items():
        yield ("providers", name), provider
    for name, channel in template.channels.items():
        yield ("channels", name), channel


def parts(template: Tables) -> Iterator[tuple[Where, Option | Tables]]:
    """The template and all of its options, with the way to each."""
    yield (), template
    yield from options(template)


def combinations(template: Tables) -> Iterator[Parts]:
    """The tables that one bot is made of, for each choice of provider and channel."""
    found = list(options(template))
    kinds = [[pair for pair in found if pair[0][0] == kind] for kind in ("providers", "channels")]
    for chosen in itertools.product(*(kind for kind in kinds if kind)):
        yield ((), template), *chosen


def secrets(template: Tables) -> Iterator[tuple[Where, SecretSpec]]:
    """Every secret that is declared anywhere, with the way to it."""
    for way, part in parts(template):
        for index, spec in enumerate(part.secrets):
            yield (*way, "secrets", index), spec


def fields(template: Tables) -> Iterator[tuple[Where, FieldSpec]]:
    """Every field that is declared anywhere, with the way to it."""
    for way, part in parts(template):
        for index, spec in enumerate(part.fields):
            yield (*way, "fields", index), spec


def secret_names(template: Tables) -> frozenset[str]:
    """What can lie in a bot's secrets folder: secrets, and config files with secrets in them."""
    declared = {spec.name for _, spec in secrets(template)}
    return frozenset(declared | {file.name for file in template.files if file.secret})


def field_placeholders(part: Option | Tables) -> frozenset[str]:
    """The placeholders of a table's own fields."""
    return frozenset(f"field.{field.name}" for field in part.fields)


def placeholders(template: Tables) -> frozenset[str]:
    """What may stand anywhere in the template: the fields of options only stand in their own."""
    known = {"name"} | field_placeholders(template)
    if template.providers:
        known |= {"provider", "model", "provider/model"}
    if template.channels:
        known |= {"channel"}
    return frozenset(known)


def secret_placeholders(template: Tables, option: Option | None = None) -> frozenset[str]:
    """The secrets that every such bot has: the template's, the option's, those all others share."""
    known = {spec.name for spec in template.secrets}
    for kind in (template.providers, template.channels):
        known |= _shared(kind, option)
    return frozenset(f"secret.{name}" for name in known)


def _shared(kind: Mapping[str, Option], option: Option | None) -> set[str]:
    if option is not None and any(one is option for one in kind.values()):
        return {spec.name for spec in option.secrets}
    names = [{spec.name for spec in one.secrets} for one in kind.values()]
    return set.intersection(*names) if names else set()

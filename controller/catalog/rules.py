"""What must fit together across the tables of a template.

Each rule refuses with the way to the key at fault; `load` turns that into a line.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping

from controller.catalog.asked import FieldSpec, SecretSpec, check_variable
from controller.catalog.parts import contains, is_option_id, is_variable, refuse
from controller.catalog.placeholders import Where, check_placeholder, texts
from controller.catalog.tables import Option, Tables
from controller.domain.keys import looks_like_key, promises_secret
from controller.domain.spec import SECRETS_TARGET

Parts = tuple[tuple[Where, Option | Tables], ...]

_MOUNT = SECRETS_TARGET + "/"


def check(template: Tables) -> None:
    """Refuse the template at the first thing in it that does not fit."""
    if not is_option_id(template.id):
        refuse("may have lower-case letters, digits, - and _, at most 32", "id")
    for kind, options in (("providers", template.providers), ("channels", template.channels)):
        for name in options:
            if not is_option_id(name):
                refuse("may have lower-case letters, digits, - and _, at most 32", kind, name)
    _check_names(template)
    _check_variables(template)
    _check_mounts(template)
    _check_files(template)
    _check_texts(template)


def _check_names(template: Tables) -> None:
    """No bot may have two secrets, two fields or two variables of one name."""
    for parts in _combinations(template):
        for kind in ("secrets", "fields"):
            seen: set[str] = set()
            for where, part in parts:
                specs: tuple[SecretSpec | FieldSpec, ...] = getattr(part, kind)
                for index, spec in enumerate(specs):
                    if spec.name in seen:
                        refuse(
                            f"is taken: a bot would have two {kind} `{spec.name}`",
                            *where,
                            kind,
                            index,
                            "name",
                        )
                    seen.add(spec.name)


def _check_variables(template: Tables) -> None:
    known = _placeholders(template)
    declared = _declared_secrets(template)
    for name, value in template.run.env.items():
        where = ("run", "env", name)
        if name.upper().endswith("_FILE") and promises_secret(name):
            _check_hand_over(name, value, declared)
        else:
            check_variable(name, *where)
        check_placeholder(value, known, *where)
    for parts in _combinations(template):
        _check_field_variables(parts, set(template.run.env))


def _check_field_variables(parts: Parts, taken: set[str]) -> None:
    for way, part in parts:
        for index, field in enumerate(part.fields):
            where = (*way, "fields", index, "env")
            if field.env in taken:
                refuse(f"would be set twice: `{field.env}` is taken", *where)
            taken |= {field.env} - {""}


def _check_hand_over(name: str, value: str, declared: frozenset[str]) -> None:
    if not is_variable(name):
        refuse("is not a name that a variable can have", "run", "env", name)
    if value.removeprefix(_MOUNT) not in declared or not value.startswith(_MOUNT):
        refuse(f"must be the path of a declared secret, like {_MOUNT}api_key", "run", "env", name)


def _check_mounts(template: Tables) -> None:
    places: list[tuple[str, Where]] = [
        (path, ("run", "tmpfs", path)) for path in template.run.tmpfs
    ]
    if template.state is not None:
        places.append((template.state.path, ("state", "path")))
    folders = {file.folder: index for index, file in enumerate(template.files)}
    places += [(folder, ("files", index, "path")) for folder, index in folders.items()]
    for path, where in places:
        if contains(SECRETS_TARGET, path):
            refuse(f"must not be in {SECRETS_TARGET}, where the secrets are mounted", *where)
        if contains(path, SECRETS_TARGET) and where[:2] != ("run", "tmpfs"):
            refuse(f"would cover {SECRETS_TARGET}, where the secrets are mounted", *where)
    for (first, _), (second, where) in itertools.combinations(places, 2):
        if first == second:
            refuse(f"is mounted twice: {second}", *where)
    for folder, index in folders.items():
        for path, _ in places:
            if path != folder and contains(folder, path):
                refuse(f"has a folder that would cover {path}", "files", index, "path")


def _check_files(template: Tables) -> None:
    paths = [file.path for file in template.files]
    for index, path in enumerate(paths):
        if path in paths[:index]:
            refuse("is declared twice", "files", index, "path")
    for index, file in enumerate(template.files):
        _check_content(file.content, ("files", index, "content"), _placeholders(template))
    for where, option in _options(template):
        if option.config and not template.files:
            refuse("has no [[files]] to go into", *where, "config")
        known = _placeholders(template) | _field_names(option)
        _check_content(option.config, (*where, "config"), known)


def _check_content(content: Mapping[str, object], where: Where, known: frozenset[str]) -> None:
    for text, way in texts(content, where):
        check_placeholder(text, known, *way)
    _check_json(content, where)


def _check_json(value: object, where: Where) -> None:
    match value:
        case dict():
            for key, inner in value.items():
                _check_json(inner, (*where, key))
        case list():
            for index, inner in enumerate(value):
                _check_json(inner, (*where, index))
        case float() if not math.isfinite(value):
            refuse("is no number that JSON knows", *where)
        case str() | int() | float():
            pass
        case _:
            refuse("is a date or a time, which JSON does not know: put it in quotes", *where)


def _check_texts(template: Tables) -> None:
    """Nothing that goes into a container's description or a config file may look like a key."""
    declared = _declared_secrets(template)
    for text, where in _visible_texts(template):
        if looks_like_key(text):
            refuse("looks like a secret; declare it with [[secrets]] instead", *where)
        if text.startswith(_MOUNT) and text.removeprefix(_MOUNT) not in declared:
            name = text.removeprefix(_MOUNT)[:40]
            refuse(f"names a secret `{name}` that this template does not have", *where)


def _visible_texts(template: Tables) -> Iterator[tuple[str, Where]]:
    yield from texts(dict(template.run.env), ("run", "env"))
    yield from texts(list(template.run.command), ("run", "command"))
    yield from texts(list(template.run.entrypoint), ("run", "entrypoint"))
    if template.health is not None:
        yield from texts(list(template.health.test), ("health", "test"))
    for index, file in enumerate(template.files):
        yield from texts(file.content, ("files", index, "content"))
    for where, option in _options(template):
        yield from texts(option.config, (*where, "config"))


def _options(template: Tables) -> Iterator[tuple[Where, Option]]:
    for name, provider in template.providers.items():
        yield ("providers", name), provider
    for name, channel in template.channels.items():
        yield ("channels", name), channel


def _combinations(template: Tables) -> Iterator[Parts]:
    """The tables that one bot is made of, for each choice of provider and channel."""
    options = list(_options(template))
    kinds = [[pair for pair in options if pair[0][0] == kind] for kind in ("providers", "channels")]
    for chosen in itertools.product(*(kind for kind in kinds if kind)):
        yield ((), template), *chosen


def _declared_secrets(template: Tables) -> frozenset[str]:
    parts: list[Option | Tables] = [template, *(option for _, option in _options(template))]
    return frozenset(spec.name for part in parts for spec in part.secrets)


def _field_names(part: Option | Tables) -> frozenset[str]:
    return frozenset(f"field.{field.name}" for field in part.fields)


def _placeholders(template: Tables) -> frozenset[str]:
    """What may stand anywhere in the template: the fields of options only stand in their own."""
    known = {"name"} | _field_names(template)
    if template.providers:
        known |= {"provider", "model", "provider/model"}
    if template.channels:
        known |= {"channel"}
    return frozenset(known)

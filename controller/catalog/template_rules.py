"""Rules for what must fit together across the tables of a template: names, mounts, texts.

Each rule refuses with the path of the wrong key, which `loading` turns into a line. More rules:
`variable_rules` (environment, secrets), `content_rules` (files, seeds), `command_rules` (actions).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from controller.catalog import command_rules, content_rules, declarations, variable_rules
from controller.catalog.inputs import FieldSpec, SecretSpec
from controller.catalog.parts import KeyPath, contains, is_option_id, refuse
from controller.catalog.placeholders import texts
from controller.catalog.tables import Tables
from controller.domain.keys import looks_like_key
from controller.domain.spec import SECRETS_TARGET


def check(template: Tables) -> None:
    """Refuse the template at its first mistake."""
    if not is_option_id(template.id):
        refuse("may have at most 32 lower-case letters, digits, - and _", "id")
    for kind, options in (("providers", template.providers), ("channels", template.channels)):
        for name in options:
            if not is_option_id(name):
                refuse("may have at most 32 lower-case letters, digits, - and _", kind, name)
    _check_names(template)
    variable_rules.check(template)
    _check_mounts(template)
    content_rules.check(template)
    command_rules.check(template)
    _check_log_signs(template)
    _check_texts(template)


def _check_names(template: Tables) -> None:
    """No bot may have two secrets or two fields of the same name."""
    for parts in declarations.combinations(template):
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


def _check_mounts(template: Tables) -> None:
    places: list[tuple[str, KeyPath]] = [
        (path, ("run", "tmpfs", path)) for path in template.run.tmpfs
    ]
    if template.state is not None:
        places.append((template.state.path, ("state", "path")))
    folders = {file.folder: i for i, file in enumerate(template.files) if not file.secret}
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


def _check_log_signs(template: Tables) -> None:
    for index, sign in enumerate(template.health.log if template.health else ()):
        for key, pattern in (("pattern", sign.pattern), ("until", sign.until)):
            command_rules.check_not_everything(pattern, "health", "log", index, key)


def _check_texts(template: Tables) -> None:
    """No text that people or the engine can read, and no file, may contain a key."""
    declared = declarations.secret_names(template)
    for text, where in _written_texts(template):
        if looks_like_key(text):
            refuse("looks like a secret; declare it under [[secrets]] instead", *where)
        if (
            text.startswith(variable_rules.MOUNT)
            and text.removeprefix(variable_rules.MOUNT) not in declared
        ):
            name = text.removeprefix(variable_rules.MOUNT)[:40]
            refuse(f"names a secret `{name}` that this template doesn't declare", *where)


def _written_texts(template: Tables) -> Iterator[tuple[str, KeyPath]]:
    """Every text that ends up in a container's description, a file or a command, with its path."""
    run = template.run
    yield from texts(dict(run.env), ("run", "env"))
    for key in ("command", "entrypoint", "reload"):
        yield from texts(list(getattr(run, key)), ("run", key))
    if template.health is not None:
        yield from texts(list(template.health.test), ("health", "test"))
    if template.validation is not None:
        yield from texts(list(template.validation.command), ("validation", "command"))
    for index, file in enumerate(template.files):
        yield from texts(file.content, ("files", index, "content"))
    for where, option in declarations.options(template):
        yield from texts(option.config, (*where, "config"))
    for where, field in declarations.fields(template):
        yield from texts(field.when, (*where, "when"))
    for index, seed in enumerate(template.seeds):
        yield seed.text, ("seeds", index, "text")
    for key, action in template.actions.items():
        yield from texts(list(action.command), ("actions", key, "command"))

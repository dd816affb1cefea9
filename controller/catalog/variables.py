"""Rules for a bot's environment, and for the ways in which a secret is handed over.

A variable may hold the path of a secret. That it holds a secret itself is only possible in the
bot's own process, behind a shell, and only in a template that says so.
"""

from __future__ import annotations

from controller.catalog import makeup
from controller.catalog.asked import check_variable
from controller.catalog.parts import is_variable, refuse
from controller.catalog.placeholders import check_placeholder
from controller.catalog.tables import Tables
from controller.domain.keys import promises_secret
from controller.domain.spec import SECRETS_TARGET

MOUNT = SECRETS_TARGET + "/"


def check(template: Tables) -> None:
    """Refuse a variable that is set twice, or that would hold or lead to what it must not."""
    known = makeup.placeholders(template)
    declared = makeup.secret_names(template)
    for name, value in template.run.env.items():
        where = ("run", "env", name)
        if name.upper().endswith("_FILE") and promises_secret(name):
            _check_hand_over(name, value, declared)
        else:
            check_variable(name, *where)
        check_placeholder(value, known, *where)
    for parts in makeup.combinations(template):
        _check_twice(parts, set(template.run.env))
    _check_exposure(template)


def _check_twice(parts: makeup.Parts, taken: set[str]) -> None:
    for way, part in parts:
        variables = [
            (name, ("secrets", index, key))
            for index, secret in enumerate(part.secrets)
            for key, name in (("env_file", secret.env_file), ("process_env", secret.process_env))
        ]
        variables += [
            (field.env, ("fields", index, "env")) for index, field in enumerate(part.fields)
        ]
        for name, where in variables:
            if name in taken:
                refuse(f"would be set twice: `{name}` is taken", *way, *where)
            taken |= {name} - {""}


def _check_hand_over(name: str, value: str, declared: frozenset[str]) -> None:
    if not is_variable(name):
        refuse("is not a name that a variable can have", "run", "env", name)
    if value.removeprefix(MOUNT) not in declared or not value.startswith(MOUNT):
        refuse(f"must be the path of a declared secret, like {MOUNT}api_key", "run", "env", name)


def _check_exposure(template: Tables) -> None:
    exposed = [(*way, "process_env") for way, spec in makeup.secrets(template) if spec.process_env]
    for where in exposed:
        if template.run.secret_exposure is None:
            refuse(
                "puts the secret into the environment of the bot's process, which has to be said: "
                '`secret_exposure = "process-env"` in [run]',
                *where,
            )
        if not template.run.command:
            refuse(
                "needs `command` in [run]: the shell that reads the secret must know what to run",
                *where,
            )
    if template.run.secret_exposure is not None and not exposed:
        refuse("says what no secret does: none has `process_env`", "run", "secret_exposure")

"""Rules for a bot's environment, and for how a secret gets to the bot.

A variable may hold the path of a secret. It may only hold the secret itself inside the bot's own
process, where a shell sets it, and only if the template declares that.
"""

from __future__ import annotations

from controller.catalog import declarations
from controller.catalog.inputs import check_variable
from controller.catalog.parts import is_variable, refuse
from controller.catalog.placeholders import check_placeholder
from controller.catalog.tables import Tables
from controller.domain.keys import promises_secret
from controller.domain.spec import SECRETS_TARGET

MOUNT = SECRETS_TARGET + "/"


def check(template: Tables) -> None:
    """Refuse variables that are set twice, would hold a secret, or name one that isn't declared."""
    known = declarations.placeholders(template)
    declared = declarations.secret_names(template)
    for name, value in template.run.env.items():
        where = ("run", "env", name)
        if name.upper().endswith("_FILE") and promises_secret(name):
            _check_hand_over(name, value, declared)
        else:
            check_variable(name, *where)
        check_placeholder(value, known, *where)
    for parts in declarations.combinations(template):
        _check_twice(parts, set(template.run.env))
    _check_exposure(template)


def _check_twice(parts: declarations.Parts, taken: set[str]) -> None:
    for where, part in parts:
        variables = [
            (name, ("secrets", index, key))
            for index, secret in enumerate(part.secrets)
            for key, name in (("env_file", secret.env_file), ("process_env", secret.process_env))
        ]
        variables += [
            (field.env, ("fields", index, "env")) for index, field in enumerate(part.fields)
        ]
        for name, place in variables:
            if name in taken:
                refuse(f"would be set twice: `{name}` is taken", *where, *place)
            taken |= {name} - {""}


def _check_hand_over(name: str, value: str, declared: frozenset[str]) -> None:
    if not is_variable(name):
        refuse("isn't a valid name for a variable", "run", "env", name)
    if value.removeprefix(MOUNT) not in declared or not value.startswith(MOUNT):
        refuse(f"must be the path of a declared secret, like {MOUNT}api_key", "run", "env", name)


def _check_exposure(template: Tables) -> None:
    secrets = declarations.secrets(template)
    exposed = [(*place, "process_env") for place, spec in secrets if spec.process_env]
    for where in exposed:
        if template.run.secret_exposure is None:
            refuse(
                "puts the secret into the environment of the bot's process: declare that with "
                '`secret_exposure = "process-env"` in [run]',
                *where,
            )
        if not template.run.command:
            refuse(
                "needs `command` in [run]: the shell that reads the secret runs that command next",
                *where,
            )
    if template.run.secret_exposure is not None and not exposed:
        refuse("has no effect: no secret has `process_env`", "run", "secret_exposure")

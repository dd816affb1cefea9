"""A template's draft from a container that somebody else made. No value that may be secret is in
it: what looks like one becomes a secret that is asked for."""

from __future__ import annotations

import re
import textwrap
import tomllib
from collections.abc import Iterable
from typing import Any

import tomli_w
from pydantic import ValidationError

from controller.catalog.foreign import Foreign
from controller.catalog.inputs import HINT_MAX, LABEL_MAX
from controller.catalog.parts import is_variable
from controller.catalog.reasons import path_of, reason_of
from controller.catalog.template import Template
from controller.domain.errors import BadInput
from controller.domain.keys import looks_like_key, promises_secret

USER = "1000:1000"
MOUNT = "/run/secrets/"
_USER = re.compile(r"[1-9]\d{0,8}(:[1-9]\d{0,8})?", re.ASCII)
# More names than `promises_secret` knows: asking once too often costs a line, a leak costs the key.
_SECRET_NAME = re.compile(
    r"(^|_)(KEY|KEYS|PASS|PWD|PW|AUTH|PAT|DSN|COOKIE|SESSION|WEBHOOK|SALT|SEED|PRIVATE|CRED\w*)(_|$)",
    re.IGNORECASE,
)
_RANDOM = re.compile(r"(?=.*\d)(?=.*[A-Za-z])[A-Za-z0-9_+/=.~-]{20,}")
# An option, or a variable in a line for a shell, that is given a secret.
_SECRET_ARGUMENT = re.compile(
    r"(?:^|[\s_-])(?:pass|passw\w*|token|secret|key|api-?key|auth|credentials?)(?:=|:|\s)\s*\S",
    re.IGNORECASE,
)
_MIB = 1024**2


def draft(foreign: Foreign, origin: str, template_id: str = "") -> str:
    """The draft as TOML that passes every check; its remarks say what isn't carried over.

    BadInput when there is nothing that a template could run.
    """
    ident = template_id or _id(foreign.name)
    notes = list(foreign.lost)
    content = _content(foreign, ident, notes)
    while (fault := _fault(content)) is not None:
        _drop(content, *fault, notes)
    remarks = [
        f"A draft, made from {origin}. Look through it; `botmaker templates explain {ident}` says "
        "what it does. Nothing secret is in it.",
    ]
    if notes:
        remarks += ["", "Not carried over as it was:"]
        remarks += [f"- {note}" for note in dict.fromkeys(notes)]
    lines = [part for line in remarks for part in _wrapped(_one_line(line))]
    head = "".join(f"# {line}".rstrip() + "\n" for line in lines)
    return head + tomli_w.dumps(content)


def _content(foreign: Foreign, ident: str, notes: list[str]) -> dict[str, Any]:
    secrets, fields = _inputs(foreign, notes)
    run: dict[str, Any] = {"user": _user(foreign, notes)}
    entrypoint, command = list(foreign.entrypoint), list(foreign.command)
    if _holds_secret([*entrypoint, *command]):
        entrypoint, command = [], []
        notes.append("`command`: something in it looks like a secret, so it is left out.")
    if any("process_env" in one for one in secrets):
        entrypoint, command = [], [*entrypoint, *command]
        run |= {"secret_exposure": "process-env"}
        notes.append(
            "secrets that were variables are put into the program's environment by a shell, which "
            "needs `sh` and `cat` in the image; a file is safer, if the program can read one."
        )
        if not foreign.whole_command:
            notes.append("if the image has an entrypoint, put it before `command`.")
    run |= {"entrypoint": entrypoint} if entrypoint else {}
    run |= {"command": command} if command else {}
    run |= {"workdir": foreign.workdir} if foreign.workdir else {}
    if foreign.stop_timeout:
        run["stop_timeout"] = foreign.stop_timeout
    if foreign.restart not in {"", "always", "unless-stopped"}:
        run["restart"] = "on-failure:5" if foreign.restart == "on-failure" else foreign.restart
    tmpfs = dict.fromkeys(("/tmp", *foreign.tmpfs), "64m")  # noqa: S108 - in the container
    run |= {"tmpfs": tmpfs} if len(tmpfs) > 1 else {}
    run |= {"resources": found} if (found := _resources(foreign)) else {}
    content: dict[str, Any] = {"schema": 1, "id": ident, "title": ident.replace("-", " ").title()}
    content["image"] = {"ref": foreign.image}
    content["run"] = run
    if foreign.volumes:
        content["state"] = {"path": foreign.volumes[0]}
        notes += [
            f"{path}: a bot has one volume, which is {foreign.volumes[0]}."
            for path in foreign.volumes[1:]
        ]
    if _holds_secret(foreign.health.get("test", ())):
        notes.append("`health`: something in its test looks like a secret, so it is left out.")
    elif foreign.health:
        content["health"] = dict(foreign.health)
    content |= {"secrets": secrets} if secrets else {}
    content |= {"fields": fields} if fields else {}
    return content


def _user(foreign: Foreign, notes: list[str]) -> str:
    if _USER.fullmatch(foreign.user):
        return foreign.user
    was = "root" if foreign.user in {"", "0", "0:0", "root"} else "a user with a name"
    notes.append(f"`user`: it ran as {was}; bots run as a numeric user that isn't root.")
    return USER


def _resources(foreign: Foreign) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if foreign.memory >= 8 * _MIB:
        found["memory"] = f"{-(-foreign.memory // _MIB)}m"
    if foreign.cpus:
        found["cpus"] = max(0.05, round(foreign.cpus, 3))
    if foreign.pids:
        found["pids"] = max(4, foreign.pids)
    return found


def _inputs(
    foreign: Foreign, notes: list[str]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The secrets and the fields of the environment, each under a name of its own."""
    secrets = [_secret(name, _free(name, ())) for name in foreign.secrets]
    names = {one["name"] for one in secrets}
    fields: list[dict[str, Any]] = []
    for variable, value in foreign.env.items():
        if not is_variable(variable):
            notes.append("a variable whose name can't be one.")
            continue
        if variable.upper().endswith("_FILE") and (value or "").startswith("/"):
            if value and value.startswith(MOUNT):
                _hand_over(variable, value.removeprefix(MOUNT), secrets, names)
                continue
            if promises_secret(variable):
                _hand_over(variable, variable[: -len("_FILE")], secrets, names)
                continue
        name = _free(variable, names)
        names.add(name)
        if not _seems_secret(variable, value or ""):
            fields.append(_field(variable, name, value, notes))
            continue
        secrets.append(_secret(variable, name))
        command = (*foreign.entrypoint, *foreign.command)
        if command and not _holds_secret(command):
            secrets[-1]["process_env"] = variable
        else:
            notes.append(
                f"{variable} was a variable, and is the file {MOUNT}{name} now. If the program "
                f'needs the variable, write its command into [run], `process_env = "{variable}"` '
                'at the secret, and `secret_exposure = "process-env"` into [run].'
            )
    return secrets, fields


def _hand_over(variable: str, file: str, secrets: list[dict[str, Any]], names: set[str]) -> None:
    """A variable with a secret's path: the secret, declared already or new, has it from now on."""
    name = _free(file, ())
    known = next((one for one in secrets if one["name"] == name), None)
    if known is None:
        known = _secret(file, name)
        secrets.append(known)
        names.add(name)
    known["env_file"] = variable


def _secret(label: str, name: str) -> dict[str, Any]:
    return {"name": name, "label": _one_line(label)[:LABEL_MAX] or name}


def _field(variable: str, name: str, value: str | None, notes: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {"name": name, "label": variable[:LABEL_MAX], "env": variable}
    if value is None:
        notes.append(f"{variable}: its value came from outside, so it has no default.")
    elif "\n" in value:
        found |= {"default": value, "multiline": True}
    elif value:
        found["default"] = value
    return {**found, "hint": f"the variable {variable}"[:HINT_MAX], "later": True}


def _seems_secret(variable: str, value: str) -> bool:
    named = promises_secret(variable) or _SECRET_NAME.search(variable) is not None
    return named or looks_like_key(value) or _RANDOM.fullmatch(value.strip()) is not None


def _holds_secret(arguments: Iterable[str]) -> bool:
    words = tuple(arguments)
    alone = any(looks_like_key(one) or _RANDOM.fullmatch(one) for one in words)
    return alone or _SECRET_ARGUMENT.search(" ".join(words)) is not None


def _free(text: str, taken: Iterable[str]) -> str:
    """A name for a secret or a field like this text that isn't taken."""
    plain = re.sub(r"[^a-z0-9_]+", "_", text.lower()).lstrip("_0123456789")[:56] or "value"
    names, number, name = set(taken), 2, plain
    while name in names:
        name, number = f"{plain}_{number}", number + 1
    return name


def _id(name: str) -> str:
    return re.sub(r"[^a-z0-9_-]+", "-", name.lower()).strip("-_")[:32].rstrip("-_") or "imported"


def _wrapped(line: str) -> list[str]:
    indent = "  " if line.startswith("- ") else ""
    return textwrap.wrap(line, 98, subsequent_indent=indent, break_on_hyphens=False) or [""]


def _one_line(text: str) -> str:
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())


def _fault(content: dict[str, Any]) -> tuple[tuple[str | int, ...], str] | None:
    """Where the first mistake is and why it is one; None when there is none."""
    try:
        Template.model_validate(tomllib.loads(tomli_w.dumps(content)))
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False)[0]
        return path_of(first), reason_of(first)
    return None


def _drop(
    content: dict[str, Any], where: tuple[str | int, ...], why: str, notes: list[str]
) -> None:
    """Leave out the smallest part that the mistake is in. BadInput where nothing can be left."""
    top = str(where[0]) if where else ""
    if top in {"fields", "secrets"} and len(where) > 1:
        items, index = content[top], where[1]
        if where[-1] == "process_env":
            del items[index]["process_env"]
        else:
            del items[index]
    elif top == "run" and len(where) > 1 and where[1] != "user":
        del content["run"][where[1]]
    elif top in {"health", "state", "fields", "secrets"}:
        del content[top]
    else:
        raise BadInput(f"No template can be made of this: {why}")
    notes.append(f"{why.rstrip('.')}; left out.")

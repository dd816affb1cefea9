"""Rules for commands that run in a bot's container or its image: actions, reload, validation."""

from __future__ import annotations

import re

from controller.catalog import declarations
from controller.catalog.inputs import FieldSpec
from controller.catalog.parts import KeyPath, refuse
from controller.catalog.placeholders import check_placeholder, placeholder
from controller.catalog.tables import Action, Tables

ARGS_MAX = 5  # few enough for one form

_KEY = re.compile(r"[a-z0-9-]{1,32}")
_NOT_FOR_ARGS = ("list", "multiline", "later", "env", "when")


def check(template: Tables) -> None:
    """Refuse an action that couldn't be offered, asked for or run."""
    for key, action in template.actions.items():
        if not _KEY.fullmatch(key):
            refuse("may have at most 32 lower-case letters, digits and -", "actions", key)
        _check_action(template, action, ("actions", key))
    run = template.run
    literal = {("run", key): getattr(run, key) for key in ("entrypoint", "command", "reload")}
    if template.health is not None:
        literal["health", "test"] = template.health.test
    if template.validation is not None:
        literal["validation", "command"] = template.validation.command
    for where, command in literal.items():
        for index, text in enumerate(command):
            if placeholder(text):
                refuse("can't have placeholders", *where, index)


def _check_action(template: Tables, action: Action, where: KeyPath) -> None:
    for index, channel in enumerate(action.channels):
        if channel not in template.channels:
            refuse("isn't a channel of this template", *where, "channels", index)
    _check_args(template, action.args, (*where, "args"))
    known = declarations.placeholders(template) - {"provider/model"} | _fields_of(template, action)
    for index, text in enumerate(action.command):
        check_placeholder(text, known, *where, "command", index)
    for index, pattern in enumerate(action.hide):
        check_not_everything(pattern, *where, "hide", index)


def _check_args(template: Tables, args: tuple[FieldSpec, ...], where: KeyPath) -> None:
    if len(args) > ARGS_MAX:
        refuse(f"is one too many: an action has room for {ARGS_MAX} arguments", *where, ARGS_MAX)
    taken = {spec.name for _, spec in declarations.fields(template)}
    for index, arg in enumerate(args):
        for key in _NOT_FOR_ARGS:
            if getattr(arg, {"list": "is_list"}.get(key, key)):
                refuse("isn't for arguments: each is one line, used once", *where, index, key)
        if arg.name in taken:
            refuse(
                f"is taken: another field or argument is called `{arg.name}`",
                *where,
                index,
                "name",
            )
        taken.add(arg.name)


def _fields_of(template: Tables, action: Action) -> frozenset[str]:
    """The action's arguments, and the fields that all of its channels have in common."""
    shared = [declarations.field_placeholders(template.channels[one]) for one in action.channels]
    own = frozenset(f"field.{arg.name}" for arg in action.args)
    return own | (frozenset.intersection(*shared) if shared else frozenset())


def check_not_everything(pattern: str, *where: str | int) -> None:
    """Refuse a pattern that matches every text."""
    if pattern and re.search(pattern, "", re.ASCII):
        refuse("matches every text, even an empty one", *where)

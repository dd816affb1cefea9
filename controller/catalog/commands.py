"""Rules for commands run inside a bot's container or its image: actions, reload, validation."""

from __future__ import annotations

import re

from controller.catalog import makeup
from controller.catalog.asked import FieldSpec
from controller.catalog.parts import refuse
from controller.catalog.placeholders import Where, check_placeholder, placeholder
from controller.catalog.tables import Action, Tables

ARGS_MAX = 5  # boxes that a form in Discord can have

_KEY = re.compile(r"[a-z0-9-]{1,32}")
_NOT_FOR_ARGS = ("list", "multiline", "later", "env", "when")


def check(template: Tables) -> None:
    """Refuse an action that could not be offered, asked for or run."""
    for key, action in template.actions.items():
        if not _KEY.fullmatch(key):
            refuse("may have lower-case letters, digits and -, at most 32", "actions", key)
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
                refuse("takes no placeholders", *where, index)


def _check_action(template: Tables, action: Action, where: Where) -> None:
    for index, channel in enumerate(action.channels):
        if channel not in template.channels:
            refuse("is no channel of this template", *where, "channels", index)
    _check_args(template, action.args, (*where, "args"))
    known = makeup.placeholders(template) - {"provider/model"} | _fields_of(template, action)
    for index, text in enumerate(action.command):
        check_placeholder(text, known, *where, "command", index)
    for index, pattern in enumerate(action.hide):
        check_not_everything(pattern, *where, "hide", index)


def _check_args(template: Tables, args: tuple[FieldSpec, ...], where: Where) -> None:
    if len(args) > ARGS_MAX:
        refuse(f"is one too many: a form has room for {ARGS_MAX}", *where, ARGS_MAX)
    taken = {spec.name for _, spec in makeup.fields(template)}
    for index, arg in enumerate(args):
        for key in _NOT_FOR_ARGS:
            if getattr(arg, {"list": "is_list"}.get(key, key)):
                refuse("is not for arguments: one line is typed and used once", *where, index, key)
        if arg.name in taken:
            refuse(f"is taken: there is a field or argument `{arg.name}`", *where, index, "name")
        taken.add(arg.name)


def _fields_of(template: Tables, action: Action) -> frozenset[str]:
    """Its arguments, and the fields that all of the channels have which it is for."""
    shared = [makeup.field_placeholders(template.channels[one]) for one in action.channels]
    own = frozenset(f"field.{arg.name}" for arg in action.args)
    return own | (frozenset.intersection(*shared) if shared else frozenset())


def check_not_everything(pattern: str, *where: str | int) -> None:
    """Refuse a pattern that fits whatever it is held against."""
    if pattern and re.search(pattern, "", re.ASCII):
        refuse("fits every text, also an empty one", *where)

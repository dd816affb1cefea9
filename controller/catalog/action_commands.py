"""The command that an action of a template runs in a bot's container. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from controller.catalog.inputs import FieldSpec, tidy
from controller.catalog.placeholders import placeholder
from controller.catalog.rendering import values_for
from controller.catalog.tables import Action
from controller.catalog.template import Template
from controller.domain.bot import Bot
from controller.domain.errors import BadInput


def action_command(
    template: Template, bot: Bot, action: Action, values: Mapping[str, str]
) -> tuple[str, ...]:
    """The command and its arguments; raises BadInput for a value that can't be used.

    No shell is involved: each value is exactly one argument, and a missing value is no argument.
    """
    unknown = set(values) - {arg.name for arg in action.args}
    if unknown:
        raise BadInput(
            f"{action.title} was given more than it asks for.",
            hint="Open its form again.",
            code="bad-field",
        )
    known = dict(values_for(template, bot))
    specs = {spec.name: spec for spec in template.fields_for(bot.provider, bot.channel)}
    for arg in action.args:
        specs[arg.name] = arg
        given = tidy(arg, values.get(arg.name, "")) or arg.default
        arg.check(given)
        known[f"field.{arg.name}"] = given
    command: list[str] = []
    for part in action.command:
        name = placeholder(part)
        if name is None:
            command.append(part)
            continue
        value = known[name]
        for item in (value,) if isinstance(value, str) else value:
            _check_no_option(item, specs.get(name.removeprefix("field.")))
            command += [item] if item else []
    return tuple(command)


def _check_no_option(item: str, spec: FieldSpec | None) -> None:
    """Refuse a leading dash, which makes an option, unless a pattern or the choices allow it."""
    if item.startswith("-") and spec is not None and not (spec.pattern or spec.choices):
        raise BadInput(
            f"“{spec.label}” can't begin with a dash: the command would read it as an option.",
            code="bad-field",
        )

"""From an action of a template to the command that is run in a bot's container. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from controller.catalog.asked import FieldSpec
from controller.catalog.placeholders import placeholder
from controller.catalog.render import values_for
from controller.catalog.tables import Action
from controller.catalog.template import Template
from controller.domain.bot import Bot
from controller.domain.errors import BadInput


def action_command(
    template: Template, bot: Bot, action: Action, values: Mapping[str, str]
) -> tuple[str, ...]:
    """The arguments of the command, each exactly one; raises BadInput for a value that will not do.

    Nothing goes through a shell. An argument whose value is left out is left out itself.
    """
    unknown = set(values) - {arg.name for arg in action.args}
    if unknown:
        raise BadInput(f"{action.title} does not ask for all that was given.", code="bad-field")
    known = dict(values_for(template, bot))
    specs = {spec.name: spec for spec in template.fields_for(bot.provider, bot.channel)}
    for arg in action.args:
        specs[arg.name] = arg
        given = values.get(arg.name) or arg.default
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
    """A value with a dash in front would be read as an option, unless the template foresees it."""
    if item.startswith("-") and spec is not None and not (spec.pattern or spec.choices):
        raise BadInput(
            f"The field {spec.label} begins with a dash, which a command takes for an option.",
            hint="Type it without the dash.",
            code="bad-field",
        )

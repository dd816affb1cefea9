"""A template in words: what its bots run, what they ask for, and where each answer goes.

Printed by `botmaker templates explain`, for people who write a template or consider trusting one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from uuid import UUID

from controller.catalog import declarations
from controller.catalog.formats import write
from controller.catalog.inputs import FieldSpec, SecretSpec
from controller.catalog.placeholders import Values, filled, texts
from controller.catalog.rendering import content_for, values_for
from controller.catalog.tables import Option, Provider, Tables
from controller.catalog.template import Choice, Template
from controller.domain.bot import Bot
from controller.domain.errors import BadInput

EXPOSURE = (
    "⚠️ process-env: a shell in the container puts these secrets into the environment of the bot's "
    "process: {names}. `docker inspect` doesn't show them, but every program that runs as the "
    "bot's user in that container can read them."
)


def explain(template: Template) -> str:
    """Everything that the template does, in plain words, with samples of its config files."""
    title = f"{template.title} ({template.id})"
    blocks = [f"{title}: {template.description}" if template.description else title]
    for heading, lines in explained(template).items():
        blocks.append("\n".join([heading, *(f"  {line}" for line in lines)]))
    return "\n\n".join(blocks) + "\n"


def explained(template: Template) -> dict[str, list[str]]:
    """The same by headings: only those under which there is something to say."""
    sections = [
        ("What it runs", _runs(template)),
        ("Limits", _limits(template)),
        ("What it asks for, and where each answer goes", _asks(template)),
        ("Exposure", iter([_exposure(template)])),
        ("Health", _health(template)),
        ("Actions", _actions(template)),
        *_samples(template),
    ]
    return {heading: said for heading, lines in sections if (said := list(lines))}


def _runs(template: Template) -> Iterator[str]:
    run, pull = template.run, template.image.pull
    when = {
        "missing": "pulled if it's missing",
        "always": "pulled before each new container",
        "never": "never pulled",
    }
    yield f"image {template.image.ref}, {when[pull]}"
    if template.image.hint:
        yield f"if the image is missing: {template.image.hint}"
    command = _line((*run.entrypoint, *run.command))
    yield f"command {command}" if command else "the image's own command"
    yield f"as user {run.user}{f' in {run.workdir}' if run.workdir else ''}"
    for name, value in run.env.items():
        yield f"variable {name}={value}"
    yield f"state in a volume at {template.state.path}" if template.state else "keeps no state"
    if template.state is not None and template.state.snapshot:
        most, kept = template.state.snapshot_most, template.state.snapshots
        yield f"its state is copied before an update, up to {most}; {kept} copies are kept"
    for seed in template.seeds:
        how = "written once, then left alone" if seed.keep else "rewritten for each new container"
        yield f"file {seed.path} in the state, {how}"
    for file in template.files:
        kind = "with secrets, stored beside them" if file.secret else "without secrets, read-only"
        yield f"config {file.path} ({file.format}), {kind}"
    if template.validation is not None:
        yield f"config checked first with {_line(template.validation.command)}"
    yield (
        f"loads replaced secrets with {_line(run.reload)} (up to {run.reload_timeout:g} s)"
        if run.reload
        else "restarts to load replaced secrets"
    )
    for _, option in declarations.options(template):
        if option.needs is not None:
            yield f"{option.title} needs {option.needs.path} in the image: {option.needs.hint}"


def _limits(template: Template) -> Iterator[str]:
    run, size = template.run, template.run.resources
    yield f"memory {size.memory}, no swap; {size.cpus:g} CPUs; {size.pids} processes"
    for path, space in run.tmpfs.items():
        yield f"{path} in memory, up to {space}"
    yield f"{run.start_timeout} s to start, {run.stop_timeout} s to stop"
    codes = ", ".join(map(str, run.fatal_exit_codes))
    yield f"restart {run.restart}{f'; never after exit code {codes}' if codes else ''}"


def _asks(template: Template) -> Iterator[str]:
    for where, part in declarations.parts(template):
        if where:
            yield f"{'provider' if where[0] == 'providers' else 'channel'} {where[1]}:"
            if isinstance(part, Provider):
                yield f"  model: {', '.join((*part.models, 'any other'))}"
        elif part.secrets or part.fields:
            yield "for every bot:"
        for secret in part.secrets:
            yield f"  secret {secret.name}{_label(secret)}"
            yield from (f"    {line}" for line in _secret_lines(template, part, secret))
        for field in part.fields:
            yield f"  field {field.name}{_label(field)}"
            yield from (f"    {line}" for line in _field_lines(template, part, field))


def _label(spec: SecretSpec | FieldSpec) -> str:
    hint = f": {spec.hint}" if spec.hint else ""
    return f" ({spec.label}{hint})" if spec.label else ""


def _secret_lines(template: Template, part: Option | Tables, secret: SecretSpec) -> Iterator[str]:
    """How a secret gets to the bot, and what else happens to it."""
    if secret.generated:
        yield "generated by BotMaker, never shown"
    elif not secret.required:
        yield "optional"
    yield f"file {secret.path}"
    paths = [name for name, value in template.run.env.items() if value == secret.path]
    for name in (*paths, *([secret.env_file] if secret.env_file else [])):
        yield f"variable {name} holds that path"
    if secret.process_env:
        yield f"variable {secret.process_env} of the bot's process holds the secret itself"
    for file in _files_with(template, part, f"{{{{secret.{secret.name}}}}}"):
        yield f"written to {file}"
    for file in _files_with(template, part, secret.path):
        yield f"its path is written to {file}"
    if secret.live_check:
        yield f"checked before it's stored: {secret.live_check}"


def _field_lines(template: Template, part: Option | Tables, field: FieldSpec) -> Iterator[str]:
    """What a field takes, and where its value goes."""
    yield "required" if field.required else "optional"
    if field.later:
        yield "not asked for at creation, only in the bot's settings"
    if field.choices:
        yield f"one of {', '.join(field.choices)}"
    if field.default:
        yield f"default: {field.default}" if len(field.default) < 60 else "has a default"
    if field.env:
        yield f"variable {field.env}"
    mark = f"{{{{field.{field.name}}}}}"
    for file in _files_with(template, part, mark):
        yield f"written to {file}"
    for choice in field.when:
        yield f"{choice} adds to {template.files[0].path}"
    for seed in template.seeds:
        if seed.text == mark:
            yield f"written to {seed.path} in the state"


def _files_with(template: Template, part: Option | Tables, wanted: str) -> Iterator[str]:
    """The config files that contain the text, for bots with this part of the template."""
    added: list[object] = []
    for _, one in declarations.parts(template):
        if part is template or one is template or one is part:
            added += [field.when for field in one.fields]
            added += [one.config] if isinstance(one, Option) else []
    for index, file in enumerate(template.files):
        contents = [file.content, *(added if index == 0 else [])]
        if any(text == wanted for content in contents for text, _ in texts(content)):
            yield file.path


def _exposure(template: Template) -> str:
    names = [spec.process_env for _, spec in declarations.secrets(template) if spec.process_env]
    if names:
        return EXPOSURE.format(names=", ".join(dict.fromkeys(names)))
    return (
        "Secrets are files that only the bot's user can read; none is in an environment variable."
    )


def _health(template: Template) -> Iterator[str]:
    health = template.health
    if health is None or not health.test:
        yield "no health check: a bot that runs counts as healthy"
    else:
        yield f"check {_line(health.test[1:])}"
        yield f"every {health.interval:g} s; unhealthy after {health.retries} failures in a row"
    for sign in health.log if health is not None else ():
        until = f"one matches {sign.until}" if sign.until else "the next run"
        yield f"unhealthy after a log line matches {sign.pattern}, until {until}: {sign.means}"


def _actions(template: Template) -> Iterator[str]:
    for key, action in template.actions.items():
        where = f", only in {', '.join(action.channels)}" if action.channels else ""
        yield f"{key} ({action.title}), {action.role}{where}: {_line(action.command)}"
        for arg in action.args:
            yield f"  asks for {arg.name}{_label(arg)}"


def _samples(template: Template) -> Iterator[tuple[str, Iterator[str]]]:
    """Each config file as a bot with the first provider and the first channel would get it."""
    if not template.files:
        return
    choice = _first_choice(template)
    of = " and ".join(one for one in (choice.provider, choice.channel) if one)
    bot = Bot(
        id=str(UUID(int=0)),
        name="sample-bot",
        template=template.id,
        provider=choice.provider,
        model=choice.model,
        channel=choice.channel,
        fields={
            field.name: field.choices[0]
            for field in template.fields_for(choice.provider, choice.channel)
            if field.choices and not field.default
        },
    )
    values = _sample_values(template, bot)
    for index, file in enumerate(template.files):
        text = write(filled(content_for(template, bot, index), values), file.format)
        yield f"Sample {file.path}{f' with {of}' if of else ''}", iter(text.splitlines())


def _first_choice(template: Template) -> Choice:
    try:
        return template.choose(None, None, None)
    except BadInput:  # the provider suggests no model
        return template.choose(None, "some-model", None)


def _sample_values(template: Template, bot: Bot) -> Values:
    """A value for every placeholder; angle brackets mark what a person would enter."""
    values = {**values_for(template, bot, checked=False)}
    for field in template.fields_for(bot.provider, bot.channel):
        if not values[f"field.{field.name}"]:
            typed = f"<{field.label}>"
            values[f"field.{field.name}"] = (typed,) if field.is_list else typed
    for secret in template.secrets_for(bot.provider, bot.channel):
        values[f"secret.{secret.name}"] = f"<secret {secret.name}>"
    return values


def _line(command: Iterable[str]) -> str:
    """A command for people to read: arguments with spaces in quotes."""
    return " ".join(part if part and " " not in part else f'"{part}"' for part in command)

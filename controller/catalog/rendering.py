"""Turn a template and a bot into a container's description and config files. Pure.

`action_commands` has the commands that run inside a bot, `formats` writes each format.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from controller.catalog.formats import write
from controller.catalog.inputs import FieldSpec, SecretSpec
from controller.catalog.placeholders import Values, filled, merged, placeholder
from controller.catalog.template import Template
from controller.domain.addresses import HOST_NAME, names_host
from controller.domain.bot import Bot
from controller.domain.errors import NotReady
from controller.domain.spec import ContainerSpec, HealthSpec, SeedFile


@dataclass(frozen=True, slots=True)
class RenderedFile:
    """A config file as the bot sees it: its folder in the container, its name and its text."""

    folder: str
    name: str
    text: str


def values_for(template: Template, bot: Bot, *, checked: bool = True) -> Values:
    """The value of each placeholder; raises BadInput for a field that its template would refuse.

    `checked=False` takes the fields as they are, for a sample that nobody runs.
    """
    qualified = bot.model
    if bot.provider and not bot.model.startswith(f"{bot.provider}/"):
        qualified = f"{bot.provider}/{bot.model}"
    values: dict[str, str | tuple[str, ...]] = {
        "name": bot.name,
        "provider": bot.provider,
        "model": qualified.removeprefix(f"{bot.provider}/"),
        "provider/model": qualified,
        "channel": bot.channel,
    }
    for field in template.fields_for(bot.provider, bot.channel):
        value = bot.fields.get(field.name) or field.default
        if checked:
            field.check(value)
        values[f"field.{field.name}"] = field.items(value) if field.is_list else value
    return values


def container_spec(
    template: Template,
    bot: Bot,
    *,
    image: str,
    user: str,
    secrets_source: str,
    files: Iterable[tuple[str, str]] = (),
    prepare_volume: bool = False,
) -> ContainerSpec:
    """Describe the bot's container.

    `user` owns its secrets (`Vault.owner_for`). `files` are pairs of a folder on the host and the
    folder in the container where it is mounted.
    """
    run, health, limits = template.run, template.health, template.limits_of(bot)
    entrypoint, command = _process(template, bot)
    return ContainerSpec(
        bot_id=bot.id,
        image=image,
        user=user,
        secrets_source=secrets_source,
        files=tuple(files),
        state_path=template.state.path if template.state else "",
        prepare_volume=prepare_volume,
        seeds=seed_files(template, bot),
        entrypoint=entrypoint,
        command=command,
        workdir=run.workdir,
        env=_env(template, bot),
        tmpfs=tuple(run.tmpfs.items()),
        memory=limits.memory_bytes,
        nano_cpus=limits.nano_cpus,
        pids=limits.pids,
        init=run.init,
        restart=run.restart,
        stop_timeout=run.stop_timeout,
        health=HealthSpec(**health.model_dump(exclude={"log"}))
        if health is not None and health.test
        else None,
        host_names=_host_names(template, bot),
    )


def addresses(template: Template, bot: Bot) -> tuple[tuple[FieldSpec, str], ...]:
    """The fields of the bot that may hold an address, each with each of its items."""
    return tuple(
        (field, item)
        for field in template.fields_for(bot.provider, bot.channel)
        if not field.multiline
        for item in field.items(bot.fields.get(field.name) or field.default)
    )


def _host_names(template: Template, bot: Bot) -> tuple[str, ...]:
    """Docker's name for the host, for a bot whose template allows it and whose settings use it."""
    used = any(names_host(item) for _, item in addresses(template, bot))
    return (HOST_NAME,) if template.run.host_gateway and used else ()


def _process(template: Template, bot: Bot) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Entrypoint and command; a shell starts them if secrets go into the process's environment.

    The bot's program replaces the shell. `docker inspect` only shows the paths of the secrets.
    """
    run = template.run
    exposed = [s for s in template.secrets_for(bot.provider, bot.channel) if s.process_env]
    if not exposed:
        return run.entrypoint, run.command
    script = "; ".join([*(_export(secret) for secret in exposed), 'exec "$@"'])
    return ("/bin/sh", "-c", script, "sh"), (*run.entrypoint, *run.command)


def _export(secret: SecretSpec) -> str:
    """The line that sets the variable. Names and paths of secrets need no quotes for a shell."""
    line = f'export {secret.process_env}="$(cat {secret.path})"'
    return line if secret.required else f"[ ! -e {secret.path} ] || {line}"


def _env(template: Template, bot: Bot) -> tuple[tuple[str, str], ...]:
    """The variables of the template, then paths of secrets, then fields; none without a value."""
    values = values_for(template, bot)
    env: dict[str, str] = {}
    for name, text in template.run.env.items():
        wanted = placeholder(text)
        env[name] = text if wanted is None else _joined(values[wanted])
        if wanted is not None and not env[name]:
            del env[name]
    for secret in template.secrets_for(bot.provider, bot.channel):
        if secret.env_file:
            env[secret.env_file] = secret.path
    for field in template.fields_for(bot.provider, bot.channel):
        value = _joined(values[f"field.{field.name}"])
        if field.env and value:
            env[field.env] = value
    return tuple(env.items())


def _joined(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else ",".join(value)


def rendered_files(template: Template, bot: Bot) -> tuple[RenderedFile, ...]:
    """The config files without secrets. Options and choices add to the first file."""
    values = values_for(template, bot)
    return tuple(
        RenderedFile(
            file.folder,
            file.name,
            write(filled(content_for(template, bot, index), values), file.format),
        )
        for index, file in enumerate(template.files)
        if not file.secret
    )


def secret_files(template: Template, bot: Bot, secrets: Mapping[str, str]) -> dict[str, str]:
    """The config files with secrets in them, by their name in the secrets folder.

    `secrets` are the bot's secrets by name. Raises NotReady while a required one is missing. The
    place of a missing optional one is left out.
    """
    files = [(index, file) for index, file in enumerate(template.files) if file.secret]
    if not files:
        return {}
    values = {**values_for(template, bot)}
    for spec in template.secrets_for(bot.provider, bot.channel):
        values[f"secret.{spec.name}"] = secrets.get(spec.name, "")
        if not values[f"secret.{spec.name}"] and (spec.required or spec.generated):
            raise NotReady(
                f"The {spec.label or spec.name} is missing.",
                hint="Enter it to start the bot.",
                code="secrets-missing",
            )
    return {
        file.name: write(filled(content_for(template, bot, index), values), file.format)
        for index, file in files
    }


def content_for(template: Template, bot: Bot, index: int) -> dict[str, Any]:
    """The content of the file with what options and choices add; placeholders aren't filled."""
    content: dict[str, Any] = dict(template.files[index].content)
    if index > 0:
        return content
    for option in template.options_for(bot.provider, bot.channel):
        content = merged(content, option.config)
    for field in template.fields_for(bot.provider, bot.channel):
        for choice in field.items(bot.fields.get(field.name) or field.default):
            content = merged(content, field.when.get(choice, {}))
    return content


def seed_files(template: Template, bot: Bot) -> tuple[SeedFile, ...]:
    """The files to write to the state volume, without those that would be empty."""
    values = values_for(template, bot) if template.seeds else {}
    found: list[SeedFile] = []
    for seed in template.seeds:
        wanted = placeholder(seed.text)
        text = seed.text if wanted is None else _joined(values[wanted])
        if text:
            found.append(SeedFile(path=seed.path, text=text, keep=seed.keep))
    return tuple(found)

"""What becomes of a template and a bot: the container's description and its config files. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass

from controller.catalog.placeholders import Values, filled, merged, placeholder
from controller.catalog.template import Template
from controller.domain.bot import Bot
from controller.domain.spec import ContainerSpec, HealthSpec


@dataclass(frozen=True, slots=True)
class RenderedFile:
    """A config file as the bot shall find it: folder in the container, name, text."""

    folder: str
    name: str
    text: str


def values_for(template: Template, bot: Bot) -> Values:
    """What each placeholder stands for; raises BadInput where a field of the bot will not do."""
    qualified = bot.model
    if bot.provider and not bot.model.startswith(f"{bot.provider}/"):
        qualified = f"{bot.provider}/{bot.model}"
    values: dict[str, str | tuple[str, ...]] = {
        "name": bot.name,
        "provider": bot.provider,
        "model": bot.model,
        "provider/model": qualified,
        "channel": bot.channel,
    }
    for field in template.fields_for(bot.provider, bot.channel):
        value = bot.fields.get(field.name) or field.default
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

    `user` is who owns its secrets (`Vault.owner_for`), `files` are pairs of a folder on the host
    and the folder in the container that it is mounted at.
    """
    run, health = template.run, template.health
    return ContainerSpec(
        bot_id=bot.id,
        image=image,
        user=user,
        secrets_source=secrets_source,
        files=tuple(files),
        state_path=template.state.path if template.state else "",
        prepare_volume=prepare_volume,
        entrypoint=run.entrypoint,
        command=run.command,
        workdir=run.workdir,
        env=_env(template, bot),
        tmpfs=tuple(run.tmpfs.items()),
        memory=run.resources.memory_bytes,
        nano_cpus=run.resources.nano_cpus,
        pids=run.resources.pids,
        init=run.init,
        restart=run.restart,
        stop_timeout=run.stop_timeout,
        health=HealthSpec(**health.model_dump()) if health else None,
    )


def _env(template: Template, bot: Bot) -> tuple[tuple[str, str], ...]:
    """Literals and placeholders, then fields; a variable without a value is not set."""
    values = values_for(template, bot)
    env: dict[str, str] = {}
    for name, text in template.run.env.items():
        wanted = placeholder(text)
        env[name] = text if wanted is None else _joined(values[wanted])
        if wanted is not None and not env[name]:
            del env[name]
    for field in template.fields_for(bot.provider, bot.channel):
        value = _joined(values[f"field.{field.name}"])
        if field.env and value:
            env[field.env] = value
    return tuple(env.items())


def _joined(value: str | tuple[str, ...]) -> str:
    return value if isinstance(value, str) else ",".join(value)


def rendered_files(template: Template, bot: Bot) -> tuple[RenderedFile, ...]:
    """The config files; what provider and channel add goes into the first."""
    values = values_for(template, bot)
    rendered: list[RenderedFile] = []
    for index, file in enumerate(template.files):
        content = file.content
        if index == 0:
            for option in template.options_for(bot.provider, bot.channel):
                content = merged(content, option.config)
        text = json.dumps(filled(content, values), indent=2, ensure_ascii=False, allow_nan=False)
        rendered.append(RenderedFile(file.folder, file.name, text + "\n"))
    return tuple(rendered)

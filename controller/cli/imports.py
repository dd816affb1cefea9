"""`botmaker import …`: a template's draft from a compose file's service or a running container."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from controller.catalog.draft import draft
from controller.catalog.foreign import Foreign, of_compose, of_inspection
from controller.cli.outcome import exit_with
from controller.domain.errors import BadInput
from controller.runtime.engine import EngineRuntime
from controller.runtime.options import engine_options
from controller.settings import load_settings

output_option = click.option(
    *("-o", "--output", "output"),
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write to this file, which must not exist; its name is the template's id.",
)


@click.group("import")
def imports() -> None:
    """Draft a template from a container that something else runs. Nothing secret is in a draft."""


@imports.command("compose")
@click.argument("file", type=click.Path(path_type=Path))
@click.argument("service")
@output_option
def compose(file: Path, service: str, output: Path | None) -> None:
    """From a service of a compose file."""
    exit_with(lambda: _write(of_compose(file, service), f"{service} of {file.name}", output))


@imports.command("container")
@click.argument("name")
@output_option
def container(name: str, output: Path | None) -> None:
    """From a container on the engine, by its name or id."""

    def work() -> None:
        found, image = asyncio.run(_inspected(name))
        _write(of_inspection(found, image), f"the container {name}", output)

    exit_with(work)


async def _inspected(name: str) -> tuple[dict[str, Any], dict[str, Any]]:
    runtime = EngineRuntime("import", engine_options(load_settings().docker))
    try:
        return await runtime.inspected(name)
    finally:
        await runtime.close()


def _write(foreign: Foreign, origin: str, output: Path | None) -> None:
    text = draft(foreign, origin, output.stem if output else "")
    if output is None:
        click.echo(text, nl=False)
        return
    try:
        with output.open("x") as made:
            made.write(text)
    except FileExistsError:
        raise BadInput(f"{output} is there already.", hint="Choose another name.") from None

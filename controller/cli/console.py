"""The commands of the console script `botmaker`. The work itself is in `app` and `offline`.

The template commands are next door in `templates`.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Callable, Coroutine
from typing import Any, NoReturn

import click

import controller
from controller.api import read_story
from controller.app import run
from controller.cli import offline
from controller.cli.image_recipes import build_image
from controller.cli.init import init_command
from controller.cli.offline import strangers
from controller.cli.outcome import CANNOT_START, FAILED, exit_after, status_of_async
from controller.cli.past import report_check, worded
from controller.cli.templates import templates
from controller.cli.tokens import tokens
from controller.settings import load_settings, read_settings


def execute(work: Callable[[], Coroutine[Any, Any, int | None]]) -> NoReturn:
    """Run a command's work and exit."""
    exit_after(work, FAILED)


@click.group()
@click.version_option(controller.__version__, prog_name="botmaker")
def cli() -> None:
    """BotMaker: a Discord bot that makes and runs other bots."""


@cli.command("run")
@click.option("--wait", is_flag=True, help="Wait if the engine doesn't answer yet.")
def run_command(*, wait: bool) -> None:
    """Run the controller, with settings from the environment or .env."""

    async def work() -> None:
        reading = read_settings()
        await run(reading.require(), wait=wait, notes=[" → ".join(n) for n in strangers(reading)])

    # A controller that stops with a message can't start as it is; restarting won't help.
    status = status_of_async(work, CANNOT_START)
    logging.shutdown()
    # Everything is closed. Threads may still wait for a hanging engine, and the interpreter's own
    # exit would wait for them.
    os._exit(status)


@cli.command()
def doctor() -> None:
    """Check settings, Discord, engine, secrets and disk, and say how to fix each problem."""

    async def work() -> int:
        return await offline.doctor(read_settings(), click.echo)

    execute(work)


@cli.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_bots(*, as_json: bool) -> None:
    """List the bots with their state, whether or not the controller is running."""

    async def work() -> None:
        rows = await offline.list_bots(load_settings())
        if as_json:
            click.echo(json.dumps(rows, indent=2))
            return
        for row in rows:
            click.echo(f"{row['name']:<32} {row['phase']:<14} {row['template']}")

    execute(work)


@cli.command()
@click.argument("name")
@click.option("--lines", default=50, show_default=True, help="How many lines.")
def logs(name: str, lines: int) -> None:
    """Print a bot's newest log lines, redacted."""

    async def work() -> None:
        for line in await offline.read_log(load_settings(), name, lines):
            click.echo(line)

    execute(work)


@cli.command()
@click.argument("name", default="")
@click.option("--lines", default=50, show_default=True, help="How many of the newest events.")
@click.option("--verify", is_flag=True, help="Check that nobody changed the journal.")
def history(name: str, lines: int, *, verify: bool) -> None:
    """Print what happened to a bot, or to everything, newest first."""

    async def work() -> int:
        if verify:
            return report_check(await offline.verify_history(load_settings()))
        for event in await offline.read_history(load_settings(), name, lines):
            click.echo(worded(event))
        return 0

    execute(work)


@cli.command()
@click.argument("name")
def story(name: str) -> None:
    """Print the last looks, verdicts and steps of a bot, from the controller that runs."""

    async def work() -> None:
        click.echo(await read_story(load_settings().data_dir, name), nl=False)

    execute(work)


cli.add_command(init_command)
cli.add_command(build_image)
cli.add_command(templates)
cli.add_command(tokens)

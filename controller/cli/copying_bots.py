"""`botmaker clone` and `rename`: another bot like one, and another name for one."""

from __future__ import annotations

import json

import click

from controller.cli.controller_client import bot_path
from controller.cli.looking import as_json_option
from controller.cli.outcome import exit_with
from controller.cli.reach import complete_bots, door_of


@click.command()
@click.argument("name", shell_complete=complete_bots)
@click.argument("new_name")
@as_json_option
@click.pass_context
def clone(context: click.Context, name: str, new_name: str, *, as_json: bool) -> None:
    """Create a bot like another one. It waits for secrets of its own."""

    def work() -> int:
        door = door_of(context)
        bot = door.ask("POST", bot_path(name, "clone"), {"name": new_name}).json
        missing = ", ".join(bot["missing_secrets"]) or "nothing"
        words = f"{bot['name']} is created. It waits for: {missing}."
        click.echo(json.dumps(bot, indent=2) if as_json else words)
        return 0

    exit_with(work)


@click.command()
@click.argument("name", shell_complete=complete_bots)
@click.argument("new_name")
@as_json_option
@click.pass_context
def rename(context: click.Context, name: str, new_name: str, *, as_json: bool) -> None:
    """Call a bot something else. It goes on running."""

    def work() -> int:
        bot = door_of(context).ask("POST", bot_path(name, "rename"), {"name": new_name}).json
        words = f"{name} is called {bot['name']} now."
        click.echo(json.dumps(bot, indent=2) if as_json else words)
        return 0

    exit_with(work)

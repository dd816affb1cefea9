"""`botmaker snapshots`: the copies of a bot's state, and putting one back."""

from __future__ import annotations

import json

import click

from controller.cli.controller_client import bot_path
from controller.cli.looking import as_json_option
from controller.cli.outcome import FAILED, complain, exit_with
from controller.cli.power import came_true, ended
from controller.cli.reach import complete_bots, door_of


@click.command()
@click.argument("name", shell_complete=complete_bots)
@click.option("--restore", type=int, metavar="NUMBER", help="Make its state what it was then.")
@as_json_option
@click.pass_context
def snapshots(context: click.Context, name: str, *, restore: int | None, as_json: bool) -> None:
    """Print the copies of a bot's state from before its updates, or restore one.

    The bot stops while its state is replaced; what it has now becomes a snapshot itself.
    """

    def work() -> int:
        door, path = door_of(context), bot_path(name, "snapshots")
        if restore is not None:
            operation = ended(door, door.ask("POST", path, {"snapshot": restore}).json)
            outcome = operation["outcome"]
            said = outcome.get("problem") or operation["code"] or outcome.get("phase", "")
            well = came_true(operation) or outcome.get("phase") == "stopped"
            if as_json:
                click.echo(json.dumps(operation, indent=2))
            else:
                (click.echo if well else complain)(f"{name}: {said}")
            return 0 if well else FAILED
        found = door.get(path)["items"]
        if as_json:
            click.echo(json.dumps(found, indent=2))
            return 0
        for one in found:
            click.echo(f"{one['number']:>4} {one['at']} {one['size']:>12} {one['why']}")
        return 0

    exit_with(work)

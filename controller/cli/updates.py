"""`botmaker updates`: newer images, and having them tried one bot after another."""

from __future__ import annotations

import json

import click

from controller.cli.looking import as_json_option
from controller.cli.outcome import exit_with
from controller.cli.reach import door_of


@click.command()
@click.option("--yes", is_flag=True, help="Update what is found.")
@as_json_option
@click.pass_context
def updates(context: click.Context, *, yes: bool, as_json: bool) -> None:
    """Print which bots' images have newer versions; with --yes, update them one at a time."""

    def work() -> int:
        door = door_of(context)
        found = door.get("/updates")
        begun = yes and bool(found["items"])
        if begun:
            found["rollout"] = door.ask("POST", "/updates", {"mark": found["mark"]}).json
        if as_json:
            click.echo(json.dumps(found, indent=2))
            return 0
        for one in found["items"]:
            before, after = (one[key].rpartition(":")[2][:12] for key in ("before", "after"))
            click.echo(f"{one['bot']['name']}: {before} -> {after} ({one['reference']})")
        if not found["items"]:
            click.echo("No newer images.")
        for ref in found["silent"]:
            click.echo(f"Nobody could say what {ref} means now.")
        if found["rollout"]:
            _print_rollout(found["rollout"])
        return 0

    exit_with(work)


def _print_rollout(rollout: dict[str, object]) -> None:
    names = rollout["bots"]
    count = len(names) if isinstance(names, list) else 0
    state = "updating" if rollout["running"] else "updated"
    click.echo(f"{state}: {rollout['done']} of {count}")
    if rollout["failed"]:
        click.echo(f"It ended with {rollout['failed']}: {rollout['why']}")

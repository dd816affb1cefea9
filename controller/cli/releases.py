"""`botmaker releases`, `update` and `rollback`: what a bot is made of, and going back."""

from __future__ import annotations

import json
from typing import Any

import click

from controller.cli.controller_client import Door, bot_path
from controller.cli.looking import as_json_option
from controller.cli.outcome import FAILED, complain, exit_with
from controller.cli.power import came_true, ended
from controller.cli.reach import complete_bots, door_of

name_argument = click.argument("name", shell_complete=complete_bots)


@click.command()
@name_argument
@as_json_option
@click.pass_context
def releases(context: click.Context, name: str, *, as_json: bool) -> None:
    """Print what a bot was made of, who changed that, and how it went."""

    def work() -> int:
        found = door_of(context).get(bot_path(name, "releases"))["items"]
        if as_json:
            click.echo(json.dumps(found, indent=2))
            return 0
        for one in found:
            mark = "*" if one["current"] else " "
            image = one["image"].rpartition(":")[2][:12]
            line = f"{mark}{one['number']:>4} {one['at']} {one['outcome']:<8} {one['why']:<9}"
            click.echo(f"{line} {image:<12} {one['by']['name'] or one['by']['kind']}")
            if one["problem"]:
                click.echo(f"      {one['problem']['message']}")
        return 0

    exit_with(work)


@click.command()
@name_argument
@click.option("--yes", is_flag=True, help="Update without asking.")
@as_json_option
@click.pass_context
def update(context: click.Context, name: str, *, yes: bool, as_json: bool) -> None:
    """Print what an update of a bot would change; with --yes, update it."""

    def work() -> int:
        door = door_of(context)
        found = door.get(bot_path(name, "update"))
        if not as_json:
            _print_changes(name, found)
        if not yes or not found["changes"]:
            if as_json:
                click.echo(json.dumps(found, indent=2))
            return 0
        answer = door.ask("POST", bot_path(name, "update"), {"mark": found["mark"]})
        return _report(door, name, answer.json, as_json=as_json)

    exit_with(work)


@click.command()
@name_argument
@click.option("--release", type=int, help="Its number; left out, the last that worked.")
@as_json_option
@click.pass_context
def rollback(context: click.Context, name: str, *, release: int | None, as_json: bool) -> None:
    """Make a bot what it was, but for its secrets and its own data."""

    def work() -> int:
        door = door_of(context)
        body = {} if release is None else {"release": release}
        answer = door.ask("POST", bot_path(name, "rollback"), body)
        return _report(door, name, answer.json, as_json=as_json)

    exit_with(work)


def _print_changes(name: str, found: dict[str, Any]) -> None:
    if not found["changes"]:
        click.echo(f"{name} is up to date.")
        return
    image = found["image"]
    if image["before"] != image["after"]:
        click.echo(f"image: {image['before'] or 'none'} -> {image['after']}")
    if found["template"]:
        click.echo("template: a newer version")
    for one in (*found["versions"], *found["config"]):
        click.echo(f"{one['name']}: {one['before'] or 'none'} -> {one['after'] or 'none'}")
    if found["failed_before"]:
        click.echo(f"The same was taken back before: {found['failed_before']}")


def _report(door: Door, name: str, operation: dict[str, Any], *, as_json: bool) -> int:
    """Wait for the end, say how it went, and whether the change stayed."""
    operation = ended(door, operation)
    setback = (door.get(bot_path(name)).get("setback") or {}).get("message", "")
    good = came_true(operation) and not setback
    if as_json:
        click.echo(json.dumps(operation, indent=2))
    elif setback:
        complain(f"{name}: {setback}")
    else:
        click.echo(f"{name}: {operation['outcome'].get('phase', operation['state'])}")
    return 0 if good else FAILED

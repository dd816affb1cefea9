"""`botmaker edit`: another provider, model or channel of a bot, other limits, other settings."""

from __future__ import annotations

import json
from typing import Any

import click

from controller.cli.controller_client import Door, bot_path
from controller.cli.looking import as_json_option
from controller.cli.outcome import exit_with
from controller.cli.reach import complete_bots, door_of

_CHOICES = ("provider", "model", "channel")
_LIMITS = ("memory", "cpus", "pids")


@click.command()
@click.argument("name", shell_complete=complete_bots)
@click.option("--provider", help="Another provider.")
@click.option("--model", help="Another model.")
@click.option("--channel", help="Another channel.")
@click.option("--memory", help="Another memory limit, like 512m; `template`: the template's.")
@click.option("--cpus", help="Another CPU limit, like 0.5.")
@click.option("--pids", help="The most processes, like 128.")
@click.option("--set", "settings", multiple=True, metavar="NAME=VALUE", help="A setting.")
@as_json_option
@click.pass_context
def edit(
    context: click.Context,
    /,
    name: str,
    *,
    settings: tuple[str, ...],
    as_json: bool,
    **given: str | None,
) -> None:
    """Change what a bot is made of. It's tried first: if it fails, what was comes back."""
    values = _values(settings)
    body: dict[str, Any] = {key: given[key] for key in _CHOICES if given[key] is not None}
    limits = {key: given[key] for key in _LIMITS if given[key] is not None}
    body |= {"limits": limits} if limits else {}
    if not body and not values:
        raise click.UsageError("Say what to change, like --model or --memory.")

    def work() -> int:
        door = door_of(context)
        bot = _changed(door, name, body, values)
        words = f"{bot['name']}: {bot['phase']}"
        words += f"; release {bot['candidate']} is being tried" if bot["candidate"] else ""
        click.echo(json.dumps(bot, indent=2) if as_json else words)
        return 0

    exit_with(work)


def _changed(door: Door, name: str, body: dict[str, Any], values: dict[str, str]) -> dict[str, Any]:
    """The bot after the changes, the choices first: they decide which settings it has."""
    if body:
        door.ask("PATCH", bot_path(name), body)
    if values:
        headers = {"If-Match": "*"}
        door.ask("PATCH", bot_path(name, "settings"), {"values": values}, headers=headers)
    found: dict[str, Any] = door.get(bot_path(name))
    return found


def _values(settings: tuple[str, ...]) -> dict[str, str]:
    found = [one.partition("=") for one in settings]
    if any(not name or not mark for name, mark, _ in found):
        raise click.UsageError("--set takes NAME=VALUE.")
    return {name: value for name, _, value in found}

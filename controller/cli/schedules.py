"""`botmaker schedule …`: what a bot does by itself, and when."""

from __future__ import annotations

import json
from typing import Any

import click

from controller.cli.controller_client import bot_path
from controller.cli.looking import as_json_option
from controller.cli.outcome import exit_with
from controller.cli.reach import complete_bots, door_of
from controller.cli.terminal_tables import printable, room, table

CHORES = ("start", "stop", "restart", "update-check", "backup")
_COLUMNS = ("ID", "CHORE", "CRON", "ZONE", "NEXT", "LAST")
_NAME = click.argument("name", shell_complete=complete_bots)
_NUMBER = click.argument("number", type=click.IntRange(1))


@click.group("schedule")
def schedule() -> None:
    """What a bot does by itself, and when. The controller must be running."""


@schedule.command("add")
@_NAME
@click.argument("chore", type=click.Choice(CHORES))
@click.argument("at")
@click.option("--zone", default="UTC", show_default=True, help="Like Europe/Berlin.")
@as_json_option
@click.pass_context
def add(
    context: click.Context, name: str, chore: str, at: str, zone: str, *, as_json: bool
) -> None:
    """Let a bot do something by itself. AT: "daily 4:30", "mon,thu 22:15" or "30 4 * * 1"."""

    def work() -> None:
        order = {"chore": chore, "at": at, "zone": zone}
        made = door_of(context).ask("POST", bot_path(name, "schedules"), order).json
        _say(made, f"schedule {made['id']}: next run {made['next_at']}", as_json=as_json)

    exit_with(work)


@schedule.command("list")
@_NAME
@as_json_option
@click.pass_context
def list_schedules(context: click.Context, name: str, *, as_json: bool) -> None:
    """List a bot's schedules, with their next runs."""

    def work() -> None:
        found = list(door_of(context).pages(bot_path(name, "schedules")))
        if as_json:
            click.echo(json.dumps(found, indent=2))
            return
        for line in table(_COLUMNS, [_cells(one) for one in found], room()):
            click.echo(line)

    exit_with(work)


def _cells(one: dict[str, Any]) -> list[str]:
    when = "paused" if one["paused"] else one["next_at"]
    last = one["last_at"] or "-"
    if one["last_code"]:
        last += f" failed ({one['last_code']})"
    if one["missed"]:
        last += f", missed {one['missed']}"
    return [str(one["id"]), one["chore"], one["cron"], one["zone"], when, printable(last)]


@schedule.command("pause")
@_NAME
@_NUMBER
@as_json_option
@click.pass_context
def pause(context: click.Context, name: str, number: int, *, as_json: bool) -> None:
    """Let a schedule rest. What is due meanwhile isn't made up for."""

    def work() -> None:
        path = bot_path(name, f"schedules/{number}/pause")
        now = door_of(context).ask("POST", path).json
        _say(now, f"schedule {number}: paused", as_json=as_json)

    exit_with(work)


@schedule.command("resume")
@_NAME
@_NUMBER
@as_json_option
@click.pass_context
def resume(context: click.Context, name: str, number: int, *, as_json: bool) -> None:
    """Let a paused schedule go on, from its next time."""

    def work() -> None:
        path = bot_path(name, f"schedules/{number}/resume")
        now = door_of(context).ask("POST", path).json
        _say(now, f"schedule {number}: next run {now['next_at']}", as_json=as_json)

    exit_with(work)


@schedule.command("remove")
@_NAME
@_NUMBER
@click.pass_context
def remove(context: click.Context, name: str, number: int) -> None:
    """Remove a schedule."""

    def work() -> None:
        door_of(context).ask("DELETE", bot_path(name, f"schedules/{number}"))
        click.echo(f"schedule {number}: removed")

    exit_with(work)


def _say(found: dict[str, Any], words: str, *, as_json: bool) -> None:
    click.echo(json.dumps(found, indent=2) if as_json else words)

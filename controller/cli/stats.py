"""`botmaker stats`: what bots use."""

from __future__ import annotations

import json
from typing import Any

import click

from controller.cli.controller_client import bot_path
from controller.cli.looking import as_json_option
from controller.cli.outcome import exit_with
from controller.cli.reach import complete_bots, door_of
from controller.cli.terminal_tables import room, table

_COLUMNS = ("NAME", "CPU %", "MEMORY MIB", "OF", "IN KIB/S", "OUT KIB/S", "LOG LINES/S")
_MIB = 1024 * 1024


@click.command()
@click.argument("name", default="", shell_complete=complete_bots)
@click.option("--hours", default=24, show_default=True, type=click.IntRange(1), help="Back to.")
@as_json_option
@click.pass_context
def stats(context: click.Context, name: str, hours: int, *, as_json: bool) -> None:
    """Print what a bot uses, or all bots that run. With --json also how it was before."""

    def work() -> None:
        door = door_of(context)
        if name:
            found = [door.get(bot_path(name, "stats"), hours=hours)]
        else:
            found = list(door.pages("/fleet/stats"))
        if as_json:
            click.echo(json.dumps(found[0] if name else found, indent=2))
            return
        for line in table(_COLUMNS, [_cells(one) for one in found if one["now"]], room()):
            click.echo(line)

    exit_with(work)


def _cells(one: dict[str, Any]) -> list[str]:
    now = one["now"]
    limit = f"{now['memory_limit'] / _MIB:.0f}" if now["memory_limit"] else "-"
    rates = ["-" if now[key] is None else f"{now[key] / 1024:.1f}" for key in ("received", "sent")]
    lines = "-" if now["log_lines"] is None else f"{now['log_lines']:.0f}"
    return [
        *(one["bot"]["name"], f"{100 * now['cpu']:.1f}", f"{now['memory'] / _MIB:.1f}", limit),
        *(*rates, lines),
    ]

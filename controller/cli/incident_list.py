"""`botmaker incidents`: what is wrong, and what was."""

from __future__ import annotations

import json
from itertools import islice
from typing import Any

import click

from controller.cli.looking import as_json_option
from controller.cli.outcome import exit_with
from controller.cli.reach import door_of
from controller.cli.terminal_tables import room, table

PAGE = 200
_HEADS = ("ID", "ABOUT", "TROUBLE", "SINCE", "OVER", "WHY")


@click.command()
@click.option("--all", "every", is_flag=True, help="Also those that are over.")
@click.option("--lines", default=50, show_default=True, type=click.IntRange(1), help="How many.")
@as_json_option
@click.pass_context
def incidents(context: click.Context, lines: int, *, every: bool, as_json: bool) -> None:
    """Print what is wrong, newest first."""

    def work() -> None:
        door = door_of(context)
        only = "false" if every else "true"
        found = door.pages("/incidents", limit=min(lines, PAGE), open=only)
        rows = list(islice(found, lines))
        if as_json:
            click.echo(json.dumps(rows, indent=2))
        elif not rows:
            click.echo("Nothing is wrong." if not every else "Nothing has gone wrong yet.")
        else:
            for line in table(_HEADS, [_cells(row) for row in rows], room()):
                click.echo(line)

    exit_with(work)


def _cells(row: dict[str, Any]) -> list[str]:
    about = row["bot"]["name"] if row["bot"] else row["subject"]
    code = row["exit_code"]
    why = row["cause"] or ("" if code is None else f"exit {code}")
    return [row["id"], about, row["trouble"], row["opened_at"], row["over_at"] or "-", why]

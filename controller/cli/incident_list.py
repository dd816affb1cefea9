"""`botmaker incidents …`: what is wrong and what was, to look after one, to mute it."""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import Any

import click

from controller.cli.looking import as_json_option
from controller.cli.outcome import exit_with
from controller.cli.reach import door_of
from controller.cli.terminal_tables import printable, room, table

PAGE = 200
_HEADS = ("ID", "ABOUT", "TROUBLE", "SINCE", "OVER", "WHY")
_SECONDS = {"m": 60, "h": 3600, "d": 86_400}
_NUMBER = click.argument("number", type=click.IntRange(1))


@click.group(invoke_without_command=True)
@click.option("--all", "every", is_flag=True, help="Also those that are over.")
@click.option("--lines", default=50, show_default=True, type=click.IntRange(1), help="How many.")
@as_json_option
@click.pass_context
def incidents(context: click.Context, lines: int, *, every: bool, as_json: bool) -> None:
    """Print what is wrong, newest first; or look after one of them."""
    if context.invoked_subcommand is not None:
        return

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


@incidents.command("acknowledge")
@_NUMBER
@as_json_option
@click.pass_context
def acknowledge(context: click.Context, number: int, *, as_json: bool) -> None:
    """Look after an incident: it's announced again only if it gets worse."""

    def work() -> None:
        done = door_of(context).ask("POST", f"/incidents/{number}/acknowledge").json
        words = f"incident {number}: {done['acknowledged_by']} looks after it."
        click.echo(json.dumps(done, indent=2) if as_json else printable(words))

    exit_with(work)


@incidents.command("mute")
@_NUMBER
@click.option("--for", "span", default="", help="For so long, like 30m, 1h or 2d.")
@as_json_option
@click.pass_context
def mute(context: click.Context, number: int, span: str, *, as_json: bool) -> None:
    """Hear no more of an incident for a while; without --for, until it's over."""
    found = re.fullmatch(r"(\d{1,4})([mhd])", span.strip().lower())
    if span and found is None:
        raise click.UsageError("--for takes a time like 30m, 1h or 2d.")

    def work() -> None:
        order = {"seconds": int(found[1]) * _SECONDS[found[2]]} if found else {}
        done = door_of(context).ask("POST", f"/incidents/{number}/mute", order).json
        until = done["muted_until"]
        words = f"incident {number}: muted until {until or 'it is over'}."
        click.echo(json.dumps(done, indent=2) if as_json else printable(words))

    exit_with(work)


def _cells(row: dict[str, Any]) -> list[str]:
    about = row["bot"]["name"] if row["bot"] else row["subject"]
    code = row["exit_code"]
    why = row["cause"] or ("" if code is None else f"exit {code}")
    return [row["id"], about, row["trouble"], row["opened_at"], row["over_at"] or "-", why]

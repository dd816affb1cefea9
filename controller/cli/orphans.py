"""`botmaker orphans`: what belongs to no bot, and how to be rid of it."""

from __future__ import annotations

import json
from typing import Any

import click

from controller.cli.looking import as_json_option
from controller.cli.outcome import FAILED, complain, exit_with
from controller.cli.reach import door_of
from controller.cli.terminal import Terminal
from controller.cli.terminal_tables import printable, room, table

REMOVE_SECONDS = 120.0  # large volumes take their time
_HEADS = ("KIND", "NAME", "STATE", "AGE", "SIZE")


@click.command()
@click.option("--remove", is_flag=True, help="Remove what is listed, after a question.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@as_json_option
@click.pass_context
def orphans(context: click.Context, *, remove: bool, yes: bool, as_json: bool) -> None:
    """List containers, volumes and secrets of BotMaker's that belong to no bot."""

    def work() -> int:
        door = door_of(context)
        found = list(door.pages("/fleet/orphans"))
        if as_json and not remove:
            click.echo(json.dumps(found, indent=2))
            return 0
        if not found:
            click.echo("[]" if as_json else "Nothing is left over: everything belongs to a bot.")
            return 0
        for line in table(_HEADS, [_cells(one) for one in found], room()):
            click.echo(line, err=as_json)
        if not remove:
            return 0
        if not yes and not _meant(len(found)):
            complain("Nothing was removed.")
            return FAILED
        # By their ids: what became an orphan meanwhile isn't touched.
        ids = [one["id"] for one in found]
        done = door.ask("POST", "/fleet/orphans/remove", {"ids": ids}, seconds=REMOVE_SECONDS).json[
            "items"
        ]
        if as_json:
            click.echo(json.dumps(done, indent=2))
        for one in [] if as_json else done:
            ended = "removed" if one["removed"] else f"not removed: {one['reason']}"
            click.echo(printable(f"{one['id']}: {ended}"))
        return 0 if all(one["removed"] for one in done) else FAILED

    exit_with(work)


def _meant(count: int) -> bool:
    click.echo(
        "What they hold is lost. If bots are missing, `botmaker adopt` brings them back.", err=True
    )
    things = "this thing" if count == 1 else f"these {count} things"
    typed = Terminal().ask(f"Remove {things}? Type yes", without="Give --yes to do it unasked.")
    return typed.strip().lower() == "yes"


def _cells(one: dict[str, Any]) -> list[str]:
    age, size = one["age_seconds"], one["bytes"]
    return [
        one["kind"],
        one["name"],
        one["state"] or "-",
        "-" if age is None else _span(age),
        "-" if size is None else _bytes(size),
    ]


def _span(seconds: int) -> str:
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"


def _bytes(size: float) -> str:
    for unit in ("B", "KB", "MB"):
        if size < 1000:
            return f"{size:.0f} {unit}"
        size /= 1000
    return f"{size:.1f} GB"

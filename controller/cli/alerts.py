"""`botmaker alerts …`: who is pinged by incidents, and when not."""

from __future__ import annotations

import json
from typing import Any

import click

from controller.cli.looking import as_json_option
from controller.cli.outcome import exit_with
from controller.cli.reach import door_of
from controller.cli.terminal_tables import printable, room, table

_HEADS = ("WHO", "ID", "BOT", "QUIET")
_KIND = click.argument("kind", type=click.Choice(["user", "role"]))
_SUBJECT = click.argument("subject")
_BOT = click.option("--bot", default="", help="For this bot only.")


@click.group("alerts")
def alerts() -> None:
    """Who is pinged when something goes wrong. The controller must be running."""


@alerts.command("list")
@as_json_option
@click.pass_context
def list_alerts(context: click.Context, *, as_json: bool) -> None:
    """List who is pinged, for which bots, and when not."""

    def work() -> None:
        found = list(door_of(context).pages("/alerts"))
        if as_json:
            click.echo(json.dumps(found, indent=2))
        elif not found:
            click.echo("Nobody is pinged.")
        else:
            for line in table(_HEADS, [_cells(one) for one in found], room()):
                click.echo(line)

    exit_with(work)


@alerts.command("give")
@_KIND
@_SUBJECT
@_BOT
@click.option("--quiet", default="", help="When not, like 22:00-07:00.")
@click.option("--zone", default="UTC", show_default=True, help="Like Europe/Berlin.")
@as_json_option
@click.pass_context
def give(
    context: click.Context,
    kind: str,
    subject: str,
    bot: str,
    quiet: str,
    zone: str,
    *,
    as_json: bool,
) -> None:
    """Ping a person or a role, by their Discord id."""

    def work() -> None:
        order = {"kind": kind, "subject": subject, "bot": bot, "quiet": quiet, "zone": zone}
        made = door_of(context).ask("POST", "/alerts", order).json
        said = f"{kind} {subject} is pinged when something goes wrong"
        _say(made, said + (f", not at {made['quiet']}." if made["quiet"] else "."), as_json=as_json)

    exit_with(work)


@alerts.command("drop")
@_KIND
@_SUBJECT
@_BOT
@click.pass_context
def drop(context: click.Context, kind: str, subject: str, bot: str) -> None:
    """Ping them no longer."""

    def work() -> None:
        door_of(context).ask("DELETE", f"/alerts/{kind}/{subject}", query={"bot": bot})
        click.echo(printable(f"{kind} {subject} is no longer pinged."))

    exit_with(work)


def _say(made: dict[str, Any], words: str, *, as_json: bool) -> None:
    click.echo(json.dumps(made, indent=2) if as_json else printable(words))


def _cells(one: dict[str, Any]) -> list[str]:
    about = one["bot"]["name"] if one["bot"] else "all"
    return [one["kind"], one["subject"], about, one["quiet"] or "-"]

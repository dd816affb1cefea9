"""`botmaker webhook …`: who is sent events. A URL is no argument: other users could read it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import click

from controller.cli.looking import as_json_option, left_by_controller
from controller.cli.outcome import exit_with
from controller.cli.reach import door_of
from controller.cli.terminal import Terminal
from controller.cli.terminal_tables import printable, room, table
from controller.domain.disk_words import FAULTS, read_begin, reason
from controller.domain.errors import BadSetting

if TYPE_CHECKING:
    from controller.settings import Settings

FORMATS = ("standard", "discord", "slack", "ntfy")
URL_FILE_MAX = 4096  # bytes
TEST_SECONDS = 30.0
_NAME = click.argument("name")


@click.group("webhook")
def webhooks() -> None:
    """Send events to other programs. The controller must be running, but for `list`."""


@webhooks.command("add")
@_NAME
@click.option(
    "--url-file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The URL, in a file; without it you are asked for it.",
)
@click.option(
    *("--format", "form"),
    type=click.Choice(FORMATS),
    help="What the receiver takes; if left out, what its address tells.",
)
@click.option(
    *("--event", "events"),
    multiple=True,
    help="Like bot.crash, bot.* or *; may be given again. If left out, bot.*.",
)
@click.option("--plain-http", is_flag=True, help="Allow http to another machine.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with the key in it.")
@click.pass_context
def add(
    context: click.Context,
    name: str,
    url_file: Path | None,
    form: str | None,
    events: tuple[str, ...],
    *,
    plain_http: bool,
    as_json: bool,
) -> None:
    """Add a webhook. Prints the key that checks its signatures, alone, this once."""

    def work() -> None:
        order: dict[str, object] = {"name": name, "url": _url(url_file), "format": form}
        order |= {"events": list(events), "plain_http": plain_http}
        made = door_of(context).ask("POST", "/webhooks", order).json
        if as_json:
            click.echo(json.dumps(made, indent=2))
        elif made["key"]:
            click.echo(made["key"])
        click.echo(f"Now run: botmaker webhook test {made['name']}", err=True)

    exit_with(work)


def _url(file: Path | None) -> str:
    if file is None:
        how = "Give it by --url-file FILE, or as a line of standard input."
        return Terminal().ask_hidden("The receiver's URL, which isn't shown", without=how)
    try:
        text = os.fsdecode(read_begin(file, URL_FILE_MAX))
    except FAULTS as error:
        raise BadSetting(
            f"The file {file} can't be read: {reason(error)}.",
            hint="Put the URL, and nothing else, into it.",
        ) from error
    return text.strip()


@webhooks.command("list")
@as_json_option
@click.pass_context
def list_webhooks(context: click.Context, *, as_json: bool) -> None:
    """List the webhooks and how each is doing, whether or not the controller is running."""

    def work() -> None:
        door = door_of(context)

        async def read(settings: Settings) -> list[dict[str, Any]]:
            from controller.api.operations.webhook_operations import (  # noqa: PLC0415
                webhook_out,
            )
            from controller.cli import offline  # noqa: PLC0415 - seldom needed, slow to import

            found = await offline.list_webhooks(settings)
            return [json.loads(webhook_out(one).model_dump_json()) for one in found]

        items = left_by_controller(door, lambda: list(door.pages("/webhooks")), read)
        if as_json:
            click.echo(json.dumps(items, indent=2))
            return
        rows = [
            [
                *(one["name"], _state(one), one["format"], one["host"], one["fingerprint"]),
                " ".join(one["events"]),
            ]
            for one in items
        ]
        header = ("NAME", "STATE", "FORMAT", "HOST", "URL", "EVENTS")
        for line in table(header, rows, room()):
            click.echo(line)

    exit_with(work)


def _state(webhook: dict[str, Any]) -> str:
    """`ok`; `failing (it can't be reached), 3 waiting`; `stopped (…), 2 given up`."""
    parts = [webhook["state"] + (f" ({webhook['reason']})" if webhook["reason"] else "")]
    for key, words in (("waiting", "waiting"), ("dead", "given up"), ("lost", "lost")):
        if webhook[key]:
            parts.append(f"{webhook[key]} {words}")
    return ", ".join(parts)


@webhooks.command("test")
@_NAME
@as_json_option
@click.pass_context
def test(context: click.Context, name: str, *, as_json: bool) -> None:
    """Send one test event and print what the receiver answers; status 1 if it didn't take it."""

    def work() -> int:
        path = f"/webhooks/{quote(name, safe='')}/test"
        found = door_of(context).ask("POST", path, seconds=TEST_SECONDS).json
        if as_json:
            click.echo(json.dumps(found, indent=2))
        elif found["delivered"]:
            click.echo(f"Delivered: it answered {found['status']}.")
        else:
            click.echo(f"Not delivered: {found['reason']}.", err=True)
        if found["answer"] and not as_json:
            click.echo(printable(found["answer"]))
        return 0 if found["delivered"] else 1

    exit_with(work)


@webhooks.command("replay")
@_NAME
@click.option(
    *("--from", "number"), type=click.IntRange(1), help="From the journal's entry of that number."
)
@click.option("--since", metavar="TIME", help="From that time on, like 2026-11-28T02:00:00Z.")
@as_json_option
@click.pass_context
def replay(
    context: click.Context, name: str, number: int | None, since: str | None, *, as_json: bool
) -> None:
    """Send events again; without --from or --since go on at once, also after a stop."""
    if number and since:
        raise click.UsageError("Give --from or --since, not both.")

    def work() -> None:
        body = {"number": number} if number else {"since": since} if since else {}
        path = f"/webhooks/{quote(name, safe='')}/replay"
        found = door_of(context).ask("POST", path, body).json
        if as_json:
            click.echo(json.dumps(found, indent=2))
            return
        click.echo(
            f"{found['name']} goes on behind entry {found['settled']}: "
            f"{found['waiting']} events wait."
        )

    exit_with(work)


@webhooks.command("dead")
@_NAME
@as_json_option
@click.pass_context
def dead(context: click.Context, name: str, *, as_json: bool) -> None:
    """List the events that were given up, newest first, each with its number for a replay."""

    def work() -> None:
        path = f"/webhooks/{quote(name, safe='')}/dead-letters"
        items = list(door_of(context).pages(path))
        if as_json:
            click.echo(json.dumps(items, indent=2))
            return
        rows = [[str(one["number"]), one["at"][:19] + "Z", one["reason"]] for one in items]
        for line in table(("NUMBER", "GIVEN UP", "REASON"), rows, room()):
            click.echo(line)

    exit_with(work)


@webhooks.command("remove")
@_NAME
@click.pass_context
def remove(context: click.Context, name: str) -> None:
    """Send it nothing more, and forget its URL and key."""

    def work() -> None:
        door_of(context).ask("DELETE", f"/webhooks/{quote(name, safe='')}")

    exit_with(work)

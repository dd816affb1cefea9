"""The commands that look: list, show, logs, history, story. None changes anything.

Where no controller answers on this machine, `list`, `logs` and `history` read what it left.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import click

from controller.cli.controller_client import Door, bot_path
from controller.cli.log_following import Following, log_line
from controller.cli.outcome import exit_with
from controller.cli.past import event_of, report_check, worded
from controller.cli.reach import Reach, complete_bots, door_of
from controller.cli.terminal_tables import printable, room, table
from controller.domain.errors import Denied, NotFound, Unreachable
from controller.domain.phase import Phase

if TYPE_CHECKING:
    from controller.settings import Settings

T = TypeVar("T")
PAGE_LINES, PAGE_EVENTS = 1000, 200
as_json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


def left_by_controller(
    door: Door, asked: Callable[[], T], read: Callable[[Settings], Coroutine[Any, Any, T]]
) -> T:
    """What the controller answers; where none runs on this machine, what can be read without it."""
    try:
        return asked()
    except Unreachable:
        if not door.local:
            raise
    from controller.settings import load_settings  # noqa: PLC0415 - seldom needed, slow to import

    return asyncio.run(read(load_settings()))


@click.command("list")
@click.option("--phase", type=click.Choice([phase.value for phase in Phase]), help="Only these.")
@as_json_option
@click.pass_context
def list_bots(context: click.Context, phase: str | None, *, as_json: bool) -> None:
    """List the bots with their phases, whether or not the controller is running."""

    def work() -> None:
        door = door_of(context)

        async def read(settings: Settings) -> list[dict[str, Any]]:
            from controller.cli import offline  # noqa: PLC0415 - seldom needed, slow to import

            return [dict(row) for row in await offline.list_bots(settings)]

        rows = left_by_controller(door, lambda: list(door.pages("/bots")), read)
        rows = [row for row in rows if phase in (None, row["phase"])]
        if as_json:
            click.echo(json.dumps(rows, indent=2))
            return
        cells = [[row[key] for key in _COLUMNS] for row in rows]
        for line in table([key.upper() for key in _COLUMNS], cells, room()):
            click.echo(line)

    exit_with(work)


_COLUMNS = ("name", "phase", "template", "model", "channel")


@click.command()
@click.argument("name", shell_complete=complete_bots)
@as_json_option
@click.pass_context
def show(context: click.Context, name: str, *, as_json: bool) -> None:
    """Show a bot: how it is, its settings, and the fingerprints of its secrets."""

    def work() -> None:
        door = door_of(context)
        bot = door.get(bot_path(name))
        bot["secrets"] = list(door.pages(bot_path(name, "secrets")))
        bot["settings"] = _settings(door, name)
        if as_json:
            click.echo(json.dumps(bot, indent=2))
            return
        for line in table(("", ""), list(_facts(bot))):
            click.echo(line)

    exit_with(work)


def _settings(door: Door, name: str) -> list[dict[str, Any]] | None:
    """The settings; None for somebody who may not change them."""
    try:
        return list(door.get(bot_path(name, "settings"))["settings"])
    except Denied:
        return None


def _facts(bot: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "name", bot["name"]
    yield "phase", bot["phase"] + (f" since {bot['since']}" if bot["since"] else "")
    if bot["held_up"]:
        yield "waits for", bot["held_up"]
    if bot["problem"]:
        yield "problem", f"{bot['problem']['message']} {bot['problem']['hint']}".strip()
    if bot["missing_secrets"]:
        yield "needs secrets", ", ".join(bot["missing_secrets"])
    if bot["last_crash"]:
        yield "crashes", f"{bot['crashes']}, the last at {bot['last_crash']['at']}"
    for key in ("template", "provider", "model", "channel", "image", "id"):
        if bot[key]:
            yield key, bot[key]
    for limit, value in bot["limits"].items():
        yield f"limit {limit}", value
    for setting in bot["settings"] or ():
        default = "" if setting["is_set"] else " (default)"
        yield f"setting {setting['name']}", setting["value"] + default
    for secret in bot["secrets"]:
        written = f", written {secret['written_at']}" if secret["written_at"] else ""
        yield f"secret {secret['name']}", (secret["fingerprint"] or "missing") + written


@click.command()
@click.argument("name", shell_complete=complete_bots)
@click.option("--lines", default=50, show_default=True, type=click.IntRange(1), help="How many.")
@click.option("--since", default="", help="Back from now, like 10m or 2h.")
@click.option("--grep", default="", help="Only lines with this text, case ignored.")
@click.option("--follow", is_flag=True, help="Go on with new lines, until Ctrl-C.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON object for each line.")
@click.pass_context
def logs(
    context: click.Context,
    name: str,
    lines: int,
    since: str,
    grep: str,
    *,
    follow: bool,
    as_json: bool,
) -> None:
    """Print a bot's newest log lines, redacted."""
    if follow and since:
        raise click.UsageError(
            "--since doesn't go with --follow; --lines says how many come first."
        )

    def work() -> None:
        if follow:
            following = Following(door_of(context), name, grep, as_json=as_json)
            following.run(min(lines, PAGE_LINES))
            return
        door = door_of(context)

        async def read(settings: Settings) -> list[dict[str, Any]]:
            from controller.cli import offline  # noqa: PLC0415 - seldom needed, slow to import

            found = await offline.read_log(settings, name, lines, since, grep)
            return [dict(zip(("at", "stream", "text"), row, strict=True)) for row in found]

        for line in left_by_controller(door, lambda: _log(door, name, lines, since, grep), read):
            click.echo(json.dumps(line) if as_json else log_line(line))

    exit_with(work)


def _log(door: Door, name: str, lines: int, since: str, grep: str) -> list[dict[str, Any]]:
    """The newest lines, oldest first."""
    found: list[dict[str, Any]] = []
    cursor = ""
    while len(found) < lines:
        page = door.get(
            bot_path(name, "logs"),
            lines=min(lines - len(found), PAGE_LINES),
            since=since,
            grep=grep,
            cursor=cursor,
        )
        found = [*page["items"], *found]
        cursor = page["next"] or ""
        if not cursor:
            break
    return found


@click.command()
@click.argument("name", default="", shell_complete=complete_bots)
@click.option("--lines", default=50, show_default=True, type=click.IntRange(1), help="How many.")
@click.option("--verify", is_flag=True, help="Check that nobody changed the journal.")
@as_json_option
@click.pass_context
def history(context: click.Context, name: str, lines: int, *, verify: bool, as_json: bool) -> None:
    """Print what happened to a bot, or to everything, newest first."""

    def work() -> int:
        if verify:
            return _verify(context)
        door = door_of(context)

        async def read(settings: Settings) -> list[dict[str, Any]]:
            from controller.api.operations.fleet_operations import (  # noqa: PLC0415
                event_out,
            )
            from controller.cli import offline  # noqa: PLC0415 - seldom needed, slow to import

            found = await offline.read_history(settings, name, lines)
            return [json.loads(event_out(one).model_dump_json()) for one in found]

        events = left_by_controller(door, lambda: _events(door, name, lines), read)
        if as_json:
            click.echo(json.dumps(events, indent=2))
        else:
            for event in events:
                click.echo(printable(worded(*event_of(event))))
        return 0

    exit_with(work)


def _events(door: Door, name: str, lines: int) -> list[dict[str, Any]]:
    path = bot_path(name, "history") if name else "/fleet/history"
    found: list[dict[str, Any]] = []
    for event in door.pages(path, limit=min(lines, PAGE_EVENTS), refusals="true"):
        found.append(event)
        if len(found) == lines:
            break
    return found


def _verify(context: click.Context) -> int:
    reach = context.find_object(Reach)
    if reach is not None and reach.url:
        raise click.UsageError("--verify reads the data folder, so it can't be used with --url.")
    from controller.cli import offline  # noqa: PLC0415 - slow to import
    from controller.settings import load_settings  # noqa: PLC0415

    return report_check(asyncio.run(offline.verify_history(load_settings())))


@click.command()
@click.argument("name", shell_complete=complete_bots)
@as_json_option
@click.pass_context
def story(context: click.Context, name: str, *, as_json: bool) -> None:
    """Print the last looks, verdicts and steps of a bot, from the controller that runs here."""

    def work() -> None:
        door = door_of(context)
        if not door.local:
            raise click.UsageError("A story is only told on the controller's own machine.")
        if as_json:
            click.echo(json.dumps(json.loads(told(door, name, "json")), indent=2))
        else:
            click.echo(told(door, name), nl=False)

    exit_with(work)


def told(door: Door, name: str, form: str = "") -> str:
    """A bot's story, as text or as `json`. NotFound when the controller has no such bot."""
    status, text = door.text("/story", name=name, form=form)
    if status != 200:
        raise NotFound(f"There is no bot called {name}.", hint="`botmaker list` shows all bots.")
    return text

"""The fleet as files: create, export, plan, apply."""

from __future__ import annotations

import json
import time
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from controller.cli import fleet_file, fleet_state, plan_words
from controller.cli.controller_client import Door, bot_path
from controller.cli.fleet_apply import Applying, Ask, Done
from controller.cli.fleet_state import Seen
from controller.cli.looking import as_json_option
from controller.cli.outcome import FAILED, WOULD_CHANGE, complain, exit_with
from controller.cli.power import LOOK_AGAIN_SECONDS
from controller.cli.reach import door_of
from controller.cli.terminal import Terminal
from controller.cli.terminal_tables import printable
from controller.domain.errors import BadInput
from controller.domain.fleet_plan import Change, Found, Plan, Wanted, What, plan
from controller.domain.phase import Phase

START_SECONDS = 120.0  # that `create --wait` waits for a bot
SECRETS_SECONDS = 5.0  # until it is known that a bot's secrets are there

BAD = {Phase.UNHEALTHY, Phase.CRASH_LOOPING, Phase.ERROR, Phase.STOPPED, Phase.REMOVING}

files_argument = click.argument(
    "files", nargs=-1, required=True, metavar="FILE…", type=click.Path(path_type=Path)
)
prune_option = click.option(
    "--prune", is_flag=True, help="Also remove what these files once created and no longer name."
)


@click.command("export")
@click.option(
    *("-o", "--output", "output"),
    metavar="FILE|FOLDER/",
    help="Write to this file; or a file for each bot into this folder.",
)
@as_json_option
@click.pass_context
def export_command(context: click.Context, output: str | None, *, as_json: bool) -> None:
    """Print every bot and grant as TOML, without values of secrets."""

    def work() -> None:
        files = fleet_state.export(door_of(context))
        whole = files.pop(fleet_state.WHOLE)
        if output is None:
            click.echo(
                json.dumps(tomllib.loads(whole), indent=2) + "\n" if as_json else whole, nl=False
            )
        elif output.endswith("/") or Path(output).is_dir():
            Path(output).mkdir(parents=True, exist_ok=True)
            for name, text in files.items():
                (Path(output) / name).write_text(text)
        else:
            Path(output).write_text(whole)

    exit_with(work)


@click.command("plan")
@files_argument
@prune_option
@as_json_option
@click.pass_context
def plan_command(
    context: click.Context, files: tuple[Path, ...], *, prune: bool, as_json: bool
) -> None:
    """Say what `apply` would change, drift included. Status 4 if it's anything, else 0."""

    def work() -> int:
        door, fleet = door_of(context), _read(files, prune=prune)
        found = plan(fleet.wanted, fleet_state.look(door, fleet).found, prune=prune)
        _say_plan(found, as_json=as_json)
        return WOULD_CHANGE if found.changes else 0

    exit_with(work)


@click.command("apply")
@files_argument
@prune_option
@click.option("--yes", is_flag=True, help="Don't ask before removing.")
@as_json_option
@click.pass_context
def apply_command(
    context: click.Context, files: tuple[Path, ...], *, prune: bool, yes: bool, as_json: bool
) -> None:
    """Make the fleet as the files say. Applied again, it changes nothing."""

    def work() -> int:
        door, fleet, terminal = door_of(context), _read(files, prune=prune), Terminal()
        seen = fleet_state.look(door, fleet)
        found = plan(fleet.wanted, seen.found, prune=prune)
        if not yes and not _may_remove(terminal, found):
            complain("Nothing was changed.")
            return FAILED
        return _carry_out(
            Applying(door, fleet, seen, _asking(terminal)), found.changes, as_json=as_json
        )

    exit_with(work)


def _read(files: Sequence[Path], *, prune: bool) -> fleet_file.Fleet:
    fleet = fleet_file.read(files)
    if prune:
        fleet.require_named()
    return fleet


@click.command("create")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--wait", is_flag=True, help="Wait until they run, and fail if one doesn't.")
@as_json_option
@click.pass_context
def create(context: click.Context, file: Path, *, wait: bool, as_json: bool) -> None:
    """Create the bots of a file. Secrets come from its files, or are asked for."""

    def work() -> int:
        door, fleet = door_of(context), fleet_file.read([file])
        bots = fleet.wanted.bots
        if not bots:
            raise BadInput(f"{file} has no bots in it.", hint=fleet_file.HINT)
        # Planned as if there were none: a name that is taken is refused, and nothing is changed.
        changes = plan(Wanted(bots), Found()).changes
        making = Applying(door, fleet, Seen(Found()), _asking(Terminal()))
        status = _carry_out(making, changes, as_json=as_json)
        if wait and not status:
            running = [bot.name for bot in bots if bot.running is not False]
            return FAILED if sum(not _runs(door, name) for name in running) else 0
        return status

    exit_with(work)


def _runs(door: Door, name: str) -> bool:
    """Whether the bot runs in the end. Says why not."""
    began = time.monotonic()
    while True:
        bot = door.get(bot_path(name))
        phase, waited = bot["phase"], time.monotonic() - began
        if phase == Phase.RUNNING:
            return True
        limit = SECRETS_SECONDS if phase == Phase.CREATED else START_SECONDS
        if phase in BAD or waited > limit:
            complain(f"{name}: {phase}. {_why(bot)}".strip())
            return False
        time.sleep(LOOK_AGAIN_SECONDS)


def _why(bot: dict[str, Any]) -> str:
    if bot["phase"] == Phase.CREATED:
        return f"It waits for its secrets: {', '.join(bot['missing_secrets'])}."
    return str(bot["problem"]["message"] if bot["problem"] else bot["held_up"])


def _say_plan(found: Plan, *, as_json: bool) -> None:
    if as_json:
        changes = [plan_words.data(change) for change in found.changes]
        click.echo(json.dumps({"changes": changes, "left": list(found.left)}, indent=2))
        return
    for line in plan_words.report(found):
        click.echo(printable(line))


def _may_remove(terminal: Terminal, found: Plan) -> bool:
    """Whether what the plan removes may go; asked only if it removes something."""
    going = [one for one in found.changes if one.what in {What.REMOVE, What.REVOKE}]
    if not going:
        return True
    for change in going:
        click.echo(printable(plan_words.line(change)), err=True)
    click.echo("A bot that is removed loses its data and its secrets.", err=True)
    answer = terminal.ask("Remove these? (yes/no)", "no", without="Give --yes to do it unasked.")
    return answer.lower() in {"y", "yes"}


def _asking(terminal: Terminal) -> Ask:
    """Asks for secrets at a terminal; elsewhere there is nobody to ask."""

    def ask(bot: str, name: str) -> str:
        question = f"{name} of {bot} (Enter leaves it)"
        return terminal.ask_hidden(question) if terminal.interactive else ""

    return ask


def _carry_out(applying: Applying, changes: Sequence[Change], *, as_json: bool) -> int:
    """Make the changes, and say of each what became of it."""
    done: list[Done] = []
    for one in applying.each(changes):
        done.append(one)
        if not as_json:
            _say(one)
    failed = sum(bool(one.why) for one in done)
    if as_json:
        rows = [
            {**plan_words.data(one.change), "done": not one.why, "failed": one.why} for one in done
        ]
        click.echo(json.dumps(rows, indent=2))
    elif not done:
        click.echo("Nothing to change.")
    elif failed:
        complain(
            f"{len(done) - failed} of {len(done)} changes were made. Apply again for the rest."
        )
    return FAILED if failed else 0


def _say(one: Done) -> None:
    line = printable(plan_words.line(one.change))
    if not one.why:
        click.echo(f"{line}: done")
        return
    click.echo(f"{line}: {'failed' if one.begun else 'not done'}")
    complain(f"{one.change.bot or 'all bots'}: {one.why}")

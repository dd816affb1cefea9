"""The commands that change a bot's power, or remove it: start, stop, restart, delete."""

from __future__ import annotations

import json
import time
from typing import Any

import click

from controller.cli.controller_client import Door, bot_path
from controller.cli.looking import as_json_option
from controller.cli.outcome import FAILED, complain, exit_with
from controller.cli.reach import complete_bots, door_of
from controller.cli.terminal import Terminal
from controller.domain.errors import ControllerError, Unreachable

LOOK_AGAIN_SECONDS = 0.5
names_argument = click.argument(
    "names", nargs=-1, required=True, metavar="NAME…", shell_complete=complete_bots
)
wait_option = click.option("--wait", is_flag=True, help="Wait for the end, and fail if it's bad.")


@click.command()
@names_argument
@wait_option
@as_json_option
@click.pass_context
def start(context: click.Context, names: tuple[str, ...], *, wait: bool, as_json: bool) -> None:
    """Start bots, also after BotMaker gave up on them."""
    exit_with(lambda: _each(door_of(context), "start", names, wait=wait, as_json=as_json))


@click.command()
@names_argument
@wait_option
@as_json_option
@click.pass_context
def stop(context: click.Context, names: tuple[str, ...], *, wait: bool, as_json: bool) -> None:
    """Stop bots."""
    exit_with(lambda: _each(door_of(context), "stop", names, wait=wait, as_json=as_json))


@click.command()
@names_argument
@wait_option
@as_json_option
@click.pass_context
def restart(context: click.Context, names: tuple[str, ...], *, wait: bool, as_json: bool) -> None:
    """End the present run of bots, and begin a new one."""
    exit_with(lambda: _each(door_of(context), "restart", names, wait=wait, as_json=as_json))


def _each(door: Door, verb: str, names: tuple[str, ...], *, wait: bool, as_json: bool) -> int:
    """Ask for it for each bot, then wait for all. One bot's trouble doesn't keep another back."""
    begun: dict[str, dict[str, Any]] = {}
    failed = False
    for name in dict.fromkeys(names):
        try:
            begun[name] = door.ask("POST", bot_path(name, verb)).json
        except Unreachable:
            raise
        except ControllerError as error:
            failed = True
            complain(f"{name}: {error}")
    if wait:
        begun = {name: ended(door, operation) for name, operation in begun.items()}
        failed |= any(not came_true(operation) for operation in begun.values())
    if as_json:
        click.echo(json.dumps(list(begun.values()), indent=2))
    else:
        for name, operation in begun.items():
            click.echo(f"{name}: {_said(verb, operation)}")
    return FAILED if failed else 0


def ended(door: Door, operation: dict[str, Any]) -> dict[str, Any]:
    """The operation once it has ended. The controller ends each within two minutes."""
    while operation["state"] == "running":
        time.sleep(LOOK_AGAIN_SECONDS)
        operation = door.get(f"/operations/{operation['id']}")
    return operation


def came_true(operation: dict[str, Any]) -> bool:
    """Whether it ended as it was meant: done, and the bot is in the phase that was asked for."""
    phase = operation["outcome"].get("phase")
    wanted = {"bot.stop": "stopped", "bot.delete": "gone"}.get(operation["act"], "running")
    return bool(operation["state"] == "done" and phase == wanted)


def _said(verb: str, operation: dict[str, Any]) -> str:
    if operation["state"] == "running":
        return {"start": "starting", "stop": "stopping", "restart": "restarting"}[verb]
    outcome = operation["outcome"]
    if operation["state"] != "done":
        return f"{verb} {operation['state']} {operation['code']}".strip()
    problem = outcome.get("problem")
    return f"{outcome.get('phase', 'done')}" + (f": {problem}" if problem else "")


@click.command()
@click.argument("name", shell_complete=complete_bots)
@click.option("--yes", is_flag=True, help="Don't ask.")
@as_json_option
@click.pass_context
def delete(context: click.Context, name: str, *, yes: bool, as_json: bool) -> None:
    """Delete a bot with its container, its data and its secrets. It can't be undone."""

    def work() -> int:
        door, terminal = door_of(context), Terminal()
        bot = door.get(bot_path(name))
        if not yes and not _meant(terminal, bot["name"]):
            complain("Nothing was deleted.")
            return FAILED
        operation = ended(door, door.ask("DELETE", bot_path(bot["id"])).json)
        gone = came_true(operation)
        if as_json:
            click.echo(json.dumps(operation, indent=2))
        else:
            click.echo(f"{bot['name']}: {'deleted' if gone else _said('delete', operation)}")
        return 0 if gone else FAILED

    exit_with(work)


def _meant(terminal: Terminal, name: str) -> bool:
    click.echo(f"This deletes {name} with its data and its secrets. It can't be undone.", err=True)
    typed = terminal.ask("Type its name to delete it", without="Give --yes to do it unasked.")
    return typed == name

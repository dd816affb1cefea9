"""`botmaker fleet …`: one act on many bots, which are listed before it begins."""

from __future__ import annotations

import json
import time
from fnmatch import fnmatchcase
from typing import Any

import click

from controller.cli.controller_client import Door
from controller.cli.looking import as_json_option
from controller.cli.outcome import FAILED, complain, exit_with
from controller.cli.reach import door_of
from controller.cli.terminal import Terminal
from controller.cli.terminal_tables import printable
from controller.domain.phase import Phase

LOOK_AGAIN_SECONDS = 0.5
_VERBS = ("start", "stop", "restart", "update")


@click.group("fleet")
def fleet() -> None:
    """One act on many bots. The controller must be running."""


def _command(verb: str) -> click.Command:
    @click.argument("pattern", default="*")
    @click.option("--phase", type=click.Choice([one.value for one in Phase]), help="Only these.")
    @click.option("--template", default="", help="Only those of this template.")
    @click.option("--yes", is_flag=True, help="Don't ask.")
    @as_json_option
    @click.pass_context
    def act(
        context: click.Context,
        pattern: str,
        phase: str | None,
        template: str,
        *,
        yes: bool,
        as_json: bool,
    ) -> None:
        def work() -> int:
            door = door_of(context)
            found = [
                bot
                for bot in door.pages("/bots")
                if fnmatchcase(bot["name"], pattern.lower())
                and phase in (None, bot["phase"])
                and template in ("", bot["template"])
            ]
            return _carry_out(door, verb, found, yes=yes, as_json=as_json)

        exit_with(work)

    words = f"{verb.capitalize()} the bots whose names fit, such as 'shop-*'; lists them first."
    return click.command(verb, help=words)(act)


for _verb in _VERBS:
    fleet.add_command(_command(_verb))


def _carry_out(
    door: Door, verb: str, bots: list[dict[str, Any]], *, yes: bool, as_json: bool
) -> int:
    if not bots:
        complain("No bot fits.")
        return FAILED
    if not yes and not _meant(verb, bots):
        complain("Nothing was done.")
        return FAILED
    # By their ids: a bot that is renamed or created meanwhile makes no difference.
    batch = door.ask("POST", f"/fleet/{verb}", {"bots": [bot["id"] for bot in bots]}).json
    told: set[str] = set()
    while True:
        for item in batch["bots"]:
            if item["state"] in {"done", "failed", "left-out"} and item["id"] not in told:
                told.add(item["id"])
                if not as_json:
                    click.echo(
                        printable(f"{item['name']}: {item['state']} {item['words']}".rstrip())
                    )
        if batch["state"] == "ended":
            break
        time.sleep(LOOK_AGAIN_SECONDS)
        batch = door.get(f"/batches/{batch['id']}")
    if as_json:
        click.echo(json.dumps(batch, indent=2))
    return FAILED if any(item["state"] == "failed" for item in batch["bots"]) else 0


def _meant(verb: str, bots: list[dict[str, Any]]) -> bool:
    for bot in bots:
        click.echo(f"{bot['name']} ({bot['phase']})", err=True)
    asked = f"{verb.capitalize()} these {len(bots)} bots? Type yes"
    return Terminal().ask(asked, without="Give --yes to do it unasked.").strip().lower() == "yes"

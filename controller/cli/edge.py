"""`botmaker edge …`: a Worker of one's own in front of BotMaker."""

from __future__ import annotations

import base64
import json
import os
import secrets
from pathlib import Path

import click

from controller.cli.looking import as_json_option
from controller.cli.outcome import exit_with
from controller.cli.reach import door_of
from controller.domain.disk_words import FAULTS, reason
from controller.domain.errors import BadSetting

DEPLOY_SECONDS = 180.0
KEY_BYTES = 32


@click.group("edge")
def edge() -> None:
    """Put a Cloudflare Worker in front of BotMaker. Optional; docs/edge.md has a drawing."""


@edge.command("init")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path("edge"),
    show_default=True,
    help="Where the keys go.",
)
def init(folder: Path) -> None:
    """Create the two key files, and print the settings that belong to them."""

    def work() -> None:
        shared = "whsec_" + base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
        files = {"edge.keys": shared, "callers.keys": f"k1 {secrets.token_urlsafe(KEY_BYTES)}"}
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name, text in files.items():
                _write(folder / name, text)
        except FAULTS as error:
            raise BadSetting(
                f"The keys can't be written to {folder}: {reason(error)}.",
                hint="Choose another folder with --folder.",
            ) from error
        home = folder.absolute()
        click.echo(f"BOTMAKER_EDGE_KEYS_FILE={home / 'edge.keys'}")
        click.echo(f"BOTMAKER_EDGE_JWT_KEYS_FILE={home / 'callers.keys'}")
        click.echo("Add these to .env, and the others that docs/edge.md names.", err=True)
        click.echo("Then restart BotMaker and run: botmaker edge deploy", err=True)

    exit_with(work)


def _write(place: Path, text: str) -> None:
    """A new file that nobody else can read; one that is there already stays."""
    try:
        handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except FileExistsError:
        click.echo(f"{place} is there already, and stays as it is.", err=True)
        return
    with os.fdopen(handle, "w") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())


@edge.command("deploy")
@as_json_option
@click.pass_context
def deploy(context: click.Context, *, as_json: bool) -> None:
    """Deploy the Worker and its database; nothing is done if it is up to date."""
    _change(context, "deploy", as_json=as_json)


@edge.command("rollback")
@as_json_option
@click.pass_context
def rollback(context: click.Context, *, as_json: bool) -> None:
    """Serve the version before the present one again."""
    _change(context, "rollback", as_json=as_json)


def _change(context: click.Context, what: str, *, as_json: bool) -> None:
    def work() -> None:
        done = door_of(context).ask("POST", f"/edge/{what}", seconds=DEPLOY_SECONDS).json
        if as_json:
            click.echo(json.dumps(done, indent=2))
        elif done["changed"]:
            before = f", in place of {done['before']}" if done["before"] else ""
            click.echo(f"The Worker is now {done['version']}{before}.")
        else:
            click.echo(f"Nothing to do: the Worker is {done['version']}.")

    exit_with(work)


@edge.command("status")
@as_json_option
@click.pass_context
def status(context: click.Context, *, as_json: bool) -> None:
    """Say how the Worker is and how far events have come; status 1 if something is wrong."""

    def work() -> int:
        found = door_of(context).get("/edge")
        well = found["worker"] == "ok" and found["events"] == "ok"
        if as_json:
            click.echo(json.dumps(found, indent=2))
            return 0 if well else 1
        version = f", version {found['version']}" if found["version"] else ""
        why = f" ({found['reason']})" if found["reason"] else ""
        click.echo(f"worker        {found['worker']}{version}{why}")
        for part in ("d1", "tunnel", "orchestrator"):
            click.echo(f"{part:<13} {found[part]}")
        why = f" ({found['events_reason']})" if found["events_reason"] else ""
        counts = f"{found['waiting']} waiting, {found['dead']} given up, {found['lost']} lost"
        click.echo(f"events        {found['events']}{why}: {counts}")
        return 0 if well else 1

    exit_with(work)

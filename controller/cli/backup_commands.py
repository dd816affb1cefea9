"""`botmaker backup` and `botmaker restore`.

A running controller makes the backup itself; where none runs, the console takes its place.
"""

from __future__ import annotations

import asyncio
import json
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from controller.cli.looking import as_json_option
from controller.cli.outcome import FAILED, complain, exit_with
from controller.cli.power import ended
from controller.cli.reach import door_of
from controller.cli.terminal_tables import printable
from controller.domain.disk_words import reason
from controller.domain.errors import BadInput, Unreachable

if TYPE_CHECKING:
    from controller.backups import Keys
    from controller.manager.restoring import Found

TEXT_MAX = 65_536  # bytes of a file with recipients, identities or a passphrase
WAIT_SECONDS = 30
passphrase_option = click.option(
    "--passphrase-file", metavar="FILE", type=click.Path(path_type=Path), help="A passphrase."
)
identity_option = click.option(
    "--identity", metavar="FILE", type=click.Path(path_type=Path), help="The age identity."
)
file_argument = click.argument("file", type=click.Path(path_type=Path))


@click.group(invoke_without_command=True)
@click.option("--out", metavar="FILE", type=click.Path(path_type=Path), help="The file to write.")
@click.option("--recipient", "recipients", multiple=True, help="Who can open it: age1…")
@click.option(
    "--recipients-file", metavar="FILE", type=click.Path(path_type=Path), help="Several of them."
)
@passphrase_option
@click.option("--volumes", is_flag=True, help="With the bots' states.")
@as_json_option
@click.pass_context
def backup(
    context: click.Context,
    out: Path | None,
    recipients: tuple[str, ...],
    recipients_file: Path | None,
    passphrase_file: Path | None,
    *,
    volumes: bool,
    as_json: bool,
) -> None:
    """Back up database, secrets, templates and keys into one encrypted file.

    Without options it is as the settings say. Keep what opens it elsewhere.
    """
    if context.invoked_subcommand is not None:
        return

    def work() -> int:
        door = door_of(context)
        order: dict[str, Any] = {
            "recipients": [*recipients, *_text(recipients_file).splitlines()],
            "passphrase": _passphrase(passphrase_file),
            "volumes": volumes,
            "out": str(out.absolute()) if out else "",
        }
        order["recipients"] = [one for one in map(str.strip, order["recipients"]) if one]
        try:
            wait = {"Prefer": f"wait={WAIT_SECONDS}"}
            made = door.ask("POST", "/backups", order, headers=wait).json
        except Unreachable:
            if not door.local:
                raise
            made = {"state": "done", "outcome": _without_controller(order)}
        else:
            made = ended(door, made)
        return _told(made, as_json=as_json)

    exit_with(work)


def _told(made: dict[str, Any], *, as_json: bool) -> int:
    if as_json:
        click.echo(json.dumps(made, indent=2))
    elif made["state"] == "done":
        outcome = made["outcome"]
        click.echo(f"{printable(outcome['file'])}, {outcome['size'] / 1e6:.1f} MB")
    else:
        complain(f"The backup wasn't made: {made.get('code') or made['state']}.")
    return 0 if made["state"] == "done" else FAILED


def _without_controller(order: dict[str, Any]) -> dict[str, Any]:
    from controller.cli import offline_backup  # noqa: PLC0415 - seldom needed, slow to import
    from controller.settings import load_settings  # noqa: PLC0415

    written = asyncio.run(offline_backup.back_up(load_settings(), order))
    return {"file": str(written.path), "size": written.size}


@backup.command("verify")
@file_argument
@identity_option
@passphrase_option
@as_json_option
def verify_command(
    file: Path, identity: Path | None, passphrase_file: Path | None, *, as_json: bool
) -> None:
    """Read and check all of a backup, as a restore would, and list what is in it."""

    def work() -> int:
        keys = _keys(identity, passphrase_file)
        with _opened(file) as opened:
            _list(_verified(opened, keys), as_json=as_json)
        return 0

    exit_with(work)


@click.command()
@file_argument
@identity_option
@passphrase_option
@click.option("--dry-run", is_flag=True, help="Check and list only.")
@click.option("--start", is_flag=True, help="Let the bots start: the old ones are off.")
@as_json_option
def restore(
    file: Path,
    identity: Path | None,
    passphrase_file: Path | None,
    *,
    dry_run: bool,
    start: bool,
    as_json: bool,
) -> None:
    """Restore a backup into the empty folders that the settings name.

    The bots stay stopped until somebody starts them, because the old ones may still be running.
    """

    def work() -> int:
        from controller.cli import offline_backup  # noqa: PLC0415 - slow to import
        from controller.settings import load_settings  # noqa: PLC0415

        settings = load_settings()
        keys = _keys(identity, passphrase_file)
        with _opened(file) as opened:
            found = _verified(opened, keys)
            offline_backup.require_room(settings, found)
            _list(found, as_json=as_json)
            if dry_run:
                return 0
            told = asyncio.run(offline_backup.restore(settings, opened, keys, found, start=start))
        for line in told:
            click.echo(printable(line), err=as_json)
        return 0

    exit_with(work)


def _verified(file: BinaryIO, keys: Keys) -> Found:
    from controller.manager.restoring import verify  # noqa: PLC0415 - slow to import

    return verify(file, keys)


def _keys(identity: Path | None, passphrase_file: Path | None) -> Keys:
    from controller.backups import keys_from  # noqa: PLC0415 - slow to import

    return keys_from(_secret_text(identity), _passphrase(passphrase_file))


def _list(found: Found, *, as_json: bool) -> None:
    header, manifest = found.header, found.checked.manifest
    made = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(header.created_at))
    if as_json:
        told = {
            "made_at": made,
            "version": header.version,
            "schema": header.schema_number,
            "instance": header.instance,
            "journal": {"entries": manifest.journal_entries, "head": manifest.journal_head},
            "journal_fault": found.journal_fault,
            "templates": sorted(found.checked.templates),
            "bots": [bot.model_dump() for bot in found.bots],
        }
        click.echo(json.dumps(told, indent=2))
        return
    click.echo(f"Backup of {made}, by BotMaker {header.version}: whole and sound.")
    if found.journal_fault:
        click.echo(f"Its journal can't be trusted: {found.journal_fault}.")
    for bot in found.bots:
        click.echo(printable(f"  {bot.name} ({bot.template}), wished to {bot.wish}"))


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    try:
        opened = file.open("rb")
    except OSError as error:
        raise BadInput(
            f"{file} can't be read: {reason(error)}.",
            hint="Check its name and its rights.",
            code="bad-file",
        ) from error
    with opened:
        if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
            raise BadInput(f"{file} isn't a plain file.", code="bad-file")
        yield opened


def _text(file: Path | None) -> str:
    if file is None:
        return ""
    with _opened(file) as opened:
        data = opened.read(TEXT_MAX + 1)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        text = "\0"
    if len(data) > TEXT_MAX or "\0" in text:
        raise BadInput(f"{file} isn't a small text file.", code="bad-file")
    return text


def _secret_text(file: Path | None) -> str:
    """The text of a file that nobody else may read."""
    if file is not None:
        with _opened(file) as opened:
            mode = stat.S_IMODE(os.fstat(opened.fileno()).st_mode)
        if mode & 0o077:
            raise BadInput(
                f"Others can use {file}: its mode is {mode:04o}.",
                hint=f"Run `chmod 600 {file}`.",
                code="bad-file",
            )
    return _text(file)


def _passphrase(file: Path | None) -> str:
    return _secret_text(file).strip("\r\n")

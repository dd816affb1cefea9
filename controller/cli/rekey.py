"""`botmaker rekey`: another master key, while no controller runs."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

import click

from controller.cli.outcome import exit_with
from controller.settings import load_settings
from controller.store import lock
from controller.vault import SETS, AtRest, Staging, rekey


@click.command("rekey")
@click.option(
    "--former",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="The master key before this one, if it wasn't BotMaker's own.",
)
def rekey_command(*, former: Path | None) -> None:
    """Replace the master key, and seal everything with the new one. Stop the controller first.

    With BOTMAKER_MASTER_KEY_FILE, that file must hold the new key already. Without it, BotMaker
    makes a new key. What was sealed for entry (`seal1.…`) can then be used no more.
    """

    def work() -> None:
        settings = load_settings()
        with contextlib.ExitStack() as stack:
            stack.callback(os.close, lock(settings.data_dir))
            forms = Staging(settings.secrets_dir.absolute(), AtRest(())).folder
            sets = settings.data_dir.absolute() / SETS
            count = rekey(settings.data_dir, [forms, sets], settings.master_key_place(), former)
        click.echo(f"The master key is a new one. Sealed again: {count} files.")

    exit_with(work)

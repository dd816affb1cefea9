"""`botmaker seal`: encrypt a secret before it is entered, so that nobody on the way sees it."""

from __future__ import annotations

import sys
from importlib import resources
from urllib.parse import quote

import click

from controller.cli.outcome import exit_with
from controller.cli.reach import complete_bots, door_of
from controller.vault.sealing import ADDRESS, Address, fingerprint_of

VALUE_MAX = 8192  # characters that are read; more than can be sealed


@click.command("seal")
@click.argument("to", required=False, shell_complete=complete_bots)
@click.argument("secret", required=False)
@click.option("--page", is_flag=True, help="Print a page that does the same in any browser.")
@click.pass_context
def seal(context: click.Context, to: str | None, secret: str | None, *, page: bool) -> None:
    """Encrypt the SECRET of that name, such as api_key, so that only one BotMaker can read it.

    TO is an address, `sealto1.…`, which BotMaker shows beside its forms; or the name of a bot of
    the controller that is asked. The value is asked for, or read from standard input. What is
    printed goes into the form, in place of the value. Each can be used once, for a week.
    """

    def work() -> None:
        if page:
            found = resources.files("controller") / "api" / "web" / "seal.html"
            click.echo(found.read_text(encoding="utf-8"), nl=False)
            return
        if not to or not secret:
            raise click.UsageError("Say to whom, and which secret: botmaker seal TO SECRET.")
        address = Address.read(to if to.startswith(ADDRESS) else _address_of(context, to))
        value = _value(secret)
        mark = fingerprint_of(address.public_key)
        click.echo(
            f"For {address.bot_name}. The key's fingerprint is {mark}: compare it with "
            "`botmaker doctor` there.",
            err=True,
        )
        click.echo(address.seal(secret, value))

    exit_with(work)


def _address_of(context: click.Context, bot: str) -> str:
    found = door_of(context).ask("GET", f"/bots/{quote(bot, safe='')}/secrets/address").json
    return str(found["address"])


def _value(secret: str) -> str:
    if sys.stdin.isatty():
        return str(click.prompt(secret, hide_input=True, err=True))
    return sys.stdin.read(VALUE_MAX).removesuffix("\n")

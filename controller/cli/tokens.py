"""`botmaker token …`: API tokens, made by the controller that runs on this data folder."""

from __future__ import annotations

import json
from typing import Any

import click

from controller.api import ask_controller
from controller.cli.outcome import FAILED, exit_after
from controller.domain.roles import Role
from controller.manager.tokens import DAYS, DAYS_MOST
from controller.settings import load_settings

ROLES = [role.word for role in Role if role is not Role.NONE]


@click.group("token")
def tokens() -> None:
    """API tokens, for scripts and other programs. The controller must be running."""


@tokens.command("create")
@click.argument("name")
@click.option("--role", required=True, type=click.Choice(ROLES), help="The most that it may do.")
@click.option("--bot", "bots", multiple=True, help="For this bot only; may be given again.")
@click.option(
    "--days", default=DAYS, show_default=True, type=click.IntRange(1, DAYS_MOST), help="It lasts."
)
def create(name: str, role: str, bots: tuple[str, ...], days: int) -> None:
    """Make a token and print it, alone. It is shown this once."""

    async def work() -> None:
        order = {"name": name, "role": role, "bots": list(bots), "days": days}
        made = await _ask("POST", "/tokens", order)
        click.echo(made["text"])

    exit_after(work, FAILED)


@tokens.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def list_tokens(*, as_json: bool) -> None:
    """List the tokens, without their secrets."""

    async def work() -> None:
        items = (await _ask("GET", "/tokens"))["items"]
        if as_json:
            click.echo(json.dumps(items, indent=2))
            return
        for item in items:
            scope = ", ".join(bot["name"] for bot in item["bots"]) or "all bots"
            if item["bots_gone"]:
                scope = f"{scope if item['bots'] else ''} (and bots that are gone)".strip()
            click.echo(
                f"{item['name']:<32} {item['role']:<9} until {item['expires_at'][:10]}  {scope}"
            )

    exit_after(work, FAILED)


@tokens.command("revoke")
@click.argument("name")
def revoke(name: str) -> None:
    """End a token at once."""

    async def work() -> None:
        await _ask("DELETE", f"/tokens/{name}")

    exit_after(work, FAILED)


async def _ask(method: str, path: str, body: object = None) -> Any:
    return await ask_controller(load_settings().data_dir, method, path, body)

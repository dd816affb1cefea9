"""`botmaker token …`: API tokens, made by a controller."""

from __future__ import annotations

import json
from urllib.parse import quote

import click

from controller.cli.outcome import exit_with
from controller.cli.reach import complete_bots, door_of
from controller.cli.terminal_tables import room, table
from controller.domain.roles import Role

ROLES = [role.word for role in Role if role is not Role.NONE]


@click.group("token")
def tokens() -> None:
    """API tokens, for scripts and other programs. The controller must be running."""


@tokens.command("create")
@click.argument("name")
@click.option("--role", required=True, type=click.Choice(ROLES), help="The most that it may do.")
@click.option(
    *("--bot", "bots"),
    multiple=True,
    shell_complete=complete_bots,
    help="For this bot only; may be given again.",
)
@click.option("--days", type=click.IntRange(1), help="How long it lasts; 90 if left out.")
@click.option(
    *("--allow-acting", "acting"),
    is_flag=True,
    help="An assistant may start, stop and restart bots by it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON, with the token in it.")
@click.pass_context
def create(
    context: click.Context,
    name: str,
    role: str,
    bots: tuple[str, ...],
    days: int | None,
    *,
    acting: bool,
    as_json: bool,
) -> None:
    """Make a token and print it, alone. It is shown this once."""

    def work() -> None:
        order = {"name": name, "role": role, "bots": list(bots)}
        more: dict[str, object] = {} if days is None else {"days": days}
        more |= {"acting": True} if acting else {}
        made = door_of(context).ask("POST", "/tokens", order | more).json
        click.echo(json.dumps(made, indent=2) if as_json else made["text"])

    exit_with(work)


@tokens.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def list_tokens(context: click.Context, *, as_json: bool) -> None:
    """List the tokens, without their secrets."""

    def work() -> None:
        items = list(door_of(context).pages("/tokens"))
        if as_json:
            click.echo(json.dumps(items, indent=2))
            return
        rows = []
        for item in items:
            scope = ", ".join(bot["name"] for bot in item["bots"]) or "all bots"
            if item["bots_gone"]:
                scope = f"{scope if item['bots'] else ''} (and bots that are gone)".strip()
            role = f"{item['role']}, acting" if item["acting"] else item["role"]
            rows.append([item["name"], role, f"until {item['expires_at'][:10]}", scope])
        for line in table(("NAME", "ROLE", "UNTIL", "BOTS"), rows, room()):
            click.echo(line)

    exit_with(work)


@tokens.command("revoke")
@click.argument("name")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def revoke(context: click.Context, name: str, *, as_json: bool) -> None:
    """End a token at once."""

    def work() -> None:
        door_of(context).ask("DELETE", f"/tokens/{quote(name, safe='')}")
        if as_json:
            click.echo(json.dumps({"revoked": name}, indent=2))

    exit_with(work)

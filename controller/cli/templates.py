"""The commands for people who write templates: list, check, explain. None changes anything."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import click

from controller.app import catalog_of
from controller.catalog import Catalog, Refusal, mistakes
from controller.catalog.explanation import explain, explained
from controller.cli.outcome import FAILED, status_of
from controller.settings import load_settings


@click.group(invoke_without_command=True)
@click.pass_context
def templates(context: click.Context) -> None:
    """List the templates, check files for mistakes, or explain a template."""
    if context.invoked_subcommand is None:
        context.exit(status_of(_list))


@templates.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def list_templates(context: click.Context, *, as_json: bool) -> None:
    """List the templates; for a broken one, the line and the reason."""
    context.exit(status_of(lambda: _list(as_json=as_json)))


@templates.command("check")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def check_command(context: click.Context, files: tuple[Path, ...], *, as_json: bool) -> None:
    """Check these files, or all templates. Prints the line and reason of each mistake."""
    context.exit(status_of(lambda: _check(files, as_json=as_json)))


@templates.command("explain")
@click.argument("template_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def explain_command(context: click.Context, template_id: str, *, as_json: bool) -> None:
    """Explain what a template runs, what it asks for, and where each secret goes."""

    def work() -> int:
        template = _catalog().get(template_id)
        if as_json:
            about = {"id": template.id, "title": template.title}
            about |= {"description": template.description}
            click.echo(json.dumps({**about, "sections": explained(template)}, indent=2))
        else:
            click.echo(explain(template), nl=False)
        return 0

    context.exit(status_of(work))


def _catalog() -> Catalog:
    return catalog_of(load_settings())


def _list(*, as_json: bool = False) -> int:
    catalog = _catalog()
    if as_json:
        found = [
            {"id": one.id, "title": one.title, "description": one.description}
            for one in catalog.templates.values()
        ]
        click.echo(json.dumps(found, indent=2))
    else:
        for template in catalog.templates.values():
            click.echo(f"{template.id:<16} {template.title}: {template.description}")
    for refusal in catalog.refused:
        click.echo(f"refused: {refusal.file}, line {refusal.line}: {refusal.reason}", err=True)
    return FAILED if catalog.refused else 0


def _check(files: tuple[Path, ...], *, as_json: bool) -> int:
    found: list[Refusal] = []
    if files:
        for file in files:
            found += mistakes(file)
        good = len(set(files) - {refusal.file for refusal in found})
    else:
        catalog = _catalog()
        good = len(catalog.templates)
        for refusal in catalog.refused:
            found += mistakes(refusal.file) or (refusal,)
    if as_json:
        rows = [{**asdict(refusal), "file": str(refusal.file)} for refusal in found]
        click.echo(json.dumps(rows, indent=2))
        return FAILED if found else 0
    for refusal in found:
        click.echo(str(refusal))
    if not found:
        click.echo(f"{good} template{'' if good == 1 else 's'} checked: no mistakes.")
    return FAILED if found else 0

"""`make bench`: measure, print the table, write the JSON; exit status 1 if a target is missed."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import sys
import tempfile
import time
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path
from typing import NoReturn

import click

from bench import (
    answers,
    creating,
    dashboard,
    listing,
    logs,
    outage,
    real,
    redaction,
    streams,
    thousand,
    trouble,
    usage,
)
from bench.engine import connect
from bench.figure import Figure, table

RESULTS = Path(__file__).parent / "results" / "latest.json"
LIMIT_SECONDS = 180.0  # for each part
BOTS_MAX = 1000  # a bridge has 1,024 ports
PARTS: dict[str, Callable[[Path], Awaitable[list[Figure]]]] = {
    "answers": answers.measure,
    "logs": lambda _: logs.measure(),
    "redaction": lambda _: redaction.measure(),
    "thousand": thousand.measure,
    "creating": creating.measure,
    "outage": outage.measure,
    "trouble": trouble.measure,
    "dashboard": dashboard.measure,
    "streams": streams.measure,
    "listing": listing.measure,
    "usage": usage.measure,
}


async def measure(parts: tuple[str, ...]) -> list[Figure]:
    """Measure one part after another, each in its own temporary folder.

    A part that fails is a missed figure of its own, and the others are measured all the same.
    """
    figures: list[Figure] = []
    for part in parts:
        click.echo(f"measuring: {part}", err=True)
        with tempfile.TemporaryDirectory(prefix="botmaker-bench-") as folder:
            try:
                figures += await asyncio.wait_for(PARTS[part](Path(folder)), LIMIT_SECONDS)
            except TimeoutError:
                figures.append(_missing(part, f"took longer than {LIMIT_SECONDS:g} s"))
            except Exception as error:  # noqa: BLE001 - whatever it is, the others still count
                traceback.print_exc()
                figures.append(_missing(part, f"failed: {type(error).__name__}, see above"))
    return figures


def _missing(part: str, why: str) -> Figure:
    return Figure(name=f"parts not measured: {part}", value=1, unit="", target=0, at_most=True,
                  note=why)  # fmt: skip


def report(figures: list[Figure], seconds: float) -> dict[str, object]:
    """The figures, and the machine they were measured on."""
    client = connect()
    engine = client.version()["Version"]
    client.close()
    return {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "seconds": round(seconds, 1),
        "machine": {
            "cpus": os.cpu_count(),
            "python": platform.python_version(),
            "kernel": platform.release(),
            "engine": engine,
        },
        "figures": [{**asdict(figure), "ok": figure.ok} for figure in figures],
    }


@click.group(invoke_without_command=True)
@click.option("--json", "as_json", is_flag=True, help="Print the JSON instead of the table.")
@click.option(
    "--only", multiple=True, type=click.Choice(list(PARTS)), help="Measure only these parts."
)
@click.pass_context
def main(context: click.Context, *, as_json: bool, only: tuple[str, ...]) -> None:
    """Measure what the product promises: all of it in one run, without a command."""
    os.umask(0o077)
    context.obj = as_json
    if context.invoked_subcommand is None:
        _show(lambda: measure(only or tuple(PARTS)), None if only else RESULTS, as_json=as_json)


@main.command("real")
@click.option("--bots", default=600, show_default=True, help="How many, at most 1,000.")
@click.pass_context
def real_bots(context: click.Context, *, bots: int) -> None:
    """Real bots in their hundreds: start all, kill the controller, resync, stop all. Takes long:
    some ten minutes for 600 on two cores. Compared with docker-py doing the same."""

    async def work() -> list[Figure]:
        with tempfile.TemporaryDirectory(prefix="botmaker-bench-") as folder:
            return await real.measure(Path(folder), min(bots, BOTS_MAX))

    _show(work, RESULTS.with_name("real.json"), as_json=context.obj)


def _show(
    work: Callable[[], Awaitable[list[Figure]]], kept: Path | None, *, as_json: bool
) -> NoReturn:
    """Measure, print and keep the figures; end with status 1 if a target is missed."""
    start = time.monotonic()

    async def run() -> list[Figure]:
        return await work()

    figures = asyncio.run(run())
    text = json.dumps(report(figures, time.monotonic() - start), indent=2)
    if kept is not None:
        kept.parent.mkdir(exist_ok=True)
        kept.write_text(text + "\n")
    click.echo(text if as_json else table(figures))
    sys.exit(0 if all(figure.ok for figure in figures) else 1)


if __name__ == "__main__":
    main()

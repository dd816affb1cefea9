"""`make bench`: measure, print the table, write the JSON; exit status 1 if a target is missed."""

from __future__ import annotations

import asyncio
import json
import os
import platform
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from pathlib import Path

import click

from bench import answers, creating, listing, logs, redaction, thousand
from bench.engine import connect
from bench.figure import Figure, table

RESULTS = Path(__file__).parent / "results" / "latest.json"
LIMIT_SECONDS = 60.0  # for each part
PARTS: dict[str, Callable[[Path], Awaitable[list[Figure]]]] = {
    "answers": answers.measure,
    "listing": listing.measure,
    "logs": lambda _: logs.measure(),
    "redaction": lambda _: redaction.measure(),
    "thousand": thousand.measure,
    "creating": creating.measure,
}


async def measure(parts: tuple[str, ...]) -> list[Figure]:
    """Measure one part after another, each in its own temporary folder."""
    figures: list[Figure] = []
    for part in parts:
        click.echo(f"measuring: {part}", err=True)
        with tempfile.TemporaryDirectory(prefix="botmaker-bench-") as folder:
            try:
                figures += await asyncio.wait_for(PARTS[part](Path(folder)), LIMIT_SECONDS)
            except TimeoutError:
                sys.exit(
                    f"bench: {part} took longer than {LIMIT_SECONDS:g} s, so there are no figures."
                )
    return figures


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


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print the JSON instead of the table.")
@click.option(
    "--only", multiple=True, type=click.Choice(list(PARTS)), help="Measure only these parts."
)
def main(*, as_json: bool, only: tuple[str, ...]) -> None:
    """Measure what the product promises."""
    os.umask(0o077)
    start = time.monotonic()
    figures = asyncio.run(measure(only or tuple(PARTS)))
    text = json.dumps(report(figures, time.monotonic() - start), indent=2)
    if not only:
        RESULTS.parent.mkdir(exist_ok=True)
        RESULTS.write_text(text + "\n")
    click.echo(text if as_json else table(figures))
    sys.exit(0 if all(figure.ok for figure in figures) else 1)


if __name__ == "__main__":
    main()

"""The commands that are the controller itself, or look at what it needs: run, doctor."""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict

import click

from controller.app import run
from controller.cli import offline
from controller.cli.offline import strangers
from controller.cli.outcome import CANNOT_START, FAILED, exit_after, status_of_async
from controller.settings import read_settings


@click.command("run")
@click.option("--wait", is_flag=True, help="Wait if the engine doesn't answer yet.")
def run_command(*, wait: bool) -> None:
    """Run the controller, with settings from the environment or .env."""

    async def work() -> None:
        reading = read_settings()
        await run(reading.require(), wait=wait, notes=[" → ".join(n) for n in strangers(reading)])

    # A controller that stops with a message can't start as it is; restarting won't help.
    status = status_of_async(work, CANNOT_START)
    logging.shutdown()
    # Everything is closed. Threads may still wait for a hanging engine, and the interpreter's own
    # exit would wait for them.
    os._exit(status)


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(*, as_json: bool) -> None:
    """Check settings, Discord, engine, secrets and disk, and say how to fix each problem."""

    async def work() -> int:
        if not as_json:
            return await offline.doctor(read_settings(), click.echo)
        findings = await offline.examined(read_settings())
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
        return offline.status_of(findings)

    exit_after(work, FAILED)

"""`botmaker adopt`: the last resort where the database is lost and there is no backup."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from controller.cli.outcome import exit_with
from controller.domain.errors import Conflict

if TYPE_CHECKING:
    from controller.fleet.threads import Threads
    from controller.manager.adoption import Adopted
    from controller.settings import Settings


@click.command()
@click.option("--dry-run", is_flag=True, help="Look only.")
def adopt(*, dry_run: bool) -> None:
    """Rebuild the rows of bots from their containers and secrets, where the database is lost.

    Names are lost with it. Restore a backup if there is one: it has everything.
    """

    def work() -> None:
        from controller.settings import load_settings  # noqa: PLC0415 - slow to import

        for line in asyncio.run(_adopted(load_settings(), dry_run=dry_run)):
            click.echo(line)

    exit_with(work)


async def _adopted(settings: Settings, *, dry_run: bool) -> list[str]:
    from controller.app import catalog_of, host_paths  # noqa: PLC0415 - slow to import
    from controller.fleet.blueprint import Blueprints  # noqa: PLC0415
    from controller.fleet.threads import Threads  # noqa: PLC0415
    from controller.manager import adoption  # noqa: PLC0415
    from controller.runtime.engine import EngineRuntime  # noqa: PLC0415
    from controller.runtime.options import engine_options  # noqa: PLC0415
    from controller.vault import AtRest, Vault  # noqa: PLC0415

    data = settings.data_dir.absolute()
    vault, threads = Vault(settings.secrets_dir.absolute()), Threads()
    runtime = EngineRuntime("adopting", engine_options(settings.docker))
    try:
        await threads(lambda: _require_lost(data))
        host = await host_paths(runtime)
        claims = await runtime.claims()
        mine = await threads.secrets(lambda: adoption.ours(claims, vault, host))
        catalog = catalog_of(settings)
        blueprints = Blueprints(catalog, vault, data / "files", host, AtRest(()))
        found = await threads.secrets(
            lambda: adoption.adopt(mine, catalog, blueprints), things=len(mine)
        )
        if not dry_run and found.bots:
            await _write(data, found, threads)
    finally:
        threads.close()
        await runtime.close()
    return _told(found, dry_run=dry_run)


def _require_lost(data: Path) -> None:
    if (data / "botmaker.db").exists():
        raise Conflict(
            f"{data} has a database: nothing is lost.",
            hint="If it is damaged, move it away first; `botmaker doctor` tells.",
            code="not-empty",
        )


async def _write(data: Path, found: Adopted, threads: Threads) -> None:
    from controller.manager import adoption  # noqa: PLC0415 - slow to import
    from controller.store import Store, lock  # noqa: PLC0415
    from controller.vault import install_key, journal_key  # noqa: PLC0415

    def begin() -> tuple[int, bytes]:
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = lock(data)
        if (data / "journal").exists():  # of the lost database: its chain doesn't go on
            (data / "journal").rename(data / f"journal-before-{int(time.time())}")
        return handle, journal_key(install_key(data))

    handle, key = await threads(begin)
    try:
        store = await Store.open(data, key)
        try:
            await adoption.write(store, found)
        finally:
            await store.close()
    finally:
        os.close(handle)


def _told(found: Adopted, *, dry_run: bool) -> list[str]:
    verb = "can be adopted" if dry_run else "adopted"
    told = [
        f"{bot.name} ({bot.template}, {bot.id}): {verb}, wished to {bot.wish}" for bot in found.bots
    ]
    told += [
        f"{claim.bot_id}: left alone. It is ours, but what it was made of can't be proved: its "
        "template has changed since, or it has settings of its own."
        for claim in found.unknown
    ]
    return told

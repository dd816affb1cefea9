"""Backups and restores where no controller runs: the console takes its place, and its lock."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from controller.app import backup_plan, catalog_of, places
from controller.backups import Keys, Written, locks_from
from controller.domain.errors import BadInput, BadSetting, ControllerError, ImageMissing
from controller.fleet.threads import Threads
from controller.manager import restoring
from controller.manager.backup_contents import Sources, collect
from controller.manager.backups import file_name, written_to
from controller.runtime.engine import EngineRuntime
from controller.runtime.options import engine_options
from controller.settings import Settings
from controller.store import Store, lock
from controller.vault import AtRest, Vault, known_key, masters


async def back_up(settings: Settings, order: Mapping[str, Any]) -> Written:
    """Make the backup while no controller can start. BadSetting if one runs after all."""
    plan = backup_plan(settings)
    if order["volumes"]:
        raise BadInput(
            "The bots' states can only be saved by a running controller.",
            hint="Start it, or leave out --volumes.",
            code="unreachable",
        )
    wanted = order["recipients"] or order["passphrase"]
    locks = plan.locks
    if wanted or locks is None:
        locks = locks_from(order["recipients"], order["passphrase"])
    folder = plan.folder or Path.cwd()
    path = Path(order["out"]) if order["out"] else folder / file_name(time.time())
    store = await Store.open_read_only(settings.data_dir)
    threads = Threads()
    try:
        held = lock(settings.data_dir)
        try:
            sources = Sources(
                store=store,
                vault=Vault(settings.secrets_dir.absolute()),
                threads=threads,
                box=AtRest(masters(settings.data_dir, settings.master_key_place())),
                data_dir=settings.data_dir.absolute(),
                templates_dir=settings.templates_dir,
            )
            collected = await collect(sources, known_key(settings.data_dir))
            return await threads(lambda: written_to(path, collected, locks, {}))
        finally:
            os.close(held)
    finally:
        threads.close()
        await store.close()


def require_room(settings: Settings, found: restoring.Found) -> None:
    """Raise what a restore would refuse before it writes anything."""
    restoring.require_room(found, places(settings))


async def restore(
    settings: Settings, file: BinaryIO, keys: Keys, found: restoring.Found, *, start: bool
) -> list[str]:
    """Restore it; what there is to say afterwards, a line each."""
    try:
        runtime = EngineRuntime(found.header.instance, engine_options(settings.docker))
    except BadSetting as error:
        return await _restored(settings, file, keys, found, start, None, error)
    try:
        return await _restored(settings, file, keys, found, start, runtime, None)
    finally:
        await runtime.close()


async def _restored(
    settings: Settings,
    file: BinaryIO,
    keys: Keys,
    found: restoring.Found,
    start: bool,
    runtime: EngineRuntime | None,
    trouble: ControllerError | None,
) -> list[str]:
    running: frozenset[str] = frozenset()
    if runtime is not None:
        try:
            rows = await runtime.list_containers()
            running = frozenset(row.bot_id for row in rows if row.state.active)
        except ControllerError as error:
            trouble = error
    held = await restoring.restore(
        file, keys, found, places(settings), start=start, running=running
    )
    told = [f"Restored {len(found.bots)} bots into {settings.data_dir}."]
    if trouble is not None or runtime is None:
        told.append(f"Images weren't looked for: {trouble}")
    else:
        told += await _images(settings, runtime, found)
    if held:
        told.append(
            f"These stay stopped, because the old ones may still be running: {', '.join(held)}. "
            "Make sure that the old BotMaker is off; then start this one with `botmaker run`, and "
            f"the bots with `botmaker start {' '.join(held)}`."
        )
    else:
        told.append("Start BotMaker with `botmaker run`.")
    return told


async def _images(settings: Settings, runtime: EngineRuntime, found: restoring.Found) -> list[str]:
    """Pull the images of the bots; a line for each that can't be had."""
    catalog, told = catalog_of(settings), []
    bots = {(bot.image, bot.image_ref, bot.template) for bot in found.bots if bot.image}
    for image, reference, template_id in sorted(bots):
        try:
            await _image(runtime, image, reference)
        except ControllerError as error:
            template = catalog.templates.get(template_id)
            hint = (template.image.hint if template else "") or error.hint
            told.append(f"The image {reference or image} is missing: {error.message} {hint}")
    return told


async def _image(runtime: EngineRuntime, image: str, reference: str) -> None:
    """The very image that the bot had, or else what its name means now."""
    try:
        await runtime.pin_image(image, "never" if image.startswith("sha256:") else "missing")
    except (ImageMissing, BadInput):
        if not reference:
            raise
        await runtime.pin_image(reference, "missing")

"""Restores a backup on an empty machine: checked as a whole, written beside, then moved into place.

For whoever has a shell on the machine: there is no controller yet that could ask for a right.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from controller.backups import Checked, Header, Keys, ListedBot, damaged, examine, walk
from controller.domain.access import CONSOLE
from controller.domain.bot import RESTORED, Bot, Problem, Wish
from controller.domain.disk_words import storage
from controller.domain.errors import BadInput, BadSetting, StorageTrouble
from controller.domain.journal import Author, Fact, Kind, changes, entry_of
from controller.fleet.journal import append_all
from controller.fleet.threads import Threads
from controller.manager.restore_files import Restoring
from controller.manager.restore_places import DATABASE, Places, move, require_empty, written_beside
from controller.store import Store, examine_copy, lock
from controller.vault import journal_key


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is in a backup that this program can restore."""

    checked: Checked
    journal_fault: str  # what was wrong with its journal already at the backup; mostly nothing

    @property
    def header(self) -> Header:
        """When and of what it was made."""
        return self.checked.header

    @property
    def bots(self) -> tuple[ListedBot, ...]:
        """The bots in it, by name."""
        return self.checked.manifest.bots


def verify(file: BinaryIO, keys: Keys) -> Found:
    """Read and check all of a backup. Changes nothing. Blocking.

    Raises BadInput (`backup-foreign`, `backup-newer`, `wrong-key`) or StorageTrouble
    (`backup-damaged`).
    """
    checked = examine(file, keys)
    try:
        key = journal_key(checked.key)
        examined = examine_copy(checked.database, key, checked.journal.values())
    except BadSetting as error:
        raise BadInput(
            f"This backup can't be restored by this program: {error.message}.",
            hint="Restore it with the newer program.",
            code="backup-newer",
        ) from error
    except StorageTrouble as error:
        raise damaged(error.message.rstrip(".")) from error
    manifest, journal = checked.manifest, examined.journal
    if [(b.id, b.name) for b in manifest.bots] != [(b.id, b.name) for b in examined.bots]:
        raise damaged("its bots aren't those that its list names")
    if examined.instance != checked.header.instance:
        raise damaged("its database is another installation's")
    if (journal.entries, journal.head) != (manifest.journal_entries, manifest.journal_head):
        raise damaged("its journal isn't the one that its list names")
    return Found(checked=checked, journal_fault=journal.fault)


def require_room(found: Found, places: Places) -> None:
    """Raise what a restore would refuse before it writes anything. Blocking."""
    if found.checked.templates and places.templates is None:
        raise BadSetting(
            "The backup has templates of its own, and BOTMAKER_TEMPLATES_DIR isn't set.",
            hint="Set it to the folder where they should go.",
        )
    require_empty(places, found.checked.templates)


async def restore(
    file: BinaryIO,
    keys: Keys,
    found: Found,
    places: Places,
    *,
    start: bool,
    running: frozenset[str] = frozenset(),
) -> list[str]:
    """Write a verified backup into empty folders. The names of the bots that stay stopped.

    Bots stay stopped, with the reason shown, unless `start` is given; but those in `running`, which
    run on this machine already. Raises Conflict (`not-empty`), BadSetting or StorageTrouble, with
    nothing left behind.
    """
    threads = Threads()
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(threads.close)
        await threads(lambda: require_room(found, places))
        stack.callback(os.close, await threads(lambda: _locked(places.data)))
        folders = stack.enter_context(written_beside(places))
        await threads(lambda: _write(file, keys, found, folders, places))
        held = await _settle(found, folders["data"], start=start, running=running)
        await threads(lambda: _tidy(folders["data"]))
        await threads(lambda: move(places))
    return held


def _locked(data: Path) -> int:
    with storage(f"The data folder {data} can't be created"):
        data.mkdir(parents=True, exist_ok=True, mode=0o700)
    return lock(data)


def _write(
    file: BinaryIO, keys: Keys, found: Found, folders: dict[str, Path], places: Places
) -> None:
    restoring = Restoring(folders, found.bots, places.master)
    try:
        again = walk(file, keys, restoring)
        if again != (found.header, found.checked.manifest):
            raise damaged("it was changed while it was read")
        restoring.close()
    finally:
        restoring.abandon()


async def _settle(found: Found, folder: Path, *, start: bool, running: frozenset[str]) -> list[str]:
    """Bring the database to this program's schema, and note what happened to it."""
    store = await Store.open(folder, journal_key(found.checked.key))
    try:
        bots = await store.bots()
        held = [bot for bot in bots if not start and is_held(bot, running)]
        by = Author(CONSOLE)
        fact = Fact(
            Kind.RESTORED,
            {
                "made_at": found.header.created_at,
                "version": found.header.version,
                "bots": len(bots),
                "held": len(held),
            },
        )
        async with store.transaction() as write:
            await write.append(entry_of(fact, time.time(), by=by))
            for bot in held:
                stays = replace(bot, problem=_why(found.header))
                await write.save_bot(stays)
                await append_all(write, changes(bot, stays), stays, by)
    finally:
        await store.close()
    return [bot.name for bot in held]


def _tidy(folder: Path) -> None:
    """Without the copies that a migration made: the backup itself is one."""
    for copy in folder.glob(f"{DATABASE}.before-*"):
        copy.unlink()


def is_held(bot: Bot, running: frozenset[str]) -> bool:
    """Whether a restored bot waits for somebody to start it: it should run, and doesn't here."""
    return bot.wish is Wish.RUN and bot.problem is None and bot.id not in running


def _why(header: Header) -> Problem:
    made = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(header.created_at))
    return Problem(
        RESTORED,
        f"Restored from the backup of {made}. It doesn't start by itself: the old installation may "
        "still be running.",
        "Make sure that the old BotMaker and its bots are off, then start it.",
        time.time(),
    )
